"""Answers of the admin socket, and bodies that are sent to it."""

import json
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

BODY_LIMIT: Final = 64 << 10
"""Bytes; a statement and its signature have a few thousand."""


async def body_of(request: Request) -> bytes:
    """Read a body, up to its limit."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise HTTPException(413, f"the body has more than {BODY_LIMIT} bytes")
    return body


def answer(value: object, status: int = 200) -> Response:
    """Answer with a value."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def refuse(status: int, why: str) -> Response:
    """Say no in one line."""
    return Response(json.dumps({"error": " ".join(why.split())}), status, media_type="application/json")


async def http_error(_request: Request, error: Exception) -> Response:
    """Give an error of the framework the same form."""
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "internal error")
    return refuse(status, detail)
