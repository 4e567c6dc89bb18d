"""What is checked of a log before it goes on: that nothing of it is gone, and what a crash has left open in it."""

import contextlib
from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.journal.anchors import last_anchor, read_head
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.edge import Edge, read_edge
from gatekeeper.journal.files import JournalFiles
from gatekeeper.journal.grammar import Carried
from gatekeeper.journal.group import Growth
from gatekeeper.journal.left_open import LeftOpen
from gatekeeper.journal.merkle import Frontier, Hash, leaf_hash
from gatekeeper.journal.note import Checkpoint, VerificationKey, read_checkpoint, read_cosigned
from gatekeeper.journal.segments import Segments, frontier_of
from gatekeeper.journal.store import SLICE, LogStore

WAY_OUT: Final = "restore the folder from a backup, or set another journal.origin and run `gatekeeper journal new`"


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A log that was checked: where it goes on, what a crash left open in it, and what looked odd beside it."""

    growth: Growth
    left_open: list[Draft]
    warnings: tuple[str, ...]


def check_whole(files: JournalFiles, store: LogStore, vkey: VerificationKey, signing: Ed25519PrivateKey) -> Whole:
    """Check that nothing of the log is gone or changed at its edge; raises JournalDown."""
    try:
        size, newest = store.size(), store.newest_note()
        checkpoint = read_checkpoint(newest[1], vkey) if newest is not None else None
        kept = _usable(read_edge(files.edge, signing), store, checkpoint)
        frontier = frontier_of(store, size) if kept is None else kept.frontier
        if checkpoint != Checkpoint(vkey.origin, size, frontier.root()):
            msg = "its newest checkpoint is not over its entries"
            raise ValueError(msg)
        warnings = _Beside(files, store, frontier, vkey).check()
        last = store.last_entry()
        left = kept.left if kept is not None else _left_open(store, size)
    except ValueError as error:
        msg = f"{files.log}: is damaged or rolled back: {error}; {WAY_OUT}"
        raise JournalDown(msg) from error
    growth = Growth(vkey.origin, signing, frontier, last.time)
    growth.resume(frontier.size)
    return Whole(growth=growth, left_open=left.truncations(), warnings=warnings)


def _usable(kept: Edge | None, store: LogStore, checkpoint: Checkpoint | None) -> Edge | None:
    """Bring the edge that was kept to the log's end; None where it does not lead to the root that is signed there.

    That says nothing of what the file has lost since of the entries before it: so the last ones are compared too.
    """
    if kept is None or checkpoint is None or not store.start() <= kept.frontier.size <= checkpoint.size:
        return None
    if not _ends_with(store, kept.frontier):
        return None
    frontier, at = kept.frontier, kept.frontier.size
    while at < checkpoint.size:
        rows = store.rows(at, min(at + SLICE, checkpoint.size))
        if not rows:
            return None
        frontier.extend([leaf_hash(raw) for _, raw in rows])
        for _, raw in rows:
            kept.left.take_leaf(raw)
        at = rows[-1][0] + 1
    return kept if frontier.root() == checkpoint.root else None


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


def _left_open(store: LogStore, size: int) -> LeftOpen:
    """Give what the last run left open, by looking at all its entries in this segment."""
    opening = store.last_opening()
    left = LeftOpen({})
    if opening and opening == store.start():
        carried = msgspec.json.decode(store.meta().get("carried", ""), type=Carried)
        left = LeftOpen({one.exchange: (one.session, one.chunks) for one in carried.exchanges})
    for _, raw in store.leaves(opening, size):
        left.take_leaf(raw)
    return left
