"""A log in its segments: the sealed ones, each with the seq it begins with in its name, and the one that grows.

Reads the tree across them (JOURNAL.md, "Files", "Tree and checkpoints"). It verifies nothing.
"""

import bisect
import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from gatekeeper.exchange import Instant, Seq
from gatekeeper.journal.files import JournalFiles
from gatekeeper.journal.leaf import Entry, decode_leaf
from gatekeeper.journal.merkle import (
    HASH_SIZE,
    TILE_HEIGHT,
    TILE_WIDTH,
    Frontier,
    Hash,
    complete_root,
    leaf_hash,
    node_hash,
    split_hashes,
    widths,
)
from gatekeeper.journal.store import LogStore

MOST_TILES: Final = 64
"""Tiles that are kept in memory: half a megabyte."""

SEALED: Final = re.compile(r"journal-(?P<start>[0-9]{12})\.db")


class SegmentFile(msgspec.Struct, frozen=True):
    """A segment's database; `start` is None where only its `meta` says it."""

    path: Path
    start: int | None


def sealed_name(start: int) -> str:
    """Name the file of a sealed segment."""
    return f"journal-{start:012d}.db"


def segment_files(folder: Path) -> list[SegmentFile]:
    """List a folder's segments, oldest first, the growing one last."""
    names = [path for path in folder.glob("journal-*.db") if SEALED.fullmatch(path.name)]
    found = [SegmentFile(path, int(path.name[8:20])) for path in sorted(names)]
    current = JournalFiles(folder).log
    return [*found, SegmentFile(current, None)] if current.exists() else found


class Segments:
    """All segments of a folder, open for reading, fixed at the size that the newest checkpoint had then."""

    def __init__(self, stores: Sequence[LogStore]) -> None:
        self.stores = list(stores)
        self._starts = [store.start() for store in stores]
        newest = self.stores[-1].newest_note()
        self.size, self.note = newest if newest is not None else (0, "")
        self._edge: dict[int, list[Hash]] = {}
        self._tiles: dict[tuple[int, int], bytes] = {}

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open beside the writer, or in a folder that can't be written; raises FileNotFoundError."""
        while True:
            found = segment_files(folder)
            with contextlib.ExitStack() as undo:
                stores: list[LogStore] = []
                # A writer that seals gives names, and one that was opened may be another file by then.
                with contextlib.suppress(FileNotFoundError):
                    for path in [one.path for one in found] or [JournalFiles(folder).log]:
                        stores.append(LogStore.at(path))
                        undo.callback(stores[-1].close)
                if found == segment_files(folder):
                    if len(stores) < max(1, len(found)):
                        msg = f"{folder}: there is no journal here"
                        raise FileNotFoundError(msg)
                    undo.pop_all()
                    return cls(stores)

    @property
    def start(self) -> int:
        """The first entry that is here: older segments may have been moved away."""
        return self._starts[0]

    @property
    def newest(self) -> LogStore:
        """The segment that grows, or the last that is here."""
        return self.stores[-1]

    def store_of(self, seq: int) -> LogStore:
        """Give the segment that an entry is in, if it is in any."""
        return self.stores[max(0, bisect.bisect_right(self._starts, seq) - 1)]

    def leaves(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Give (seq, leaf) in order, over the ends of segments."""
        at = max(start, self.start)
        while at < stop:
            last = at
            for seq, leaf in self.store_of(at).leaves(at, stop):
                yield seq, leaf
                last = seq + 1
            if last == at:
                return
            at = last

    def of_kind(self, kind: str, start: int) -> Iterator[bytes]:
        """Give the leaves of a type from `start` on, as far as they are here."""
        for first, store in zip([*self._starts[1:], self.size], self.stores, strict=True):
            if first > start:
                yield from store.of_kind(kind, start)

    def newest_of(self, kinds: Sequence[str], before: int) -> Entry | None:
        """Give the newest entry of some types before another, as far as they are here; None where there is none."""
        for store in reversed(self.stores):
            if store.start() < before and (leaf := store.newest_of(kinds, before)) is not None:
                return decode_leaf(leaf)
        return None

    def first_since(self, time: Instant) -> Seq:
        """Give the first entry of this time or later, by bisection: times only grow. Raises ValueError."""
        low, high = self.start, self.size
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.store_of(middle).time_of(middle) < time else (low, middle)
        return Seq(low)

    def notes(self) -> Iterator[tuple[int, str]]:
        """Give size and note of all checkpoints that are kept, oldest first."""
        for store in self.stores:
            yield from store.notes(0, 1 << 62)

    def subtree(self, start: int, stop: int) -> Hash:
        """Hash the tree over [start, stop), as `proofs.SubtreeHash` has it; ValueError where tiles are missing."""
        size = stop - start
        if size & (size - 1) == 0 and start % size == 0:
            return self._aligned(start, size.bit_length() - 1)
        middle = start + (1 << (size - 1).bit_length() - 1)
        return node_hash(self.subtree(start, middle), self.subtree(middle, stop))

    def root(self, size: int) -> Hash:
        """Give the root over the first `size` entries, which is more than none."""
        return self.subtree(0, size)

    def frontier(self, size: int) -> Frontier:
        """Give the right edge of the tree over the first `size` entries; raises ValueError where tiles are not here."""
        rows = [
            self._nodes(at, (size >> TILE_HEIGHT * at) - width, size >> TILE_HEIGHT * at)
            for at, width in enumerate(widths(size))
        ]
        return Frontier(size, rows)

    def close(self) -> None:
        """Close all segments."""
        for store in self.stores:
            store.close()

    def _aligned(self, start: int, height: int) -> Hash:
        level, within = divmod(height, TILE_HEIGHT)
        first = start >> TILE_HEIGHT * level
        return complete_root(self._nodes(level, first, first + (1 << within)))

    def _nodes(self, level: int, first: int, stop: int) -> Sequence[Hash]:
        """Give nodes of a tile's level that stand in one tile."""
        n, at = divmod(first, TILE_WIDTH)
        if n < self.size >> TILE_HEIGHT * (level + 1):
            return split_hashes(self._full_tile(level, n)[at * HASH_SIZE : (at + stop - first) * HASH_SIZE])
        if level not in self._edge:
            beginning = n * TILE_WIDTH
            end = self.size >> TILE_HEIGHT * level
            self._edge[level] = self._edge_row(level, beginning, end)
        return self._edge[level][at : at + stop - first]

    def _edge_row(self, level: int, first: int, stop: int) -> list[Hash]:
        """Give the nodes of the tile of a level that is not full yet."""
        store = self.stores[-1]
        known = store.start() >> TILE_HEIGHT * level
        carried = store.carry()
        row = list(carried[level]) if first < known and level < len(carried) else []
        there = first + len(row)
        if level == 0:
            return row + [leaf_hash(leaf) for _, leaf in store.leaves(there, stop)]
        return row + [complete_root(split_hashes(self._full_tile(level - 1, n))) for n in range(there, stop)]

    def _full_tile(self, level: int, n: int) -> bytes:
        """Give a full tile: it stands in the segment in which it became full. A proof asks for each several times."""
        if (level, n) not in self._tiles:
            if len(self._tiles) >= MOST_TILES:
                self._tiles.clear()
            end = (n + 1) << TILE_HEIGHT * (level + 1)
            joined = self.store_of(end - 1).tile_row(level, n)
            if len(joined) != TILE_WIDTH * HASH_SIZE:
                msg = f"tile {level}/{n} is missing"
                raise ValueError(msg)
            self._tiles[level, n] = joined
        return self._tiles[level, n]


def frontier_of(store: LogStore, size: int) -> Frontier:
    """Build the right edge of the tree over the first `size` entries; `size` is not before the segment's start."""
    return Frontier.load(size, store.leaf_hashes, store.tile, store.start(), store.carry())
