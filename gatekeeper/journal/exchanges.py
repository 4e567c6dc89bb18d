"""The exchanges that are open, and what may come next of each: a table of states (JOURNAL.md, "Grammar").

The writer feeds it drafts, so that it never records what verification would refuse; recovery and
verification feed it entries.
"""

import enum
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from gatekeeper.exchange import Digest, ExchangeId, Reason, SessionId
from gatekeeper.journal.draft import Draft
from gatekeeper.journal.entries import (
    AbandonData,
    ChunkData,
    Data,
    DenyData,
    ErrorData,
    ExpireData,
    HoldData,
    ReleaseData,
    RequestData,
    ResponseData,
    TruncatedData,
)


class GrammarError(ValueError):
    """An entry stands where it must not, or does not agree with an earlier one."""


class State(enum.Enum):
    """Where an exchange stands, by what may come next."""

    ALLOWED = enum.auto()
    DENIED = enum.auto()
    TO_BE_HELD = enum.auto()
    HELD = enum.auto()
    RELEASED = enum.auto()
    ANSWER_OURS = enum.auto()
    STREAMING = enum.auto()


class Step(enum.Enum):
    """What an entry means to its exchange."""

    HOLD = enum.auto()
    RELEASE = enum.auto()
    REFUSE = enum.auto()
    CHUNK = enum.auto()
    ANSWER = enum.auto()
    OWN_ANSWER = enum.auto()
    BREAK = enum.auto()


ENDED: Final = None

BEGINS: Final = {"allow": State.ALLOWED, "deny": State.DENIED, "hold": State.TO_BE_HELD}
"""Where an exchange begins, by the action of its verdict."""

STEPS: Final[dict[tuple[State, Step], State | None]] = {
    (State.ALLOWED, Step.CHUNK): State.STREAMING,
    (State.ALLOWED, Step.ANSWER): ENDED,
    (State.ALLOWED, Step.OWN_ANSWER): ENDED,
    (State.DENIED, Step.OWN_ANSWER): ENDED,
    (State.TO_BE_HELD, Step.HOLD): State.HELD,
    (State.TO_BE_HELD, Step.OWN_ANSWER): ENDED,
    (State.HELD, Step.RELEASE): State.RELEASED,
    (State.HELD, Step.REFUSE): State.ANSWER_OURS,
    (State.RELEASED, Step.CHUNK): State.STREAMING,
    (State.RELEASED, Step.ANSWER): ENDED,
    (State.RELEASED, Step.OWN_ANSWER): ENDED,
    (State.ANSWER_OURS, Step.OWN_ANSWER): ENDED,
    (State.STREAMING, Step.CHUNK): State.STREAMING,
    (State.STREAMING, Step.ANSWER): ENDED,
    **{(state, Step.BREAK): ENDED for state in State},
}


ANSWERS: Final = {"upstream": Step.ANSWER, "gateway": Step.OWN_ANSWER}
"""What a `response` means, by whom it is."""

KINDS: Final = {
    HoldData.kind: Step.HOLD,
    ReleaseData.kind: Step.RELEASE,
    DenyData.kind: Step.REFUSE,
    ExpireData.kind: Step.REFUSE,
    AbandonData.kind: Step.REFUSE,
    ChunkData.kind: Step.CHUNK,
    ErrorData.kind: Step.BREAK,
    TruncatedData.kind: Step.BREAK,
}
"""What the other entries of an exchange mean; what is in neither table belongs to no exchange."""


@dataclass(slots=True)
class OpenExchange:
    """An exchange that nothing has ended yet. `leaf` is the hash of its `request`, where the reader knows it."""

    session: SessionId
    state: State
    digest: Digest | None
    hold: HoldData | None = None
    chunks: int = 0
    leaf: str = ""


class Exchanges:
    """The open exchanges, in the order of their requests."""

    def __init__(self) -> None:
        self.open: dict[ExchangeId, OpenExchange] = {}

    def feed(self, exchange: ExchangeId | None, session: SessionId | None, data: Data, *, bodied: bool) -> None:
        """Take the next entry; raises GrammarError, and is then as before. `bodied`: a body comes with the entry."""
        if isinstance(data, RequestData):
            self._begin(exchange, session, data)
        elif (step := _step_of(data)) is not None:
            self._go_on(exchange, session, data, step, bodied=bodied)
        else:
            demand(exchange is None and session is None, "carries an exchange or a session")

    def get(self, exchange: ExchangeId | None) -> OpenExchange:
        """Give an open exchange; raises GrammarError."""
        if exchange is None or exchange not in self.open:
            msg = "belongs to no open exchange"
            raise GrammarError(msg)
        return self.open[exchange]

    def truncations(self) -> list[Draft]:
        """Give what ends the exchanges that are still open where the gateway stopped, in order of their requests."""
        return [truncated(id_, exchange.session, exchange.chunks) for id_, exchange in self.open.items()]

    def _begin(self, exchange: ExchangeId | None, session: SessionId | None, data: RequestData) -> None:
        if exchange is None or session is None:
            msg = "lacks exchange or session"
            raise GrammarError(msg)
        demand(exchange not in self.open, "begins an exchange that is open already")
        demand(data.verdict.action in BEGINS, "has an action that is none")
        digest = None if data.digest is UNSET else data.digest
        demand((digest is not None) == (data.verdict.action == "hold"), "has a digest without a hold, or the reverse")
        self.open[exchange] = OpenExchange(session, BEGINS[data.verdict.action], digest)

    def _go_on(
        self, exchange: ExchangeId | None, session: SessionId | None, data: Data, step: Step, *, bodied: bool
    ) -> None:
        found = self.get(exchange)
        demand(found.session == session, "is of another session than its exchange")
        if (found.state, step) not in STEPS:
            msg = f"can't follow where its exchange is {found.state.name.lower().replace('_', ' ')}"
            raise GrammarError(msg)
        _check_terms(found, data, bodied=bodied)
        after = STEPS[found.state, step]
        if after is not None:
            found.state = after
        elif exchange is not None:
            del self.open[exchange]


def truncated(exchange: ExchangeId, session: SessionId, chunks: int) -> Draft:
    """Give the draft that ends an exchange which was open when the gateway stopped."""
    reason = Reason.GATEWAY_STOPPED.value
    return Draft(
        data=TruncatedData(reason=reason, upstream=None, side="gateway", chunks=chunks),
        exchange=exchange,
        session=session,
    )


def _step_of(data: Data) -> Step | None:
    if isinstance(data, ResponseData):
        demand(data.by in ANSWERS, "is by nobody")
        return ANSWERS[data.by]
    return KINDS.get(data.kind)


def _check_terms(exchange: OpenExchange, data: Data, *, bodied: bool) -> None:
    """Compare an entry with the earlier ones of its exchange, and keep what later ones must agree with."""
    match data:
        case HoldData():
            demand(data.of == "request", "holds what this version does not know")
            demand(bool(data.require) and all(it.quorum > 0 for it in data.require), "asks nobody")
            demand(data.digest == exchange.digest, "has another digest than its request")
            exchange.hold = data
        case ReleaseData() | DenyData() | ExpireData() | AbandonData():
            approval = exchange.hold.approval if exchange.hold is not None else None
            demand(data.approval == approval, "ends another approval than the one that its exchange waits for")
            demand(data.digest == exchange.digest, "has another digest than its request")
        case ChunkData():
            demand(data.n == exchange.chunks, "is a chunk out of order")
            exchange.chunks += 1
        case ResponseData():
            stated = 0 if data.chunks is UNSET else data.chunks
            demand(stated == exchange.chunks, "counts other chunks than there are")
            demand(not (stated and bodied), "has a body after chunks")
        case _:
            pass


def demand(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise GrammarError with what is wrong, unless it holds."""
    if not holds:
        raise GrammarError(otherwise)
