"""The state of one exchange, kept beside its flow and never in it.

An exchange moves through the phases of the chain, in order. `TRANSITIONS` is the whole of it: what is
not listed can't happen, and `seal` lets nothing pass that isn't where it should be.
"""

import enum
import secrets
from dataclasses import dataclass
from typing import Final, NewType

import msgspec

from gatekeeper.exchange.clock import Instant
from gatekeeper.exchange.digest import Digest
from gatekeeper.exchange.finding import Finding
from gatekeeper.exchange.refusal import Reason, Refusal
from gatekeeper.exchange.session import SessionId
from gatekeeper.exchange.subject import Subject
from gatekeeper.exchange.summary import AnswerSummary, ExchangeSummary
from gatekeeper.exchange.target import Message, Target
from gatekeeper.exchange.verdict import RuleName, Verdict

ExchangeId = NewType("ExchangeId", str)
"""16 lower-case hex digits."""

Seq = NewType("Seq", int)
"""The number of a journal entry, from 0."""


class Receipt(msgspec.Struct, frozen=True):
    """Proof that an entry is durable: its number, its leaf hash (hex) and its time."""

    seq: Seq
    leaf: str
    time: Instant


class Release(msgspec.Struct, frozen=True):
    """Proof that a held request may go: the digest it is for, and the entry that says so."""

    digest: Digest
    receipt: Receipt


class Phase(enum.IntEnum):
    """Where an exchange stands. The names say what has been established.

    By number, because tables are looked up with it 20 times a call, and other enums are hashed in Python.
    """

    RECEIVED = enum.auto()
    IDENTIFIED = enum.auto()
    TARGETED = enum.auto()
    INSPECTED = enum.auto()
    JUDGED = enum.auto()
    MASKED = enum.auto()
    RECORDED = enum.auto()
    RELEASED = enum.auto()
    SEALED = enum.auto()
    ANSWERING = enum.auto()
    WITHHELD = enum.auto()
    REFUSED = enum.auto()
    DONE = enum.auto()


TRANSITIONS: Final = {
    Phase.RECEIVED: {Phase.IDENTIFIED, Phase.REFUSED},
    Phase.IDENTIFIED: {Phase.TARGETED, Phase.REFUSED},
    Phase.TARGETED: {Phase.INSPECTED, Phase.REFUSED},
    Phase.INSPECTED: {Phase.JUDGED, Phase.REFUSED},
    Phase.JUDGED: {Phase.MASKED, Phase.REFUSED},
    Phase.MASKED: {Phase.RECORDED, Phase.REFUSED},
    Phase.RECORDED: {Phase.RELEASED, Phase.REFUSED},
    Phase.RELEASED: {Phase.SEALED, Phase.REFUSED},
    Phase.SEALED: {Phase.ANSWERING, Phase.REFUSED, Phase.DONE},
    Phase.ANSWERING: {Phase.WITHHELD, Phase.REFUSED, Phase.DONE},
    Phase.WITHHELD: {Phase.ANSWERING, Phase.REFUSED, Phase.DONE},
    Phase.REFUSED: {Phase.DONE},
    Phase.DONE: set(),
}


@dataclass(slots=True, weakref_slot=True)
class Exchange:
    """One request and all that answers it. It never refers to its flow."""

    id: ExchangeId
    received: Instant
    phase: Phase = Phase.RECEIVED
    subject: Subject | None = None
    session: SessionId | None = None
    target: Target | None = None
    request: Message | None = None
    summary: ExchangeSummary | None = None
    findings: tuple[Finding, ...] | None = None
    matched: frozenset[RuleName] = frozenset()
    verdict: Verdict | None = None
    digest: Digest | None = None
    recorded: Message | None = None
    receipt: Receipt | None = None
    release: Release | None = None
    uninspected: str | None = None
    websocket: bool = False
    refusal: Refusal | None = None
    error: Reason | None = None
    answer: AnswerSummary | None = None
    answer_verdict: Verdict | None = None
    answer_findings: tuple[Finding, ...] = ()
    answer_uninspected: str | None = None
    chunks: int = 0
    first_byte: Instant | None = None

    def advance(self, phase: Phase) -> None:
        """Move to the next phase; raises ValueError for a step that the table does not have."""
        if phase not in TRANSITIONS[self.phase]:
            msg = f"an exchange can't go from {self.phase.name} to {phase.name}"
            raise ValueError(msg)
        self.phase = phase

    def refuse(self, refusal: Refusal) -> None:
        """End the way upstream: the gateway answers. The first refusal stays."""
        if self.refusal is None:
            self.refusal = refusal
            self.advance(Phase.REFUSED)

    def end(self) -> None:
        """Mark the end, which has been recorded, wherever the exchange stood."""
        self.phase = Phase.DONE

    @property
    def over(self) -> bool:
        """Whether the gateway has already decided to answer by itself, or is done."""
        return self.phase is Phase.REFUSED or self.phase is Phase.DONE


def established[T](value: T | None) -> T:
    """Give what an earlier link must have established; raises ValueError where it has not, so nothing passes."""
    if value is None:
        msg = "an earlier link of the chain has not done its part"
        raise ValueError(msg)
    return value


def new_exchange_id() -> ExchangeId:
    """Draw an id: 64 random bits, enough to be unique within one journal."""
    return ExchangeId(secrets.token_hex(8))
