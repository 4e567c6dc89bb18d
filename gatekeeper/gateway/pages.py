"""Error answers of our own in the place of mitmproxy's pages, which echo what they could not read."""

import msgspec
from mitmproxy.http import HTTPFlow, Response
from mitmproxy.net.http import http1
from mitmproxy.proxy import context
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._events import ResponseProtocolError

from addons.answers import own_answer, plain_answer
from addons.seal import upstream_refusal
from addons.state import exchange_of, has_begun
from gatekeeper.exchange import Headers, Reason, Refusal


def page_http1(status_code: int, message: str = "") -> bytes:  # noqa: ARG001 - mitmproxy's signature; its text is not passed on
    """Give an HTTP/1 error answer, as mitmproxy's function of that place does."""
    return plain_page(_refusal_of_status(status_code))


def page_http2(status_code: int, message: str) -> bytes:  # noqa: ARG001 - mitmproxy's signature; its text is not passed on
    """Give the body of an HTTP/2 error answer, as mitmproxy's function of that place does."""
    return plain_answer(_refusal_of_status(status_code))[1]


def _refusal_of_status(status: int) -> Refusal:
    reasons = {413: Reason.BODY_TOO_LARGE, 502: Reason.UPSTREAM_MALFORMED, 504: Reason.UPSTREAM_TIMEOUT}
    refusal = upstream_refusal(reasons.get(status, Reason.MALFORMED))
    return msgspec.structs.replace(refusal, status=status)


def error_page(ctx: context.Context, event: ResponseProtocolError) -> tuple[int, Headers, bytes]:
    """Give status, headers and body for a broken exchange, in its dialect's error shape where it is known."""
    flow = _flow_of(ctx, event.stream_id)
    status = event.code.http_status_code() or 502
    if flow is None or not has_begun(flow):
        refusal = _refusal_of_status(status)
        return refusal.status, *plain_answer(refusal)
    exchange = exchange_of(flow)
    refusal = exchange.refusal or _refusal_of_status(status)
    return refusal.status, *own_answer(exchange, refusal)


def _flow_of(ctx: context.Context, stream_id: int) -> HTTPFlow | None:
    http = next((one for one in reversed(ctx.layers) if isinstance(one, HttpLayer)), None)
    stream = http.streams.get(stream_id) if http is not None else None
    return getattr(stream, "flow", None)


def plain_page(refusal: Refusal) -> bytes:
    """Give a whole HTTP/1 answer to what has no dialect."""
    return message(refusal.status, *plain_answer(refusal))


def message(status: int, headers: Headers, body: bytes) -> bytes:
    """Give a whole HTTP/1 answer, after which the connection ends."""
    response = Response.make(status, body, dict(headers))
    response.headers["Connection"] = "close"
    return bytes(http1.assemble_response(response))
