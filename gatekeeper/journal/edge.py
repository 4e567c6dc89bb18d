"""The tree's right edge, kept beside the log so that opening a long one needs no tiles to be hashed again.

It is a hint and proves itself: it is used only where the newest signed checkpoint has the root that it gives.
"""

from pathlib import Path

import msgspec

from gatekeeper.journal.files import replace_file
from gatekeeper.journal.merkle import Frontier, split_hashes, widths


class _Edge(msgspec.Struct, frozen=True):
    size: int
    rows: tuple[str, ...]


def write_edge(path: Path, frontier: Frontier) -> None:
    """Keep the edge of a tree."""
    rows = tuple(b"".join(row).hex() for row in frontier.carry())
    replace_file(path, msgspec.json.encode(_Edge(frontier.size, rows)))


def read_edge(path: Path, size: int) -> Frontier | None:
    """Give the edge of a tree of `size`; None where none was kept, or not that one."""
    try:
        edge = msgspec.json.decode(path.read_bytes(), type=_Edge)
        rows = [split_hashes(bytes.fromhex(row)) for row in edge.rows]
    except (OSError, msgspec.DecodeError, ValueError):
        return None
    if edge.size != size or [len(row) for row in rows] != widths(size):
        return None
    return Frontier(size, rows)
