"""OpenTelemetry traces as OTLP/JSON (opentelemetry-proto 1.5), with GenAI semantic conventions 1.37.

A session is a trace and an exchange a span of it: their ids have just the lengths that OpenTelemetry wants.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from gatekeeper.journal.entries import Scalars
from gatekeeper.replay.calls import Call
from gatekeeper.replay.export.values import legal_url

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.37.0"
SPAN_KIND_CLIENT: Final = 3
STATUS_UNSET: Final = 0
STATUS_ERROR: Final = 2
FIRST_ERROR: Final = 400
NANOSECONDS: Final = 1000
"""In a microsecond."""


def otlp_pieces(calls: Iterable[Call], version: str) -> Iterator[str]:
    """Give one ExportTraceServiceRequest piece by piece, a span for each call. `version` is the gateway's."""
    resource = _attributes({"service.name": "gatekeeper", "service.version": version})
    scope = {"name": "gatekeeper.replay", "version": version}
    head, inner = msgspec.json.encode({"attributes": resource}).decode(), msgspec.json.encode(scope).decode()
    yield f'{{"resourceSpans":[{{"resource":{head},"scopeSpans":[{{"scope":{inner},"spans":['
    for number, call in enumerate(calls):
        yield ("," if number else "") + "\n" + msgspec.json.encode(_span(call)).decode()
    yield f'\n],"schemaUrl":"{SCHEMA_URL}"}}],"schemaUrl":"{SCHEMA_URL}"}}]}}\n'


def _span(call: Call) -> dict[str, Any]:
    return {
        "traceId": call.session or "0" * 31 + "1",
        "spanId": call.exchange,
        "name": _name(call),
        "kind": SPAN_KIND_CLIENT,
        "startTimeUnixNano": str(call.started * NANOSECONDS),
        "endTimeUnixNano": str(call.ended * NANOSECONDS),
        "attributes": _attributes(_facts(call)),
        "events": [
            {"timeUnixNano": str(gate.time * NANOSECONDS), "name": f"gatekeeper.{gate.kind}"} for gate in call.gates
        ],
        "status": {"code": _status(call)},
    }


def _name(call: Call) -> str:
    """`{operation} {model}` for GenAI calls, the method for others (both as the conventions say)."""
    operation = call.request.gen_ai.get("gen_ai.operation.name")
    if not isinstance(operation, str):
        return call.request.method
    model = call.request.gen_ai.get("gen_ai.request.model")
    return f"{operation} {model}" if isinstance(model, str) else operation


def _facts(call: Call) -> Scalars:
    request, response = call.request, call.response
    facts: Scalars = {
        "http.request.method": request.method,
        "url.full": legal_url(request.url),
        "server.address": request.target.host,
        "server.port": request.target.port,
        "enduser.id": request.subject.sub,
        "gatekeeper.seq": call.entry.seq,
        "gatekeeper.verdict.action": request.verdict.action,
        "gatekeeper.verdict.rule": request.verdict.rule or "",
        "gatekeeper.findings": [f"{entity}={count}" for entity, count in sorted(request.findings.items())],
    }
    facts |= request.gen_ai
    if response is not None:
        facts |= {"http.response.status_code": response.status} | response.gen_ai
    elif call.end is not None:
        facts["error.type"] = getattr(call.end, "reason", call.end.kind)
    return facts


def _attributes(values: Scalars) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: str | int | list[str]) -> dict[str, Any]:
    match value:
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}
        case list():
            return {"arrayValue": {"values": [{"stringValue": item} for item in value]}}


def _status(call: Call) -> int:
    failed = call.response is None or call.response.status >= FIRST_ERROR
    return STATUS_ERROR if failed else STATUS_UNSET
