"""The form of an event of which a stream has thousands: they differ in one piece of text, a number, some padding.

An event that has the form of one that was read is known without parsing it: a JSON string can't leave its quotes.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Self

import msgspec

from gatekeeper.masking.events import Payload
from gatekeeper.masking.json_source import JsonLeaf
from gatekeeper.masking.streams.pieces import TextPiece

# The fields that may differ; no reader looks at them.
_VOLATILE: Final = frozenset({"obfuscation", "p", "sequence_number", "created_at", "created"})
_LEAST: Final = 6  # characters of which something can be found
_STRING: Final = r'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+'
_NUMBER: Final = r"(?:0|[1-9]\d{0,15})(?![\d.eE+-])"


class Match(msgspec.Struct, frozen=True, gc=False):
    """Where the piece of text stands in an event of the form, and what stands in its other holes."""

    start: int
    end: int
    volatile: tuple[str, ...]


class Template:
    """The form of `piece`'s event: literals, with a hole after each but the last.

    Its data begins at `head`, and ends `tail` characters before its end.
    """

    __slots__ = ("_fits", "_holes", "_literals", "_text_hole", "head", "piece", "tail")

    def __init__(
        self, piece: TextPiece, literals: Sequence[str], holes: Sequence[str], text_hole: int, data: tuple[int, int]
    ) -> None:
        self.piece = piece
        self.head, self.tail = data
        self._literals, self._holes, self._text_hole = literals, holes, text_hole
        self._fits: Callable[[str], re.Match[str] | None] | None = None

    @classmethod
    def of(cls, text: str, payload: Payload, leaves: Iterable[JsonLeaf], piece: TextPiece) -> Self | None:
        """Take the form of an event whose data is one line of JSON and has just one piece; None for others."""
        if len(payload.lines) != 1:
            return None
        ((head, end),) = payload.lines
        literals: list[str] = []
        holes: list[str] = []
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
        return cls(piece, literals, holes, text_hole, (head, len(text) - end))

    def match(self, text: str) -> Match | None:
        """Find the piece in an event of this form; None for one of another."""
        if not text.startswith(self._literals[0]) or not text.endswith(self._literals[-1]):
            return None
        if self._fits is None:  # compiled for what begins and ends alike, which a form that never comes again doesn't
            holes = [f"({hole})" for hole in self._holes]
            written = zip(map(re.escape, self._literals), [*holes, ""], strict=True)
            self._fits = re.compile("".join(itertools.chain.from_iterable(written))).fullmatch
        if (found := self._fits(text)) is None:
            return None
        start, end = found.span(self._text_hole + 1)
        others = enumerate(found.groups())
        return Match(
            start, end, tuple(one for number, one in others if number != self._text_hole and len(one) >= _LEAST)
        )
