"""Sessions of a journal, each summed up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gatekeeper.exchange import ExchangeId, Instant, Seq, SessionId
from gatekeeper.journal import Entry, Reader
from gatekeeper.journal.entries import DenyData, ExpireData, HoldData, RequestData, ResponseData
from gatekeeper.journal.gen_ai import MODEL, tokens_used
from gatekeeper.journal.index import Index
from gatekeeper.journal.search import SessionRow, models_of, session_row, session_rows, sessions_named

_NONE: Final = "no session begins with {}"


class SessionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One session. Times are µs since 1970 UTC; `first` and `last` its entries.

    `calls`, `held`, `denied` count exchanges (denied: by a rule, for want of one, or by reviewers);
    `masked` counts findings in requests and answers, `tokens` those that answers say were used, both ways.
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
    tokens: int
    models: tuple[str, ...]


@dataclass(slots=True)
class _Sum:
    first: Entry
    last: Entry
    calls: int = 0
    held: set[ExchangeId] = field(default_factory=set)
    denied: set[ExchangeId] = field(default_factory=set)
    masked: int = 0
    tokens: int = 0
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
    msg = many if matching else _NONE.format(prefix)
    raise LookupError(msg)


def sessions_from_index(index: Index, limit: int, before: Seq | None = None) -> list[SessionSummary]:
    """Sum up the newest sessions by the index's word, in order of their last entries; `before` leads to older ones."""
    return [from_row(index, row) for row in reversed(session_rows(index, limit, before))]


def named_in_index(index: Index, prefix: str) -> SessionSummary:
    """Give the one session whose id begins with `prefix`, by the index's word; raises LookupError as `find_session`."""
    found = sessions_named(index, prefix.lower())
    if len(found) != 1:
        msg = f"several sessions begin with {prefix}; write more of the id" if found else _NONE.format(prefix)
        raise LookupError(msg)
    return from_row(index, session_row(index, found[0]))


def from_row(index: Index, row: SessionRow) -> SessionSummary:
    """Make a summary of a row of the index."""
    return SessionSummary(
        session=row.session,
        issuer=row.issuer or "",
        subject=row.subject or "",
        workflow=row.workflow,
        first=row.first,
        last=row.last,
        start=row.began,
        end=row.ended,
        calls=row.calls,
        held=row.held,
        denied=row.denied,
        masked=row.found,
        tokens=row.tokens,
        models=models_of(index, row.session),
    )


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
            total.tokens += tokens_used(data.gen_ai)
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
        tokens=total.tokens,
        models=tuple(total.models),
    )
