"""Calls as JSON lines and as rows of a table, one a call."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET

from gatekeeper.journal import Recorded
from gatekeeper.journal.gen_ai import MODEL
from gatekeeper.replay.calls import Call
from gatekeeper.replay.export.cells import csv_line
from gatekeeper.replay.export.values import iso_time, text_of

COLUMNS: Final = (
    "call", "seq", "exchange", "session", "time", "issuer", "subject", "workflow", "method", "url", "dialect", "model",
    "action", "rule", "outcome", "status", "findings_request", "findings_answer", "took_us",
)  # fmt: skip


def json_lines(calls: Iterable[Call]) -> Iterator[str]:
    """Give one JSON object a line: the `request` and its end as recorded, and the masked bodies in clear."""
    for call in calls:
        yield msgspec.json.encode(_plain(call)).decode() + "\n"


def csv_lines(calls: Iterable[Call]) -> Iterator[str]:
    """Give a header and a row for each call."""
    yield csv_line(COLUMNS)
    for call in calls:
        yield csv_line(_row(call))


def _plain(call: Call) -> dict[str, Any]:
    return {
        "call": call.number,
        "seq": call.entry.seq,
        "exchange": call.exchange,
        "session": call.session,
        "time": iso_time(call.started),
        "outcome": call.outcome.value,
        "request": call.request,
        "request_body": _body(call.asked),
        "gates": [
            {"seq": gate.seq, "type": gate.kind, "time": iso_time(gate.time)} | _data(gate.data) for gate in call.gates
        ],
        "end": {"type": call.end.kind} | _data(call.end) if call.end is not None else None,
        "answer_body": _body(call.answered),
        "pieces": [(piece.at, len(piece.data)) for piece in call.pieces],
        "unread": call.unread,
    }


def _data(data: msgspec.Struct) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}


def _body(content: Recorded | None) -> dict[str, Any] | None:
    if content is None:
        return None
    text, is_base64 = text_of(content)
    return {"media": content.media, "encoding": "base64" if is_base64 else "utf-8", "text": text}


def _row(call: Call) -> tuple[str, ...]:
    request, response = call.request, call.response
    found = response.findings if response is not None else {}
    model = request.gen_ai.get(MODEL, "")
    return (
        str(call.number),
        str(call.entry.seq),
        call.exchange,
        call.session or "",
        iso_time(call.started),
        request.subject.iss,
        request.subject.sub,
        request.subject.workflow or "",
        request.method,
        request.url,
        request.dialect,
        model if isinstance(model, str) else "",
        request.verdict.action,
        request.verdict.rule or "",
        call.outcome.value,
        str(response.status) if response is not None else "",
        findings_text(request.findings),
        findings_text(found),
        str(call.ended - call.started),
    )


def findings_text(findings: dict[str, int]) -> str:
    """Write findings as `CREDIT_CARD=1 EMAIL_ADDRESS=2`."""
    return " ".join(f"{entity}={count}" for entity, count in sorted(findings.items()))
