"""What is checked of a log before it goes on: that nothing of it is gone, and what a crash has left open in it."""

import contextlib
from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.exchange import ExchangeId, SessionId
from gatekeeper.journal.anchors import last_anchor, read_head
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.edge import read_edge
from gatekeeper.journal.entries import (
    ChunkData,
    CloseData,
    ErrorData,
    MessageData,
    RequestData,
    ResponseData,
    TruncatedData,
)
from gatekeeper.journal.exchanges import MESSAGES, SWITCHING_PROTOCOLS, Step, truncated
from gatekeeper.journal.files import JournalFiles
from gatekeeper.journal.grammar import Carried
from gatekeeper.journal.group import Growth
from gatekeeper.journal.leaf import decode_leaf, decode_place
from gatekeeper.journal.merkle import Frontier, Hash
from gatekeeper.journal.note import Checkpoint, VerificationKey, read_checkpoint, read_cosigned
from gatekeeper.journal.segments import Segments, frontier_of
from gatekeeper.journal.store import LogStore

WAY_OUT: Final = "restore the folder from a backup, or set another journal.origin and run `gatekeeper journal new`"

MAY_END: Final = frozenset({ResponseData.kind, ErrorData.kind, TruncatedData.kind, MessageData.kind})
"""The types of entries after which an exchange may be over."""

_UPGRADED: Final = b'"status":101'
_CLOSES: Final = b'"kind":"close"'


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A log that was checked: where it goes on, what a crash left open in it, and what looked odd beside it."""

    growth: Growth
    left_open: list[Draft]
    warnings: tuple[str, ...]


def check_whole(files: JournalFiles, store: LogStore, vkey: VerificationKey, signing: Ed25519PrivateKey) -> Whole:
    """Check that nothing of the log is gone or changed at its edge; raises JournalDown."""
    try:
        frontier = _checked_edge(files, store, vkey)
        warnings = _Beside(files, store, frontier, vkey).check()
        last = store.last_entry()
        left_open = [] if isinstance(last.data, CloseData) else _left_open(store, frontier.size)
    except ValueError as error:
        msg = f"{files.log}: is damaged or rolled back: {error}; {WAY_OUT}"
        raise JournalDown(msg) from error
    growth = Growth(vkey.origin, signing, frontier, last.time)
    growth.resume(frontier.size)
    return Whole(growth=growth, left_open=left_open, warnings=warnings)


def _checked_edge(files: JournalFiles, store: LogStore, vkey: VerificationKey) -> Frontier:
    """Give the tree's right edge, over which the newest checkpoint is."""
    size, newest = store.size(), store.newest_note()
    checkpoint = read_checkpoint(newest[1], vkey) if newest is not None else None
    kept = read_edge(files.edge, size)
    # What was kept is of this tree if it has the signed root, and says nothing of what the file has lost since: so its
    # last leaves are compared.
    usable = kept is not None and checkpoint is not None and kept.root() == checkpoint.root
    frontier = kept if kept is not None and usable and _ends_with(store, kept) else frontier_of(store, size)
    if checkpoint != Checkpoint(vkey.origin, size, frontier.root()):
        msg = "its newest checkpoint is not over its entries"
        raise ValueError(msg)
    return frontier


def _ends_with(store: LogStore, edge: Frontier) -> bool:
    row = edge.carry()[0]
    start = max(store.start(), edge.size - len(row))
    return list(store.leaf_hashes(start, edge.size)) == row[len(row) - (edge.size - start) :]


class _Beside:
    """Compares `head` and the last anchor with the log."""

    def __init__(self, files: JournalFiles, store: LogStore, frontier: Frontier, vkey: VerificationKey) -> None:
        self._files, self._store, self._frontier, self._vkey = files, store, frontier, vkey

    def check(self) -> tuple[str, ...]:
        """Give what looked odd; raises ValueError where the log has lost something."""
        head, anchor = read_head(self._files), last_anchor(self._files)
        warnings: tuple[str, ...] = ()
        if head is None:
            warnings = ("head is missing; it is written again",)
        elif self._check_prefix(head, "head") < self._frontier.size:
            warnings = ("head is older than the log, as after a crash; it is written again",)
        if anchor is not None:
            self._check_prefix(anchor, "the last anchor")
        return warnings

    def _check_prefix(self, note: str, name: str) -> int:
        """Give the size of a checkpoint that the log extends."""
        checkpoint = self._read(note)
        size = self._frontier.size
        gone = checkpoint.size - size
        if gone > 0:
            msg = f"{name} is over {checkpoint.size} entries and the log has {size}: the last {gone} are gone"
            raise ValueError(msg)
        if self._root(checkpoint.size) not in (checkpoint.root, None):
            msg = f"{name} is over other entries than the log has"
            raise ValueError(msg)
        return checkpoint.size

    def _read(self, note: str) -> Checkpoint:
        """Read a note by the key in force, or by one that a sealed segment names."""
        try:
            return read_cosigned(note, self._vkey)
        except ValueError:
            for text in self._of_all(lambda segments: [store.meta().get("vkey", "") for store in segments.stores]):
                with contextlib.suppress(ValueError):
                    return read_cosigned(note, VerificationKey.parse(text))
            raise

    def _root(self, size: int) -> Hash | None:
        """Give the root over the first `size` entries; None where they were moved away."""
        if size == self._frontier.size:
            return self._frontier.root()
        if size >= self._store.start():
            return frontier_of(self._store, size).root()
        return self._of_all(lambda segments: segments.root(size) if segments.start == 0 and size else None)

    def _of_all[T](self, ask: Callable[[Segments], T]) -> T:
        with contextlib.closing(Segments.open(self._files.folder)) as segments:
            return ask(segments)


def _left_open(store: LogStore, size: int) -> list[Draft]:
    """Give what ends the exchanges that the last run left open, in the order of their requests."""
    left: dict[ExchangeId, tuple[SessionId, int]] = {}
    opening = store.last_opening()
    if opening and opening == store.start():
        carried = msgspec.json.decode(store.meta().get("carried", ""), type=Carried)
        left = {one.exchange: (one.session, one.chunks) for one in carried.exchanges}
    for _, raw in store.leaves(opening, size):
        kind, exchange, session = decode_place(raw)
        if exchange is None or session is None:
            continue
        if kind == RequestData.kind:
            left[exchange] = session, 0
        elif kind == ChunkData.kind and exchange in left:
            left[exchange] = session, left[exchange][1] + 1
        elif kind in MAY_END and _ends(kind, raw):
            left.pop(exchange, None)
    return [truncated(exchange, session, chunks) for exchange, (session, chunks) in left.items()]


def _ends(kind: str, raw: bytes) -> bool:
    """Whether an entry ends its exchange; only those that may not, by their bytes, are read."""
    if kind == ResponseData.kind:
        data = decode_leaf(raw).data if _UPGRADED in raw else None
        return not isinstance(data, ResponseData) or data.status != SWITCHING_PROTOCOLS
    if kind == MessageData.kind:
        data = decode_leaf(raw).data if _CLOSES in raw else None
        return isinstance(data, MessageData) and MESSAGES.get(data.form) is Step.CLOSE_MESSAGE
    return True
