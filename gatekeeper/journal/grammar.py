"""The grammar of a log (JOURNAL.md, "Grammar"): runs, exchanges, approvals, fed entry by entry.

It says where the order is broken and keeps what a later entry must agree with. Signatures are the
caller's: it asks `Grammar.decision` for what a decision must say.
"""

import enum
from dataclasses import dataclass, field

from gatekeeper.exchange import Digest, ExchangeId, Instant, Seq
from gatekeeper.journal.entries import (
    CloseData,
    DecisionData,
    DenyData,
    HoldData,
    OpenData,
    ReleaseData,
    RequestData,
    RequirementData,
    TruncatedData,
)
from gatekeeper.journal.exchanges import Exchanges, GrammarError, demand
from gatekeeper.journal.leaf import Entry
from gatekeeper.journal.statement import Answer, DecisionRefused, Scope, Statement, parse_statement


class Run(enum.Enum):
    """Where a run stands."""

    NOT_BEGUN = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()


@dataclass(frozen=True, slots=True)
class KnownDecision:
    """A decision whose signature has been checked; `key` is the public key that signed, `time` its entry's."""

    reviewer: str
    answer: Answer
    key: str
    time: Instant


@dataclass(slots=True)
class KnownApproval:
    """What several holds have in common. Whom they ask may differ: the configuration can change in between."""

    digest: Digest
    leaves: set[str] = field(default_factory=set)
    decisions: dict[Seq, KnownDecision] = field(default_factory=dict)
    released: bool = False


class Grammar:
    """Feed it entries in order; it raises GrammarError at the first that breaks the rules."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.run = Run.NOT_BEGUN
        self.signers = ""
        self.exchanges = Exchanges()
        self.approvals: dict[str, KnownApproval] = {}
        self._left_open: list[ExchangeId] = []
        self._begun: set[ExchangeId] = set()

    def feed(self, entry: Entry) -> None:
        """Take the next entry; a `decision` goes through `decision` and `admit` too."""
        self._check_run(entry)
        self.exchanges.feed(
            entry.exchange, entry.session, entry.data, bodied=getattr(entry.data, "body", None) is not None
        )
        match entry.data:
            case OpenData():
                self.run, self.signers = Run.OPEN, entry.data.signers
                self._left_open = list(self.exchanges.open)
            case CloseData():
                demand(not self.exchanges.open, "closes the run while an exchange is open")
                self.run = Run.CLOSED
            case RequestData():
                self._request(entry)
            case HoldData():
                self._hold(entry, entry.data)
            case ReleaseData():
                self._release(entry.exchange, entry.data)
            case DenyData():
                self._deny(entry.exchange, entry.data)
            case _:
                pass

    def decision(self, data: DecisionData) -> Statement:
        """Give what a decision states, once it agrees with its approval; the signature is still to be checked."""
        approval = self.approvals.get(data.approval)
        if approval is None:
            msg = "is about an approval that nothing was held for"
            raise GrammarError(msg)
        try:
            stated = parse_statement(data.statement.encode())
        except DecisionRefused as error:
            msg = "has a statement that is not of the form"
            raise GrammarError(msg) from error
        demand(stated.scope is Scope.ONCE, "has a scope that this verifier does not know")
        demand(stated.approval == data.approval, "states another approval")
        demand(stated.origin == self.origin, "states another origin")
        demand(stated.reviewer == data.reviewer, "states another reviewer")
        demand(stated.digest == approval.digest, "states another digest than the hold")
        demand(stated.request in approval.leaves, "states a request that was not held for this approval")
        return stated

    def admit(self, entry: Entry, stated: Statement, key: str) -> None:
        """Keep a decision whose signature is good. Whether it counts is asked by the entry that names it."""
        decision = KnownDecision(stated.reviewer, stated.verdict, key, entry.time)
        self.approvals[stated.approval].decisions[entry.seq] = decision

    def _check_run(self, entry: Entry) -> None:
        if isinstance(entry.data, OpenData):
            return
        demand(self.run is Run.OPEN, "stands outside a run")
        if self._left_open:
            is_it = isinstance(entry.data, TruncatedData) and entry.exchange == self._left_open.pop(0)
            demand(is_it, "comes before the exchanges that a crash left open are marked truncated, in their order")

    def _request(self, entry: Entry) -> None:
        exchange = self.exchanges.get(entry.exchange)
        exchange.leaf = entry.leaf_hash.hex()
        if entry.exchange is not None:
            demand(entry.exchange not in self._begun, "begins an exchange that was begun before")
            self._begun.add(entry.exchange)

    def _hold(self, entry: Entry, data: HoldData) -> None:
        approval = self.approvals.setdefault(data.approval, KnownApproval(data.digest))
        demand(approval.digest == data.digest, "joins an approval of another request")
        approval.leaves.add(self.exchanges.get(entry.exchange).leaf)

    def _release(self, exchange: ExchangeId | None, data: ReleaseData) -> None:
        hold = self._hold_of(exchange)
        approval = self.approvals[data.approval]
        demand(not approval.released, "releases an approval that was released before")
        approvals = _named(approval, hold, data.decisions, Answer.APPROVE)
        demand(all(_meets(requirement, approvals) for requirement in hold.require), "releases without its quorum")
        approval.released = True

    def _deny(self, exchange: ExchangeId | None, data: DenyData) -> None:
        demand(bool(data.decisions), "denies without a reviewer's decision")
        _named(self.approvals[data.approval], self._hold_of(exchange), data.decisions, Answer.DENY)

    def _hold_of(self, exchange: ExchangeId | None) -> HoldData:
        hold = self.exchanges.get(exchange).hold
        if hold is None:
            msg = "ends a hold that is none"
            raise GrammarError(msg)
        return hold


def _named(approval: KnownApproval, hold: HoldData, seqs: tuple[Seq, ...], answer: Answer) -> list[KnownDecision]:
    """Give the decisions that an end names; raises GrammarError for one that does not count for this hold."""
    named = [approval.decisions.get(seq) for seq in seqs]
    reviewers = {reviewer for requirement in hold.require for reviewer in requirement.reviewers}
    found: list[KnownDecision] = []
    for decision in named:
        if decision is None or decision.answer is not answer:
            msg = "names a decision that is none, or is not about this approval, or says something else"
            raise GrammarError(msg)
        demand(decision.reviewer in reviewers, "names a decision by somebody whom its hold does not name")
        demand(decision.reviewer not in (hold.excluded or ()), "names a decision by an owner of the workload")
        demand(decision.time < hold.expires, "names a decision that came after its hold had expired")
        found.append(decision)
    return found


def _meets(requirement: RequirementData, approvals: list[KnownDecision]) -> bool:
    """Whether enough distinct reviewers with distinct keys approve; one who repeats either counts once."""
    reviewers: set[str] = set()
    keys: set[str] = set()
    for one in approvals:
        if one.reviewer in requirement.reviewers and one.reviewer not in reviewers and one.key not in keys:
            reviewers.add(one.reviewer)
            keys.add(one.key)
    return len(reviewers) >= requirement.quorum
