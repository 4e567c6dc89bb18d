"""The form of an event of which a stream has thousands: they differ in one piece of text, a number, some padding.

An event that has the form of one that was read is known without parsing it: a JSON string can't leave its quotes.
"""

import re
from collections.abc import Iterable
from typing import Final, Self

import msgspec

from gatekeeper.masking.events import Payload
from gatekeeper.masking.json_source import JsonLeaf
from gatekeeper.masking.streams.pieces import TextPiece

# The fields that may differ; no reader looks at them.
_VOLATILE: Final = frozenset({"obfuscation", "p", "sequence_number", "created_at", "created"})
_LEAST: Final = 6  # characters of which something can be found
_STRING: Final = re.compile(r'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
_NUMBER: Final = re.compile(r"(?:0|[1-9]\d{0,15})(?![\d.eE+-])")


class Match(msgspec.Struct, frozen=True):
    """Where the piece of text stands in an event of the form, and what stands in its other holes."""

    start: int
    end: int
    volatile: tuple[str, ...]


class Template(msgspec.Struct, frozen=True):
    """`literals`, with a hole after each but the last: the form of `piece`'s event, whose data ends before `tail`."""

    piece: TextPiece
    literals: tuple[str, ...]
    holes: tuple[re.Pattern[str], ...]
    text_hole: int
    head: int
    tail: int

    @classmethod
    def of(cls, text: str, payload: Payload, leaves: Iterable[JsonLeaf], piece: TextPiece) -> Self | None:
        """Take the form of an event whose data is one line of JSON and has just one piece; None for others."""
        if len(payload.lines) != 1:
            return None
        ((head, end),) = payload.lines
        literals: list[str] = []
        holes: list[re.Pattern[str]] = []
        at, text_hole = 0, -1
        for leaf in leaves:
            if leaf.kind == "key":
                continue
            if leaf.path == piece.path and leaf.kind == "string":
                text_hole = len(holes)
            elif not leaf.path or leaf.path[-1] not in _VOLATILE:
                continue
            literals.append(text[at : head + leaf.start])
            holes.append(_STRING if leaf.kind == "string" else _NUMBER)
            at = head + leaf.end
        if text_hole < 0:
            return None
        literals.append(text[at:])
        return cls(piece, tuple(literals), tuple(holes), text_hole, head, len(text) - end)

    def match(self, text: str) -> Match | None:
        """Find the piece in an event of this form; None for one of another."""
        if not text.startswith(self.literals[0]) or not text.endswith(self.literals[-1]):
            return None
        at = len(self.literals[0])
        places: list[tuple[int, int]] = []
        for hole, literal in zip(self.holes, self.literals[1:], strict=True):
            if (found := hole.match(text, at)) is None or not text.startswith(literal, found.end()):
                return None
            places.append(found.span())
            at = found.end() + len(literal)
        if at != len(text):
            return None
        start, end = places.pop(self.text_hole)
        return Match(start, end, tuple(text[a:b] for a, b in places if b - a >= _LEAST))
