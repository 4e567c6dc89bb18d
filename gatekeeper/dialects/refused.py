"""The gateway's own answer in a provider's error shape, so that its client library shows it and tries once."""

from collections.abc import Callable
from typing import Final

import msgspec

from gatekeeper.exchange import DialectName, Refusal

type Shape = dict[str, object]

# Anthropic's and OpenAI's names for a status (docs.anthropic.com/en/api/errors), and Google's (google.rpc.Code).
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_RPC_CODES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_NAME: Final = "Gatekeeper: "
_ENCODER: Final = msgspec.json.Encoder()


def error_answer(dialect: DialectName, refusal: Refusal, exchange: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Give headers and body of an answer with status `refusal.status`.

    `x-should-retry` is what the OpenAI and Anthropic clients obey; others don't repeat a 403 anyway. The
    caller adds `refusal.headers`.
    """
    headers = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-should-retry", "false"),
        ("x-gatekeeper-exchange", exchange),
        ("x-gatekeeper-reason", refusal.reason.value),
    ]
    if refusal.approval:
        headers.append(("x-gatekeeper-approval", refusal.approval))
    body = _ENCODER.encode(_SHAPES[dialect](refusal, _message(refusal, exchange)))
    return tuple(headers), body


def _message(refusal: Refusal, exchange: str) -> str:
    """Say it in one line: some clients show nothing of an error but this text."""
    facts = [f"exchange {exchange}"]
    if refusal.approval and refusal.approval not in refusal.message:
        facts.insert(0, f"approval {refusal.approval}")
    if refusal.rule and refusal.rule not in refusal.message:
        facts.insert(0, f"rule {refusal.rule!r}")
    said = refusal.message.removeprefix(_NAME)  # what refuses a CONNECT too says it there itself
    return f"{_NAME}{said} ({', '.join(facts)})"


def _type(status: int) -> str:
    return _TYPES.get(status, "api_error")


def _openai(refusal: Refusal, message: str) -> Shape:
    return {"error": {"message": message, "type": _type(refusal.status), "param": None, "code": refusal.reason.value}}


def _anthropic(refusal: Refusal, message: str) -> Shape:
    return {"type": "error", "error": {"type": _type(refusal.status), "message": message}}


def _gemini(refusal: Refusal, message: str) -> Shape:
    return {"error": {"code": refusal.status, "message": message, "status": _RPC_CODES.get(refusal.status, "INTERNAL")}}


def _bedrock(_: Refusal, message: str) -> Shape:
    return {"message": message}


def _mcp(refusal: Refusal, message: str) -> Shape:
    """JSON-RPC 2.0 §5.1: a code of the implementation's own; the id is null, as where it could not be told."""
    error = {"code": -32000, "message": message, "data": {"reason": refusal.reason.value}}
    return {"jsonrpc": "2.0", "id": None, "error": error}


def _http(refusal: Refusal, message: str) -> Shape:
    return {"error": {"message": message, "reason": refusal.reason.value}}


_SHAPES: Final[dict[DialectName, Callable[[Refusal, str], Shape]]] = {
    DialectName.OPENAI: _openai,
    DialectName.ANTHROPIC: _anthropic,
    DialectName.GEMINI: _gemini,
    DialectName.BEDROCK: _bedrock,
    DialectName.MCP: _mcp,
    DialectName.HTTP: _http,
}
