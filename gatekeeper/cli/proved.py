"""Whether what is shown is what was signed: each entry is proved to be in the tree of the log's newest checkpoint."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from gatekeeper.journal import Entry, Reader


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint that entries were proved to be in, and those that are not in it."""

    size: int
    proved: bool
    not_proved: tuple[int, ...]


def prove(reader: "Reader", entries: "Iterable[Entry]") -> Proof:
    """Say of entries that nothing proves them yet."""
    return Proof(size=reader.size, proved=False, not_proved=tuple(entry.seq for entry in entries))


def proof_line(proof: Proof) -> str:
    """Say what was verified, and how to have all of it verified."""
    return "proved" if proof.proved else "not verified; `gatekeeper journal verify` does"
