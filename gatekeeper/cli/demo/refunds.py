"""The refunds API of the demo: what the agent's tool calls. Run by uvicorn, in a process of its own."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_paid: list[str] = []


async def pay(request: Request) -> Response:
    """Pay a refund. There is no way back from it: that is why a person should see it first."""
    order = str((await request.json())["order"])
    _paid.append(order)
    return JSONResponse({"refund": f"re_{len(_paid):04}", "order": order, "status": "paid"}, status_code=201)


async def paid(_: Request) -> Response:
    """Tell which orders have been refunded."""
    return JSONResponse({"paid": _paid})


app = Starlette(
    routes=[Route("/v1/refunds", pay, methods=["POST"]), Route("/v1/refunds", paid, methods=["GET"])],
)
