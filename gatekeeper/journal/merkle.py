"""The Merkle tree of the log (RFC 6962 §2.1), kept as full tiles of 256 hashes (C2SP tlog-tiles).

Pure: what is stored is read through functions that the caller gives.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, NewType, Self

Hash = NewType("Hash", bytes)
"""32 bytes."""

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
HASH_SIZE: Final = 32
EMPTY_ROOT: Final = Hash(hashlib.sha256(b"").digest())

type LeafHashes = Callable[[int, int], Sequence[Hash]]
"""(start, stop) -> the hashes of the leaves in that range"""

type TileHashes = Callable[[int, int], Sequence[Hash]]
"""(level, n) -> the 256 hashes of a full tile"""

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
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def split_tile(joined: bytes) -> tuple[Hash, ...]:
    """Take a tile's hashes apart; raises ValueError where it is not full."""
    if len(joined) != TILE_WIDTH * HASH_SIZE:
        msg = "a tile is missing, or is not of 256 hashes"
        raise ValueError(msg)
    return tuple(Hash(joined[at : at + HASH_SIZE]) for at in range(0, len(joined), HASH_SIZE))


class Frontier:
    """The right edge of a growing tree: the hashes of the partial tile of each level, and the root's peaks."""

    def __init__(self, size: int = 0, partial: Sequence[Sequence[Hash]] = ()) -> None:
        self.size = size
        self._partial = [list(level) for level in partial]
        self._peaks: list[tuple[int, Hash]] = []
        for level in reversed(range(len(self._partial))):
            self._add_peaks(level, self._partial[level])

    @classmethod
    def load(cls, size: int, leaves: LeafHashes, tile: TileHashes) -> Self:
        """Build the frontier of the first `size` leaves from what is stored: O(log n) tiles."""
        partial: list[list[Hash]] = []
        level, whole = 0, size
        while whole:
            start = whole - whole % TILE_WIDTH
            if level == 0:
                partial.append(list(leaves(start, whole)))
            else:
                partial.append([complete_root(tile(level - 1, n)) for n in range(start, whole)])
            whole >>= TILE_HEIGHT
            level += 1
        return cls(size, partial)

    def append(self, leaf: Hash) -> list[FullTile]:
        """Add a leaf; gives the tiles that it completes, lowest first."""
        self._grow_peaks(leaf)
        self.size += 1
        full: list[FullTile] = []
        level, node = 0, leaf
        while True:
            if level == len(self._partial):
                self._partial.append([])
            row = self._partial[level]
            row.append(node)
            if len(row) < TILE_WIDTH:
                return full
            full.append((level, (self.size >> TILE_HEIGHT * (level + 1)) - 1, b"".join(row)))
            node = complete_root(row)
            row.clear()
            level += 1

    def root(self) -> Hash:
        """Hash the peaks, right to left, into the tree's root (RFC 6962 §2.1)."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def _grow_peaks(self, leaf: Hash) -> None:
        height, node = 0, leaf
        while self._peaks and self._peaks[-1][0] == height:
            node = node_hash(self._peaks.pop()[1], node)
            height += 1
        self._peaks.append((height, node))

    def _add_peaks(self, level: int, hashes: Sequence[Hash]) -> None:
        start = 0
        while start < len(hashes):
            height = (len(hashes) - start).bit_length() - 1
            self._peaks.append((level * TILE_HEIGHT + height, complete_root(hashes[start : start + (1 << height)])))
            start += 1 << height
