"""Answers of the gateway's own, in the shape that the caller's client library shows to people."""

import msgspec
from mitmproxy import http
from mitmproxy.http import HTTPFlow, Response

from gatekeeper.dialects import dialect_of, error_answer
from gatekeeper.exchange import DialectName, Exchange, Headers, Refusal


def answer_exchange(flow: HTTPFlow, exchange: Exchange, refusal: Refusal) -> None:
    """Put an answer of our own on a flow, in the error shape of its dialect."""
    headers, body = own_answer(exchange, refusal)
    flow.response = _response(refusal.status, headers, body)


def own_answer(exchange: Exchange, refusal: Refusal) -> tuple[Headers, bytes]:
    """Give headers and body of an answer of our own."""
    headers, body = error_answer(_dialect(exchange), refusal, exchange.id)
    return (*headers, *refusal.headers), body


def answer_connect(flow: HTTPFlow, refusal: Refusal) -> None:
    """Refuse a CONNECT, or what never became an exchange.

    Clients show the reason phrase of a refused CONNECT and nothing else, so it carries the message.
    """
    headers, body = plain_answer(refusal)
    flow.response = _response(refusal.status, headers, body)
    flow.response.data.reason = refusal.message.encode("ascii", "replace")[:200]


def plain_answer(refusal: Refusal) -> tuple[Headers, bytes]:
    """Give headers and body of an answer to what has no dialect."""
    error = {"message": refusal.message, "type": "gatekeeper", "code": refusal.reason.value}
    own = (("content-type", "application/json"), ("x-gatekeeper-reason", refusal.reason.value))
    return (*own, *refusal.headers), msgspec.json.encode({"error": error})


def _dialect(exchange: Exchange) -> DialectName:
    if exchange.summary is not None:
        return exchange.summary.dialect
    if exchange.target is not None and exchange.request is not None:
        return dialect_of(exchange.target.host, exchange.request.path)
    return DialectName.HTTP


def _response(status: int, headers: Headers, body: bytes) -> Response:
    fields = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
    return Response.make(status, body, http.Headers(fields))
