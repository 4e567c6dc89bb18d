"""The life of an approval: a table of states, and a value that moves through it.

pending -> approved | denied | expired | withdrawn | granted; approved -> used | lapsed. What the table doesn't list
can't happen. Expiry is an instant, not an event somebody has to send: `timed` brings an approval up to date first.
"""

import enum
from collections.abc import Iterable
from typing import Final, NewType, Self, assert_never

import msgspec

from gatekeeper.config import can_seat
from gatekeeper.exchange import Digest, ExchangeId, Instant, Seq
from gatekeeper.journal.entries import RequirementData
from gatekeeper.journal.statement import Answer, Scope

ApprovalId = NewType("ApprovalId", str)
"""`apr-` and 10 characters of base32."""

CLOCK_SKEW: Final = 5 * 60 * 1_000_000
"""µs by which a reviewer's clock may differ from the gateway's."""


class State(enum.Enum):
    """Where an approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    USED = "used"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    GRANTED = "granted"


OPEN: Final = frozenset({State.PENDING, State.APPROVED})
"""Where something may still be released."""


class Event(enum.Enum):
    """What moves an approval: its quorum, one who said no, time, the exchange that it releases, who asked for it."""

    APPROVE = "approve"
    DENY = "deny"
    TIME_OUT = "time-out"
    USE = "use"
    WITHDRAW = "withdraw"
    GRANT = "grant"


TRANSITIONS: Final = {
    (State.PENDING, Event.APPROVE): State.APPROVED,
    (State.PENDING, Event.DENY): State.DENIED,
    (State.PENDING, Event.TIME_OUT): State.EXPIRED,
    (State.PENDING, Event.WITHDRAW): State.WITHDRAWN,
    (State.PENDING, Event.GRANT): State.GRANTED,
    (State.APPROVED, Event.USE): State.USED,
    (State.APPROVED, Event.TIME_OUT): State.LAPSED,
}


class End(enum.Enum):
    """How the hold of one exchange ends."""

    RELEASED = enum.auto()
    DENIED = enum.auto()
    EXPIRED = enum.auto()
    USED_BY_OTHER = enum.auto()
    WAIT_OVER = enum.auto()
    CLIENT_GONE = enum.auto()
    SHUT_DOWN = enum.auto()
    TERMS_CHANGED = enum.auto()
    WITHDRAWN = enum.auto()
    GRANTED = enum.auto()


# What an approval's state means for an exchange that waits for it; None: go on waiting. In APPROVED exactly one
# is chosen and released, which makes it USED for the others.
ENDS: Final = {
    State.PENDING: None,
    State.APPROVED: None,
    State.DENIED: End.DENIED,
    State.EXPIRED: End.EXPIRED,
    State.USED: End.USED_BY_OTHER,
    State.LAPSED: End.EXPIRED,
    State.WITHDRAWN: End.WITHDRAWN,
    State.GRANTED: End.GRANTED,
}


class Windows(msgspec.Struct, frozen=True):
    """For how long (µs) the same call gets the same answer, once its approval was used, or denied."""

    used: int
    denied: int


type Limits = tuple[Instant, int | None, str | None]
"""Of a grant: until when, how often, for which tool."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewer's signed statement, as recorded.

    `key` is the hex of the public key's blob, `signed` the time in the statement, `recorded` and `seq` those of the
    journal's entry, `limits` a grant's.
    """

    reviewer: str
    answer: Answer
    reason: str
    scope: Scope
    limits: Limits | None = None
    statement: str
    signature: str
    key: str
    signed: Instant
    recorded: Instant
    seq: Seq


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, of whom, for whom. Two calls join one approval only if all of it is the same.

    `excluded` are the workload's owners, None where none is known; `break_glass` may release without a quorum; `tool`
    is the one tool that is called, None where it is none or several. `seen` is the SHA-256 hex of what reviewers are
    shown; so a stored view that somebody altered is never the view of the call that would be released.
    """

    digest: Digest
    iss: str
    sub: str
    rule: str
    require: tuple[RequirementData, ...]
    excluded: tuple[str, ...] | None
    break_glass: tuple[str, ...]
    tool: str | None
    seen: str


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """The request for a decision. `request` is the leaf hash (hex) of the first exchange's `request` entry.

    `ended` is when it was denied or used.
    """

    id: ApprovalId
    asked: Asked
    request: str
    created: Instant
    expires: Instant
    state: State = State.PENDING
    decisions: tuple[Decision, ...] = ()
    used_by: ExchangeId | None = None
    ended: Instant | None = None

    def timed(self, now: Instant) -> Self:
        """Bring it up to date: once `expires` has come, what is pending or not used is over."""
        if now >= self.expires and (self.state, Event.TIME_OUT) in TRANSITIONS:
            return self.moved(Event.TIME_OUT)
        return self

    def decided(self, decision: Decision) -> Self:
        """Count a decision that was admitted; raises ValueError unless the approval is pending."""
        if self.state is not State.PENDING:
            msg = f"an approval that is {self.state.value} takes no decisions"
            raise ValueError(msg)
        counted = msgspec.structs.replace(self, decisions=(*self.decisions, decision))
        if decision.answer is Answer.DENY:
            return msgspec.structs.replace(counted.moved(Event.DENY), ended=decision.recorded)
        return counted.moved(Event.APPROVE) if counted.quorum_met() or counted.broken_by() else counted

    def withdrawn(self) -> Self:
        """Take it back; raises ValueError unless it is pending."""
        return self.moved(Event.WITHDRAW)

    def granted(self) -> Self:
        """End it by a grant, which releases what waits for it; raises ValueError unless it is pending."""
        return self.moved(Event.GRANT)

    def broken_by(self) -> Decision | None:
        """Give the decision by which somebody broke the glass."""
        return next((it for it in self.decisions if it.scope is Scope.BREAK_GLASS), None)

    def used(self, exchange: ExchangeId, now: Instant) -> Self:
        """Use it up for one exchange; raises ValueError unless it is approved."""
        return msgspec.structs.replace(self.moved(Event.USE), used_by=exchange, ended=now)

    def bare(self) -> Self:
        """Give it as it was asked, before any decision."""
        return msgspec.structs.replace(self, state=State.PENDING, decisions=(), used_by=None, ended=None)

    def spent(self, exchange: ExchangeId, now: Instant) -> Self:
        """Say that it was used, on the word of a record: what was used once stays used, whatever else is stored."""
        return msgspec.structs.replace(self, state=State.USED, used_by=exchange, ended=self.ended or now)

    def joined_by(self, asked: Asked, timeout: int, windows: Windows, now: Instant) -> bool:
        """Whether a call belongs to this approval. `timeout` (µs) is its rule's.

        The bounds hold even if the stored times were altered: `signed` can't be, without the reviewer's key.
        """
        if self.asked != asked:
            return False
        match self.state:
            case State.PENDING | State.APPROVED:
                in_time = now < self.expires <= now + timeout
                return in_time and all(now <= it.signed + timeout + CLOCK_SKEW for it in self.decisions)
            case State.USED:
                return self.ended is not None and now < self.ended + windows.used
            case State.DENIED:
                return self.ended is not None and now < self.ended + windows.denied
            case State.EXPIRED | State.LAPSED | State.WITHDRAWN | State.GRANTED:
                return False
            case _:
                assert_never(self.state)

    def approvers(self) -> frozenset[str]:
        """Who has approved so far."""
        return frozenset(decision.reviewer for decision in self.decisions if decision.answer is Answer.APPROVE)

    def quorum_met(self) -> bool:
        """Whether each group of reviewers has approved in number; who is of two groups counts for one of them."""
        return self.met_by(self.decisions)

    def met_by(self, decisions: Iterable[Decision]) -> bool:
        """Whether these decisions would meet the quorum."""
        seats = [frozenset(need.reviewers) for need in self.asked.require for _ in range(need.quorum)]
        return can_seat(seats, {it.reviewer for it in decisions if it.answer is Answer.APPROVE})

    def moved(self, event: Event) -> Self:
        """Take one step of the table; raises ValueError for a step that it does not have."""
        state = TRANSITIONS.get((self.state, event))
        if state is None:
            msg = f"an approval that is {self.state.value} can't {event.value}"
            raise ValueError(msg)
        return msgspec.structs.replace(self, state=state)
