"""What the journal takes in: drafts, checked, in the order of their calls, in a bounded queue to the writer."""

import asyncio
import contextlib
import re
import threading
import time
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from gatekeeper.exchange import Receipt, canonical_json
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.entries import ChunkData, CloseData, ConfigData, Data, MessageData, OpenData
from gatekeeper.journal.exchanges import Exchanges
from gatekeeper.journal.files import PLAIN_LIMIT
from gatekeeper.journal.leaf import KINDS, LEAF_LIMIT

ENVELOPE: Final = 1024
"""Bytes of a leaf beside its data, ids and media type: keys, numbers, a body's hashes. At most; about 500."""

GATHER: Final = 0.002
"""Seconds that a group may wait for company, under load only (DESIGN §3 "Processes")."""

LOAD: Final = 4
"""Entries in a group from which on the journal counts as under load, and for which the next one waits."""

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


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A draft in the queue, its data encoded, and who waits for it."""

    draft: Draft
    raw: bytes
    size: int
    future: asyncio.Future[Receipt] | None


class Checked(msgspec.Struct, frozen=True):
    """A draft that can be written: its data, encoded, and the bytes of its body."""

    raw: bytes
    size: int


def check_draft(draft: Draft) -> Checked:
    """Encode a draft's data; raises ValueError for a draft that has no form in the journal.

    What passes here must be writable: a fault in the writer's thread ends the journal for everybody.
    """
    raw = canonical_json(draft.data)
    media = canonical_json(draft.content.media) if draft.content is not None else b""
    if len(raw) + len(media) + ENVELOPE >= LEAF_LIMIT:
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
    return Checked(raw, _check_content(draft))


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
    """The queue between the event loop and the writer's thread."""

    def __init__(self) -> None:
        self.failed: str | None = None
        self.closed = False
        self._lock = threading.Lock()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._sleeping = False
        self._gathered: list[Waiting] = []
        self._queue: list[Waiting] = []
        self._bytes = 0
        self._exchanges = Exchanges()
        self._last = 0

    @property
    def drained(self) -> bool:
        """Whether it is closed and everything was taken."""
        with self._lock:
            return self.closed and not self._queue

    def put(self, draft: Draft, future: asyncio.Future[Receipt]) -> None:
        """Queue a draft. Raises JournalDown where the journal is down, closed or behind; ValueError for a bad draft.

        A draft that can't follow what its exchange has so far is a bad one: it would spoil the log for verification.
        The writer gets it when the loop's turn is over, with all that came in the same turn: no future could resolve
        earlier, and the writer does not take the interpreter lock away meanwhile.
        """
        checked = check_draft(draft)
        with self._lock:
            if self.failed is not None or self.closed:
                raise JournalDown(self.failed or "the journal is closed")
            pending = len(self._queue) + len(self._gathered)
            if pending >= MOST_PENDING or (pending and self._bytes + checked.size > MOST_BYTES):
                msg = "the journal can't keep up: its disk is too slow for so many calls"
                raise JournalDown(msg)
            self._exchanges.feed(draft.exchange, draft.session, draft.data, bodied=draft.bodied)
            if not self._gathered:
                future.get_loop().call_soon(self.hand_over)
            self._gathered.append(Waiting(draft, checked.raw, checked.size, future))
            self._bytes += checked.size

    def close(self, future: asyncio.Future[Receipt]) -> None:
        """Queue the end of what is still open, then `close`; nothing comes after it."""
        with self._lock:
            for draft in [*self._exchanges.truncations(), Draft(data=CloseData())]:
                last = future if isinstance(draft.data, CloseData) else None
                self._gathered.append(Waiting(draft, canonical_json(draft.data), 0, last))
            self.closed = True
            self._pass_on()
            self._wake.put(None)

    def fail(self, why: str) -> list[Waiting]:
        """Take nothing any more; gives what was waiting."""
        with self._lock:
            self.failed = why
            waiting = [*self._queue, *self._gathered]
            self._queue, self._gathered, self._bytes = [], [], 0
        return waiting

    def poke(self) -> None:
        """Let the writer look for something else to do than drafts."""
        self._wake.put(None)

    def take(self, patience: float | None) -> list[Waiting]:
        """Wait for drafts, and give all there are: none where `patience` (s) ran out, or once it is closed and empty.

        At once when idle; under load, that is after a group of some size, it waits up to 2 ms for company.
        """
        if not self._queue and not self.closed:
            self._sleep(patience)
        if self._last >= LOAD:
            deadline = time.monotonic() + GATHER
            while len(self._queue) < LOAD and not self.closed and (left := deadline - time.monotonic()) > 0:
                self._sleep(left)
        with self._lock:
            waiting, self._queue = self._queue, []
            self._bytes -= sum(one.size for one in waiting)
        self._last = len(waiting)
        return waiting

    def _sleep(self, seconds: float | None) -> None:
        """Wait until something is queued after this, or has been since the last look at the queue."""
        with self._lock:
            self._sleeping = not self._queue or self._last >= LOAD
            if not self._sleeping:
                return
        with contextlib.suppress(Empty):
            self._wake.get(timeout=seconds)

    def hand_over(self) -> None:
        """Let the writer have what was gathered."""
        with self._lock:
            self._pass_on()

    def _pass_on(self) -> None:
        self._queue += self._gathered
        self._gathered = []
        if self._sleeping and self._queue:
            self._sleeping = False
            self._wake.put(None)
