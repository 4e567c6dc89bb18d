"""The steps of a session, or of a range of entries, in the recorded order.

A `request` entry becomes two steps, the request and the verdict on it. Decisions carry no session and are
matched by approval. A chunk stands at the time of its first bytes, as its timeline has it.
"""

import enum
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import UNSET

from gatekeeper.exchange import ExchangeId, Instant
from gatekeeper.journal import Entry, Reader, Recorded
from gatekeeper.journal.entries import (
    AbandonData,
    AdminData,
    ChunkData,
    CloseData,
    ConfigData,
    Data,
    DecisionData,
    DenyData,
    EraseData,
    ErrorData,
    ExpireData,
    GrantData,
    HoldData,
    MessageData,
    OpenData,
    ReadData,
    RefusedData,
    ReleaseData,
    RequestData,
    ResponseData,
    RevokeData,
    SealData,
    TruncatedData,
    WithdrawData,
)
from gatekeeper.replay.sessions import SessionSummary


class StepKind(enum.Enum):
    """What a step shows."""

    OPEN = "open"
    REFUSED = "refused"
    REQUEST = "request"
    VERDICT = "verdict"
    HOLD = "hold"
    DECISION = "decision"
    RELEASE = "release"
    DENY = "deny"
    EXPIRE = "expire"
    ABANDON = "abandon"
    CHUNK = "chunk"
    RESPONSE = "response"
    ERROR = "error"
    TRUNCATED = "truncated"
    CLOSE = "close"
    CONFIG = "config"
    ADMIN = "admin"
    WITHDRAW = "withdraw"
    GRANT = "grant"
    REVOKE = "revoke"
    MESSAGE = "message"
    ERASE = "erase"
    READ = "read"
    SEAL = "seal"


KINDS: Final[dict[type[Data], StepKind]] = {
    OpenData: StepKind.OPEN,
    RefusedData: StepKind.REFUSED,
    RequestData: StepKind.REQUEST,
    HoldData: StepKind.HOLD,
    DecisionData: StepKind.DECISION,
    ReleaseData: StepKind.RELEASE,
    DenyData: StepKind.DENY,
    ExpireData: StepKind.EXPIRE,
    AbandonData: StepKind.ABANDON,
    ChunkData: StepKind.CHUNK,
    ResponseData: StepKind.RESPONSE,
    ErrorData: StepKind.ERROR,
    TruncatedData: StepKind.TRUNCATED,
    CloseData: StepKind.CLOSE,
    ConfigData: StepKind.CONFIG,
    AdminData: StepKind.ADMIN,
    WithdrawData: StepKind.WITHDRAW,
    GrantData: StepKind.GRANT,
    RevokeData: StepKind.REVOKE,
    MessageData: StepKind.MESSAGE,
    EraseData: StepKind.ERASE,
    ReadData: StepKind.READ,
    SealData: StepKind.SEAL,
}
LAST: Final = frozenset({StepKind.RESPONSE, StepKind.ERROR, StepKind.TRUNCATED})


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    `at` is µs since the first step. `call` numbers exchanges from 1 in order of their requests, 0 for what
    belongs to none; `beside` are the other calls that were under way. `content` is the body where there
    is one and its key is at hand; `damaged` says that it is there and can't be read.
    """

    kind: StepKind
    at: int
    call: int
    beside: tuple[int, ...]
    entry: Entry
    content: Recorded | None = None
    damaged: bool = False


def entries_of_session(reader: Reader, summary: SessionSummary) -> Iterator[Entry]:
    """Give a session's entries in order, with the decisions on what it held, also those that came after its end."""
    approvals: set[str] = set()
    waiting: dict[str, Instant] = {}
    for entry in reader.entries(summary.first, reader.size):
        if entry.seq > summary.last and all(expires < entry.time for expires in waiting.values()):
            return
        match entry.data:
            case DecisionData(approval=approval):
                if approval in approvals:
                    yield entry
            case HoldData(approval=approval, expires=expires) if entry.session == summary.session:
                approvals.add(approval)
                waiting[approval] = Instant(expires)
                yield entry
            case _ if entry.session == summary.session:
                if isinstance(entry.data, ReleaseData | DenyData | ExpireData) and entry.data.approval is not UNSET:
                    waiting.pop(entry.data.approval, None)
                yield entry


class _Calls:
    """Which exchanges there were so far, and which of them are under way."""

    def __init__(self) -> None:
        self._numbers: dict[ExchangeId, int] = {}
        self._begun: dict[ExchangeId, Instant] = {}

    def enter(self, entry: Entry) -> int:
        """Give an entry's call; a request begins one."""
        if entry.exchange is None:
            return 0
        if entry.exchange not in self._numbers:
            self._numbers[entry.exchange] = len(self._numbers) + 1
            self._begun[entry.exchange] = entry.time
        return self._numbers[entry.exchange]

    def begun(self, entry: Entry) -> Instant:
        """Say when an entry's exchange began."""
        return self._begun.get(entry.exchange, entry.time) if entry.exchange is not None else entry.time

    def beside(self, entry: Entry) -> tuple[int, ...]:
        """Give the numbers of the other calls under way."""
        return tuple(self._numbers[other] for other in self._begun if other != entry.exchange)

    def leave(self, entry: Entry) -> None:
        """End an entry's call."""
        if entry.exchange is not None:
            self._begun.pop(entry.exchange, None)


def steps(reader: Reader, entries: Iterable[Entry]) -> Iterator[Step]:
    """Give the steps of entries, in their order."""
    calls = _Calls()
    start: Instant | None = None
    for entry in entries:
        start = entry.time if start is None else start
        kind, call = KINDS[type(entry.data)], calls.enter(entry)
        content, damaged = _content(reader, entry)
        step = Step(
            kind=kind,
            at=_time(entry, calls.begun(entry), content) - start,
            call=call,
            beside=calls.beside(entry) if call else (),
            entry=entry,
            content=content,
            damaged=damaged,
        )
        yield step
        if kind is StepKind.REQUEST:
            yield msgspec.structs.replace(step, kind=StepKind.VERDICT, content=None, damaged=False)
        if kind in LAST:
            calls.leave(entry)


def _content(reader: Reader, entry: Entry) -> tuple[Recorded | None, bool]:
    try:
        return reader.content(entry), False
    except ValueError:
        # Replay shows what can be read; that something can't is part of what it shows.
        return None, True


def _time(entry: Entry, begun: Instant, content: Recorded | None) -> int:
    if isinstance(entry.data, ChunkData) and content is not None and content.timeline:
        return begun + content.timeline[0][0]
    return entry.time
