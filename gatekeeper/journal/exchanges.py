"""The exchanges that are open, and what may come next of each: a table of states (JOURNAL.md, "Grammar").

The writer feeds it drafts, so that it never records what verification would refuse; recovery and
verification feed it entries.
"""

import enum
from typing import Final

import msgspec
from msgspec import UNSET

from gatekeeper.exchange import Digest, ExchangeId, Instant, Reason, SessionId
from gatekeeper.journal.draft import Draft
from gatekeeper.journal.entries import (
    AbandonData,
    ChunkData,
    Data,
    DenyData,
    ErrorData,
    ExpireData,
    HoldData,
    MessageData,
    ReleaseData,
    RequestData,
    ResponseData,
    TruncatedData,
)


class GrammarError(ValueError):
    """An entry stands where it must not, or does not agree with an earlier one."""


class State(enum.StrEnum):
    """Where an exchange stands, by what may come next. The values stand in `carried`.

    Members of plain enums hash in Python: the table below is asked for each entry.
    """

    ALLOWED = "allowed"
    DENIED = "denied"
    TO_BE_HELD = "to-be-held"
    HELD = "held"
    RELEASED = "released"
    STREAMING = "streaming"
    ANSWER_HELD = "answer-held"
    ANSWER_RELEASED = "answer-released"
    ANSWER_OURS = "answer-ours"
    TALKING = "talking"


class Step(enum.IntEnum):
    """What an entry means to its exchange."""

    HOLD = enum.auto()
    HOLD_ANSWER = enum.auto()
    RELEASE = enum.auto()
    RELEASE_BY_GRANT = enum.auto()
    REFUSE = enum.auto()
    CHUNK = enum.auto()
    ANSWER = enum.auto()
    OWN_ANSWER = enum.auto()
    UPGRADE = enum.auto()
    MESSAGE = enum.auto()
    CLOSE_MESSAGE = enum.auto()
    BREAK = enum.auto()


ENDED: Final = None

BEGINS: Final = {"allow": State.ALLOWED, "deny": State.DENIED, "hold": State.TO_BE_HELD}
"""Where an exchange begins, by the action of its verdict."""

PASSED: Final = (State.ALLOWED, State.RELEASED)
"""The request has gone upstream, and nothing has come back yet."""

STEPS: Final[dict[tuple[State, Step], State | None]] = {
    (State.DENIED, Step.OWN_ANSWER): ENDED,
    (State.TO_BE_HELD, Step.HOLD): State.HELD,
    (State.TO_BE_HELD, Step.RELEASE_BY_GRANT): State.RELEASED,
    (State.TO_BE_HELD, Step.OWN_ANSWER): ENDED,
    (State.HELD, Step.RELEASE): State.RELEASED,
    (State.HELD, Step.RELEASE_BY_GRANT): State.RELEASED,
    (State.HELD, Step.REFUSE): State.ANSWER_OURS,
    **{(state, Step.CHUNK): State.STREAMING for state in (*PASSED, State.STREAMING)},
    **{(state, Step.HOLD_ANSWER): State.ANSWER_HELD for state in (*PASSED, State.STREAMING)},
    (State.ANSWER_HELD, Step.RELEASE): State.ANSWER_RELEASED,
    (State.ANSWER_HELD, Step.RELEASE_BY_GRANT): State.ANSWER_RELEASED,
    (State.ANSWER_HELD, Step.REFUSE): State.ANSWER_OURS,
    **{(state, Step.ANSWER): ENDED for state in (*PASSED, State.STREAMING, State.ANSWER_RELEASED)},
    **{(state, Step.OWN_ANSWER): ENDED for state in (*PASSED, State.ANSWER_RELEASED, State.ANSWER_OURS)},
    **{(state, Step.UPGRADE): State.TALKING for state in (*PASSED, State.ANSWER_RELEASED)},
    (State.TALKING, Step.MESSAGE): State.TALKING,
    (State.TALKING, Step.CLOSE_MESSAGE): ENDED,
    **{(state, Step.BREAK): ENDED for state in State},
}

ANSWERS: Final = {"upstream": Step.ANSWER, "gateway": Step.OWN_ANSWER}
"""What a `response` means, by whom it is."""

HOLDS: Final = {"request": Step.HOLD, "response": Step.HOLD_ANSWER}
"""What a `hold` means, by what it is of."""

MESSAGES: Final = {"text": Step.MESSAGE, "binary": Step.MESSAGE, "close": Step.CLOSE_MESSAGE}
"""What a `message` means, by its kind."""

SWITCHING_PROTOCOLS: Final = 101
"""RFC 9110 §15.2.2."""

KINDS: Final = {
    DenyData.kind: Step.REFUSE,
    ExpireData.kind: Step.REFUSE,
    AbandonData.kind: Step.REFUSE,
    ChunkData.kind: Step.CHUNK,
    ErrorData.kind: Step.BREAK,
    TruncatedData.kind: Step.BREAK,
}
"""What the other entries of an exchange mean; what is in neither table belongs to no exchange."""


class OpenExchange(msgspec.Struct):
    """An exchange that nothing has ended yet.

    `leaf` and `time` are those of its `request`, where the reader knows them; `subject` is [iss, sub].
    """

    session: SessionId
    state: State
    digest: Digest | None
    subject: tuple[str, str]
    rule: str | None
    hold: HoldData | None = None
    chunks: int = 0
    leaf: str = ""
    time: Instant = Instant(0)


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
        self.open[exchange] = OpenExchange(
            session=session,
            state=BEGINS[data.verdict.action],
            digest=digest,
            subject=(data.subject.iss, data.subject.sub),
            rule=data.verdict.rule,
        )

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
    match data:
        case ResponseData():
            demand(data.by in ANSWERS, "is by nobody")
            upgraded = data.status == SWITCHING_PROTOCOLS and data.by == "upstream"
            return Step.UPGRADE if upgraded else ANSWERS[data.by]
        case HoldData():
            demand(data.of in HOLDS, "holds what this version does not know")
            return HOLDS[data.of]
        case ReleaseData():
            return Step.RELEASE if data.grant is UNSET else Step.RELEASE_BY_GRANT
        case MessageData():
            demand(data.form in MESSAGES and data.direction in ("up", "down"), "is of no direction or no kind")
            return MESSAGES[data.form]
        case _:
            return KINDS.get(data.kind)


def _check_terms(exchange: OpenExchange, data: Data, *, bodied: bool) -> None:
    """Compare an entry with the earlier ones of its exchange, and keep what later ones must agree with."""
    match data:
        case HoldData():
            of_request = data.of == "request"
            demand(bool(data.require) and all(it.quorum > 0 for it in data.require), "asks nobody")
            demand(not of_request or data.digest == exchange.digest, "has another digest than its request")
            demand(not of_request or data.rule == exchange.rule, "names another rule than its request's verdict")
            exchange.hold = data
            exchange.digest = data.digest
        case ReleaseData():
            _check_release(exchange, data)
        case DenyData() | ExpireData() | AbandonData():
            approval = exchange.hold.approval if exchange.hold is not None else None
            demand(data.approval == approval, "ends another approval than the one that its exchange waits for")
            demand(data.digest == exchange.digest, "has another digest than what is held")
        case ChunkData():
            demand(data.n == exchange.chunks, "is a chunk out of order")
            exchange.chunks += 1
        case ResponseData():
            stated = 0 if data.chunks is UNSET else data.chunks
            demand(stated == exchange.chunks, "counts other chunks than there are")
            demand(not (stated and bodied), "has a body after chunks")
        case _:
            pass


def _check_release(exchange: OpenExchange, data: ReleaseData) -> None:
    demand(data.digest == exchange.digest, "has another digest than what is held")
    if data.grant is not UNSET:
        demand(data.approval is UNSET and data.decisions is UNSET, "is by decisions and by a grant")
        return
    demand(data.decisions is not UNSET, "names neither decisions nor a grant")
    approval = exchange.hold.approval if exchange.hold is not None else None
    demand(data.approval == approval, "ends another approval than the one that its exchange waits for")


def demand(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise GrammarError with what is wrong, unless it holds."""
    if not holds:
        raise GrammarError(otherwise)
