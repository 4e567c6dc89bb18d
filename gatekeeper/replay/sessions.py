"""Sessions of a journal, each summed up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gatekeeper.exchange import ExchangeId, Instant, Seq, SessionId
from gatekeeper.journal import Entry, Reader
from gatekeeper.journal.entries import DenyData, ExpireData, HoldData, RequestData, ResponseData

MODEL: Final = "gen_ai.request.model"
"""OpenTelemetry GenAI semantic conventions."""


class SessionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One session. Times are µs since 1970 UTC; `first` and `last` its entries.

    `calls`, `held`, `denied` count exchanges (denied: by a rule, for want of one, or by reviewers);
    `masked` counts findings in requests and answers.
    """

    session: SessionId
    issuer: str
    subject: str
    workflow: str | None
    first: Seq
    last: Seq
    start: Instant
    end: Instant
    calls: int
    held: int
    denied: int
    masked: int
    models: tuple[str, ...]


@dataclass(slots=True)
class _Sum:
    first: Entry
    last: Entry
    calls: int = 0
    held: set[ExchangeId] = field(default_factory=set)
    denied: set[ExchangeId] = field(default_factory=set)
    masked: int = 0
    models: dict[str, None] = field(default_factory=dict)
    request: RequestData | None = None


def sessions(reader: Reader) -> list[SessionSummary]:
    """Sum up each session, in order of their first entries; reads the whole journal once."""
    return summarise(reader.entries(0, reader.size))


def find_session(found: Iterable[SessionSummary], prefix: str) -> SessionSummary:
    """Give the one session whose id begins with `prefix`; raises LookupError where there is none, or several."""
    matching = [one for one in found if one.session.startswith(prefix.lower())]
    if len(matching) == 1:
        return matching[0]
    many = f"{len(matching)} sessions begin with {prefix}; write more of the id"
    msg = many if matching else f"no session begins with {prefix}"
    raise LookupError(msg)


def summarise(entries: Iterable[Entry]) -> list[SessionSummary]:
    """Sum up the sessions that entries belong to."""
    sums: dict[SessionId, _Sum] = {}
    for entry in entries:
        if entry.session is None:
            continue
        total = sums.setdefault(entry.session, _Sum(entry, entry))
        total.last = entry
        _count(total, entry)
    return [_summary(session, total) for session, total in sums.items()]


def _count(total: _Sum, entry: Entry) -> None:
    if entry.exchange is None:
        return
    match entry.data:
        case RequestData() as data:
            total.calls += 1
            total.request = total.request or data
            total.masked += sum(data.findings.values())
            if data.verdict.action == "deny":
                total.denied.add(entry.exchange)
            model = data.gen_ai.get(MODEL)
            if isinstance(model, str):
                total.models[model] = None
        case HoldData():
            total.held.add(entry.exchange)
        case DenyData() | ExpireData():
            total.denied.add(entry.exchange)
        case ResponseData() as data:
            total.masked += sum(data.findings.values())
        case _:
            pass


def _summary(session: SessionId, total: _Sum) -> SessionSummary:
    subject = total.request.subject if total.request is not None else None
    return SessionSummary(
        session=session,
        issuer=subject.iss if subject else "",
        subject=subject.sub if subject else "",
        workflow=subject.workflow if subject else None,
        first=total.first.seq,
        last=total.last.seq,
        start=total.first.time,
        end=total.last.time,
        calls=total.calls,
        held=len(total.held),
        denied=len(total.denied),
        masked=total.masked,
        models=tuple(total.models),
    )
