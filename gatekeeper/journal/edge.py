"""Where the log stood when the writer last looked up: kept beside it, so that going on needs no long look back.

It holds the tree's right edge and the exchanges that were open there. It is a hint and proves itself: it is signed by
the journal's key, and used only where its edge and the entries after it give the root of the newest checkpoint.
"""

import base64
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.exchange import ExchangeId, SessionId
from gatekeeper.journal.files import replace_file
from gatekeeper.journal.left_open import LeftOpen
from gatekeeper.journal.merkle import Frontier, split_hashes, widths

_SIGNED: Final = b"gatekeeper edge\n"
"""Before what is signed, so that it is no checkpoint: that begins with an origin, which has no blanks."""


class Edge(msgspec.Struct, frozen=True):
    """The tree's edge at some size, and what was open there."""

    frontier: Frontier
    left: LeftOpen


class _Kept(msgspec.Struct, frozen=True):
    size: int
    rows: tuple[str, ...]
    open: dict[ExchangeId, tuple[SessionId, int]]


def write_edge(path: Path, edge: Edge, key: Ed25519PrivateKey) -> None:
    """Keep an edge."""
    rows = tuple(b"".join(row).hex() for row in edge.frontier.carry())
    stated = msgspec.json.encode(_Kept(edge.frontier.size, rows, edge.left.exchanges))
    replace_file(path, stated + b"\n" + base64.b64encode(key.sign(_SIGNED + stated)) + b"\n")


def read_edge(path: Path, key: Ed25519PrivateKey) -> Edge | None:
    """Give the edge that was kept; None where there is none, or it was not signed by `key`."""
    try:
        stated, _, signature = path.read_bytes().partition(b"\n")
        key.public_key().verify(base64.b64decode(signature), _SIGNED + stated)
        kept = msgspec.json.decode(stated, type=_Kept)
        rows = [split_hashes(bytes.fromhex(row)) for row in kept.rows]
    except (OSError, ValueError, msgspec.DecodeError, InvalidSignature):
        return None
    if [len(row) for row in rows] != widths(kept.size):
        return None
    return Edge(Frontier(kept.size, rows), LeftOpen(kept.open))
