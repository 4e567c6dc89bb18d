"""The Merkle tree of the log (RFC 6962 §2.1), kept as full tiles of 256 hashes (C2SP tlog-tiles).

Pure: what is stored is read through functions that the caller gives.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NewType, Self

Hash = NewType("Hash", bytes)
"""32 bytes."""

_sha256: Final = hashlib.sha256

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
HASH_SIZE: Final = 32
EMPTY_ROOT: Final = Hash(hashlib.sha256(b"").digest())

type LeafHashes = Callable[[int, int], Sequence[Hash]]
"""(start, stop) -> the hashes of the leaves in that range"""

type TileHashes = Callable[[int, int], Sequence[Hash]]
"""(level, n) -> the 256 hashes of a full tile"""

type Carry = Sequence[Sequence[Hash]]
"""by level, the hashes of the tile that is not full yet"""

type FullTile = tuple[int, int, bytes]
"""(level, n, 256 hashes joined): a tile that has just become full"""


def leaf_hash(leaf: bytes) -> Hash:
    """Hash an entry: SHA-256(0x00 ‖ leaf) (RFC 6962 §2.1)."""
    return Hash(hashlib.sha256(b"\x00" + leaf).digest())


def node_hash(left: Hash, right: Hash) -> Hash:
    """Hash an inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962 §2.1)."""
    return Hash(hashlib.sha256(b"\x01" + left + right).digest())


def complete_root(hashes: Sequence[Hash]) -> Hash:
    """Hash 2^k nodes of one level into the node k levels above."""
    level: list[bytes] = list(hashes)
    while len(level) > 1:  # as `node_hash` does: what verification hashes, it hashes here
        level = [_sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)]
    return Hash(level[0])


def split_hashes(joined: bytes) -> tuple[Hash, ...]:
    """Take joined hashes apart; raises ValueError where one is not whole."""
    if len(joined) % HASH_SIZE:
        msg = "hashes that are not of 32 bytes each"
        raise ValueError(msg)
    return tuple(Hash(joined[at : at + HASH_SIZE]) for at in range(0, len(joined), HASH_SIZE))


def split_tile(joined: bytes) -> tuple[Hash, ...]:
    """Take a tile's hashes apart; raises ValueError where it is not full."""
    if len(joined) != TILE_WIDTH * HASH_SIZE:
        msg = "a tile is missing, or is not of 256 hashes"
        raise ValueError(msg)
    return split_hashes(joined)


def widths(size: int) -> list[int]:
    """Give, by level, how many hashes the tile has that is not full yet."""
    found: list[int] = []
    while size >> TILE_HEIGHT * len(found):
        found.append((size >> TILE_HEIGHT * len(found)) % TILE_WIDTH)
    return found


class Frontier:
    """The right edge of a growing tree: the hashes of the partial tile of each level, and the root's peaks."""

    def __init__(self, size: int = 0, partial: Carry = ()) -> None:
        self.size = size
        self._partial = [list(level) for level in partial]
        self._peaks: list[tuple[int, Hash]] = []
        for level in reversed(range(len(self._partial))):
            self._add_peaks(level, self._partial[level])

    @classmethod
    def load(cls, size: int, leaves: LeafHashes, tile: TileHashes, start: int = 0, carry: Carry = ()) -> Self:
        """Build the frontier of the first `size` leaves from what is stored: O(log n) tiles.

        Where a segment begins at `start`, `carry` has the hashes of the tiles that were not full there.
        """
        partial: list[list[Hash]] = []
        for level, width in enumerate(widths(size)):
            stop = size >> TILE_HEIGHT * level
            first, known = stop - width, start >> TILE_HEIGHT * level
            row = list(carry[level][: max(0, known - first)][:width]) if first < known else []
            there = first + len(row)
            if level == 0:
                row += leaves(there, stop)
            else:
                row += [complete_root(tile(level - 1, n)) for n in range(there, stop)]
            partial.append(row)
        return cls(size, partial)

    @property
    def peaks(self) -> Sequence[tuple[int, Hash]]:
        """The complete trees that the root is made of: (height, hash), largest first."""
        return tuple(self._peaks)

    def carry(self) -> list[list[Hash]]:
        """Give, by level, the hashes of the tile that is not full yet."""
        return [list(row) for row in self._partial[: len(widths(self.size))]]

    def append(self, leaf: Hash) -> list[FullTile]:
        """Add a leaf; gives the tiles that it completes, lowest first."""
        return self.extend([leaf])

    def extend(self, leaves: Sequence[Hash]) -> list[FullTile]:
        """Add leaves, a whole tile at a time where they fill one; gives the tiles that they complete."""
        full: list[FullTile] = []
        at = 0
        while at < len(leaves):
            width = self.size % TILE_WIDTH
            some = leaves[at : at + TILE_WIDTH - width]
            at += len(some)
            if len(some) < TILE_WIDTH:
                self._grow(some)
                if self.size % TILE_WIDTH:
                    break
                _, node = self._peaks.pop()
                row, self._partial[0] = self._partial[0], []
            else:
                row, node = list(some), complete_root(some)
                self.size += TILE_WIDTH
            full.append((0, (self.size >> TILE_HEIGHT) - 1, b"".join(row)))
            full += self._add(1, node)
        return full

    def _grow(self, leaves: Sequence[Hash]) -> None:
        """Add leaves to the lowest tile, which they fill at most.

        After n leaves of a tile, the next ends one tree for each 1 at the end of n in binary.
        """
        if not self._partial:
            self._partial.append([])
        self._partial[0] += leaves
        peaks = self._peaks
        for n, leaf in enumerate(leaves, self.size % TILE_WIDTH):
            node, height = leaf, 0
            while n >> height & 1:
                node = Hash(_sha256(b"\x01" + peaks.pop()[1] + node).digest())  # as `node_hash` does
                height += 1
            peaks.append((height, node))
        self.size += len(leaves)

    def root(self) -> Hash:
        """Hash the peaks, right to left, into the tree's root (RFC 6962 §2.1)."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def _add(self, level: int, node: Hash) -> list[FullTile]:
        """Add a node of the first of a tile's levels; the root of a tile that it fills is a node one level above."""
        full: list[FullTile] = []
        height = level * TILE_HEIGHT
        while len(self._partial) <= level:
            self._partial.append([])
        self._partial[level].append(node)
        while self._peaks and self._peaks[-1][0] == height:
            node = node_hash(self._peaks.pop()[1], node)
            height += 1
            if height % TILE_HEIGHT == 0:
                row = self._partial[level]
                full.append((level, (self.size >> TILE_HEIGHT * (level + 1)) - 1, b"".join(row)))
                row.clear()
                level += 1
                if len(self._partial) == level:
                    self._partial.append([])
                self._partial[level].append(node)
        self._peaks.append((height, node))
        return full

    def _add_peaks(self, level: int, hashes: Sequence[Hash]) -> None:
        start = 0
        while start < len(hashes):
            height = (len(hashes) - start).bit_length() - 1
            self._peaks.append((level * TILE_HEIGHT + height, complete_root(hashes[start : start + (1 << height)])))
            start += 1 << height
