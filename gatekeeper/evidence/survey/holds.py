"""Held calls: what was asked of whom, what they said, how long it took, and what was not as it should be."""

import statistics
from collections import Counter
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET

from gatekeeper.evidence.exceptions import Exceptions, Kind
from gatekeeper.evidence.sheets import Sheets
from gatekeeper.exchange import ExchangeId, Instant
from gatekeeper.journal import (
    AbandonData,
    DecisionData,
    DenyData,
    Entry,
    ExpireData,
    HoldData,
    ReleaseData,
    RequestData,
)
from gatekeeper.journal.entries import GrantData, WithdrawData
from gatekeeper.journal.statement import Answer, DecisionRefused, Scope, Statement, parse_statement
from gatekeeper.replay.export.values import iso_time


class HoldFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of holds. `median_wait` is µs from hold to decision, None where none was decided.

    `released_before_decision` counts releases that name no earlier decision: self-reported, 0 in any log that verifies.
    """

    holds: int
    approved: int
    by_grant: int
    denied: int
    expired: int
    abandoned: int
    withdrawn: int
    pending: int
    median_wait: int | None
    owner_decided: int
    owner_unknown: int
    break_glass: int
    released_before_decision: int
    grants: int
    reviewers: dict[str, int]


@dataclass(slots=True)
class _Hold:
    entry: Entry
    data: HoldData
    subject: str


@dataclass(slots=True)
class Holds:
    """Follows holds, decisions, grants and ends; memory is bounded by the number of approvals."""

    sheets: Sheets
    exceptions: Exceptions
    stop: Instant
    _subjects: dict[ExchangeId, str] = field(default_factory=dict)
    _open: dict[ExchangeId, _Hold] = field(default_factory=dict)
    _decisions: dict[str, list[tuple[Entry, DecisionData, Statement | None]]] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _reviewers: Counter[str] = field(default_factory=Counter)
    _waits: list[int] = field(default_factory=list)

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        match entry.data:
            case RequestData() as data if entry.exchange is not None and data.verdict.action == "hold":
                self._subjects[entry.exchange] = data.subject.sub
            case HoldData() as data if entry.exchange is not None and entry.time < self.stop:
                self._hold(entry, data, entry.exchange)
            case DecisionData() as data:
                self._reviewers[data.reviewer] += 1
                self._decisions.setdefault(data.approval, []).append((entry, data, _read(data)))
            case ReleaseData() | DenyData() | ExpireData() | AbandonData() if entry.exchange is not None:
                self._end(entry, entry.exchange)
            case WithdrawData():
                self._counts["withdrawn"] += 1
            case GrantData():
                self._counts["grants"] += 1
            case _:
                pass

    def finish(self) -> HoldFigures:
        """Write what still waits, and sum up."""
        for hold in self._open.values():
            self._write(hold, None, "pending")
        pending = len(self._open)
        self._open.clear()
        counts = self._counts
        return HoldFigures(
            holds=counts["holds"], approved=counts["approved"], by_grant=counts["by-grant"], denied=counts["denied"],
            expired=counts["expired"], abandoned=counts["abandoned"], withdrawn=counts["withdrawn"], pending=pending,
            median_wait=int(statistics.median(self._waits)) if self._waits else None,
            owner_decided=counts["owner-decided"], owner_unknown=counts["owner-unknown"],
            break_glass=counts["break-glass"], released_before_decision=counts["before-decision"],
            grants=counts["grants"], reviewers=dict(sorted(self._reviewers.items())),
        )  # fmt: skip

    def _hold(self, entry: Entry, data: HoldData, exchange: ExchangeId) -> None:
        hold = _Hold(entry, data, self._subjects.get(exchange, ""))
        self._open[exchange] = hold
        self._counts["holds"] += 1
        if data.excluded is None:
            self._counts["owner-unknown"] += 1
            what = f"approval {data.approval}: no owner of the workload is named, so none was kept from deciding"
            self.exceptions.add(Kind.OWNER_UNKNOWN, entry, what, hold.subject)

    def _end(self, entry: Entry, exchange: ExchangeId) -> None:
        hold = self._open.pop(exchange, None)
        self._subjects.pop(exchange, None)
        match entry.data:
            case ReleaseData(grant=grant) if grant is not UNSET:
                self._counts["by-grant"] += 1
            case ReleaseData():
                self._released(entry, hold)
            case DenyData():
                self._counts["denied"] += 1
            case ExpireData():
                self._counts["expired"] += 1
            case _:
                self._counts["abandoned"] += 1
        if hold is not None:
            self._write(hold, entry, entry.kind)

    def _released(self, entry: Entry, hold: _Hold | None) -> None:
        self._counts["approved"] += 1
        if hold is None:
            return
        decided = [one for one in self._decisions.get(hold.data.approval, ()) if one[0].seq < entry.seq]
        if not decided:
            self._counts["before-decision"] += 1
            return
        self._waits.append(decided[-1][0].time - hold.entry.time)
        if any(one[2] is not None and one[2].scope is Scope.BREAK_GLASS for one in decided):
            self._counts["break-glass"] += 1
            what = f"approval {hold.data.approval}: released under break-glass by {decided[-1][1].reviewer}"
            self.exceptions.add(Kind.BREAK_GLASS, entry, what, hold.subject)
        owners = [one[1].reviewer for one in decided if one[1].reviewer in (hold.data.excluded or ())]
        if owners:
            self._counts["owner-decided"] += 1
            what = f"approval {hold.data.approval}: {owners[0]} owns the workload and decided"
            self.exceptions.add(Kind.OWNER_DECIDED, entry, what, hold.subject)

    def _write(self, hold: _Hold, end: Entry | None, outcome: str) -> None:
        data = hold.data
        decided = self._decisions.get(data.approval, [])
        released = end.data if end is not None and isinstance(end.data, ReleaseData) else None
        grant = str(released.grant) if released is not None and released.grant is not UNSET else ""
        glass = any(one[2] is not None and one[2].scope is Scope.BREAK_GLASS for one in decided)
        said = [f"{one[1].reviewer}: {_said(one[2])}" for one in decided]
        self.sheets.write("approvals", (
            data.approval, str(hold.entry.seq), iso_time(hold.entry.time), hold.subject, data.rule, data.of,
            "; ".join(f"{one.quorum} of {' '.join(one.reviewers)}" for one in data.require),
            "unknown" if data.excluded is None else " ".join(data.excluded), outcome,
            str(end.seq) if end is not None else "", str(end.time - hold.entry.time) if end is not None else "",
            " ".join(one[1].reviewer for one in decided), " ".join(str(one[0].seq) for one in decided),
            "yes" if glass else "no", grant, "; ".join(said),
        ))  # fmt: skip


def _read(data: DecisionData) -> Statement | None:
    try:
        return parse_statement(data.statement.encode())
    except DecisionRefused:
        return None  # `journal verify` names it; here it counts as a decision that says nothing


def _said(statement: Statement | None) -> str:
    if statement is None:
        return "unreadable"
    verdict = "approve" if statement.verdict is Answer.APPROVE else "deny"
    return f"{verdict} ({statement.reason})" if statement.reason else verdict
