"""What the journal takes in: drafts, checked, in the order of their calls, in a bounded queue to the writer."""

import asyncio
import contextlib
import re
import threading
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

import msgspec

from gatekeeper.exchange import Receipt, canonical_json
from gatekeeper.journal.draft import Draft, Encoded, JournalDown, encode_draft
from gatekeeper.journal.entries import ChunkData, CloseData, ConfigData, Data, MessageData, OpenData
from gatekeeper.journal.exchanges import Exchanges
from gatekeeper.journal.files import PLAIN_LIMIT
from gatekeeper.journal.leaf import KINDS, LEAF_LIMIT

ENVELOPE: Final = 1024
"""Bytes of a leaf beside its data, ids and media type: keys, numbers, a body's hashes. At most; about 500."""

MOST_PENDING: Final = 20_000
"""Drafts in the queue; what comes on top is refused, so that memory stays bounded."""

MOST_BYTES: Final = PLAIN_LIMIT
"""Bytes of bodies in the queue; one body of any size that is allowed always fits into an empty one."""

ID: Final = re.compile(r"[0-9a-zA-Z._-]{1,128}")
"""What the ids of exchanges and sessions are made of."""

_WITH_DICTS: Final = {
    kind: tuple(name for name in kind.__struct_fields__ if name in {"gen_ai", "findings", "detail"})
    for kind in KINDS.values()
}
"""By type, the fields whose keys come from outside."""


class Answer[T](Protocol):
    """Who waits for something: a future, or its number in a message to another process."""

    def done(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def set_result(self, result: T, /) -> None:
        """Say what has become of it."""
        ...

    def set_exception(self, exception: Exception, /) -> None:
        """Say why nothing has."""
        ...


def give[T](answer: Answer[T] | None, result: T) -> None:
    """Say what has become of it, where anybody waits for that still."""
    if answer is not None and not answer.done():
        answer.set_result(result)


def refuse(answer: Answer[Any] | None, error: Exception) -> None:
    """Say why nothing has become of it, where anybody waits for that still."""
    if answer is not None and not answer.done():
        answer.set_exception(error)


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A draft in the queue, and who waits for it."""

    draft: Encoded
    future: Answer[Receipt] | None


class Checked(msgspec.Struct, frozen=True):
    """A draft that can be written, and the bytes of its body."""

    draft: Encoded
    size: int


def check_draft(draft: Draft) -> Checked:
    """Encode a draft's data; raises ValueError for a draft that has no form in the journal.

    What passes here must be writable: a fault in the writer ends the journal for everybody.
    """
    encoded = encode_draft(draft)
    media = canonical_json(draft.content.media) if draft.content is not None else b""
    if len(encoded.raw) + len(media) + ENVELOPE >= LEAF_LIMIT:
        msg = "an entry of 64 KiB or more does not fit into the journal"
        raise ValueError(msg)
    for id_ in (draft.exchange, draft.session):
        if id_ is not None and ID.fullmatch(id_) is None:
            msg = "the id of an exchange or a session is of other characters than ids have"
            raise ValueError(msg)
    _check_scalars(draft.data)
    if getattr(draft.data, "body", None) is not None:
        msg = "the body of an entry is stated by the writer; give its content"
        raise ValueError(msg)
    return Checked(encoded, _check_content(draft))


def _check_scalars(data: Data) -> None:
    """Look at what comes from outside unchecked by its type: a model's figures, names of findings.

    `leaf.is_plain` would look at everything, and costs ten times as much.
    """
    for name in _WITH_DICTS[type(data)]:
        for key, scalar in getattr(data, name).items():
            if not key.isascii() or isinstance(scalar, float) or (isinstance(scalar, int) and abs(scalar) >= 1 << 53):
                msg = "an entry holds a float, a number beyond 2^53 or a key beyond ASCII"
                raise ValueError(msg)


def _check_content(draft: Draft) -> int:
    if draft.content is None:
        return 0
    if not hasattr(draft.data, "body"):
        msg = f"a {draft.data.kind} entry has no body"
        raise ValueError(msg)
    if draft.session is None and not isinstance(draft.data, OpenData | ConfigData):
        msg = "a body belongs to a session, under whose key it can be erased"
        raise ValueError(msg)
    if draft.content.timeline is not None and not isinstance(draft.data, ChunkData | MessageData):
        msg = f"a {draft.data.kind} entry has no timeline"
        raise ValueError(msg)
    if len(draft.content.data) > PLAIN_LIMIT:
        msg = f"a body of more than {PLAIN_LIMIT} bytes does not fit into the journal"
        raise ValueError(msg)
    return len(draft.content.data)


class Intake:
    """The queue between the event loop and the writer.

    The writer is woken at the end of the turn that has brought the first draft: what else the turn brings goes along.
    What comes while a group is committed is the next one, so that groups grow under load and nobody waits for company.
    """

    def __init__(self) -> None:
        self.failed: str | None = None
        self.closed = False
        self._lock = threading.Lock()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._queue: list[Waiting] = []
        self._asked: list[Answer[str]] = []
        self._bytes = 0
        self._exchanges = Exchanges()
        self._due = False  # of the event loop alone: whether the end of this turn is waited for

    @property
    def drained(self) -> bool:
        """Whether it is closed and everything was taken."""
        with self._lock:
            return self.closed and not self._queue

    def put(self, draft: Draft, future: asyncio.Future[Receipt]) -> None:
        """Queue a draft; on the loop of its future.

        Raises JournalDown where the journal is down, closed or behind; ValueError for a bad draft. One that can't
        follow what its exchange has so far is a bad one: it would spoil the log for verification.
        """
        checked = check_draft(draft)
        with self._lock:
            if self.failed is not None or self.closed:
                raise JournalDown(self.failed or "the journal is closed")
            if len(self._queue) >= MOST_PENDING or (self._queue and self._bytes + checked.size > MOST_BYTES):
                msg = "the journal can't keep up: its disk is too slow for so many calls"
                raise JournalDown(msg)
            self._exchanges.feed(draft.exchange, draft.session, draft.data, bodied=checked.draft.bodied)
            self._queue.append(Waiting(checked.draft, future))
            self._bytes += checked.size
        if not self._due:
            self._due = True
            future.get_loop().call_soon(self._turn)

    def close(self, future: asyncio.Future[Receipt]) -> None:
        """Queue the end of what is still open, then `close`; nothing comes after it."""
        with self._lock:
            for draft in [*self._exchanges.truncations(), Draft(data=CloseData())]:
                last = future if isinstance(draft.data, CloseData) else None
                self._queue.append(Waiting(encode_draft(draft), last))
            self.closed = True
        self.poke()

    def ask(self, future: asyncio.Future[str]) -> None:
        """Have the newest checkpoint anchored; raises JournalDown where the journal is down or closed."""
        with self._lock:
            if self.failed is not None or self.closed:
                raise JournalDown(self.failed or "the journal is closed")
            self._asked.append(future)
        self.poke()

    def asked(self) -> list[Answer[str]]:
        """Give who asks for an anchor now."""
        with self._lock:
            asked, self._asked = self._asked, []
        return asked

    def fail(self, why: str) -> list[Waiting]:
        """Take nothing any more; gives what was waiting."""
        with self._lock:
            self.failed = why
            waiting, self._queue, self._bytes = self._queue, [], 0
        return waiting

    def poke(self) -> None:
        """Wake the writer now: it looks at what there is, be it nothing."""
        if self._bell.empty():
            self._bell.put(None)

    def take(self, patience: float | None) -> list[Waiting]:
        """Wait to be woken, at most `patience` seconds, and give all that is queued: none, once closed and empty."""
        if not self.closed:
            with contextlib.suppress(Empty):
                self._bell.get(timeout=patience)
        return self.collect()

    def collect(self) -> list[Waiting]:
        """Give all that is queued."""
        with self._lock:
            waiting, self._queue, self._bytes = self._queue, [], 0
        return waiting

    def _turn(self) -> None:
        self._due = False
        if self._queue:
            self.poke()
