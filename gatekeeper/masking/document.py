"""A body, or a part of one, with what was found in it, and how to write it with operators applied."""

import itertools
from collections.abc import Callable, Iterable, Iterator

import msgspec

from gatekeeper.masking.operators import Operators
from gatekeeper.masking.strand import Hit

type Replacement = tuple[int, int, str]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Text in one character set. `vouching`: places that repeat the text in another form (`logprobs`).

    `read` gives the texts a person would read, for rules over prompts.
    """

    raw: bytes
    text: str
    charset: str
    hits: tuple[Hit, ...] = ()
    vouching: tuple[Replacement, ...] = ()
    read: Callable[[], tuple[str, ...]]

    def entities(self) -> Iterator[str]:
        """Name the entity of each hit."""
        return (hit.entity for hit in self.hits)

    def texts(self) -> tuple[str, ...]:
        """Give the decoded texts."""
        return self.read()

    def render(self, operators: Operators) -> bytes:
        """Write it with operators applied; the same bytes where nothing changes."""
        changes = replacements(self.hits, operators)
        if not changes:
            return self.raw
        return rewrite(self.text, (*self.vouching, *changes)).encode(self.charset, "replace")


class Composite(msgspec.Struct, frozen=True):
    """Documents with bytes between them that stay as they are."""

    raw: bytes
    pieces: tuple[bytes | Document, ...]

    def entities(self) -> Iterator[str]:
        """Name the entity of each hit."""
        return itertools.chain.from_iterable(piece.entities() for piece in self.documents)

    def texts(self) -> tuple[str, ...]:
        """Give the decoded texts."""
        return tuple(itertools.chain.from_iterable(piece.texts() for piece in self.documents))

    def render(self, operators: Operators) -> bytes:
        """Write it with operators applied."""
        return b"".join(piece if isinstance(piece, bytes) else piece.render(operators) for piece in self.pieces)

    @property
    def documents(self) -> tuple[Document, ...]:
        """The documents, in order."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Document))


def replacements(hits: Iterable[Hit], operators: Operators) -> list[Replacement]:
    """Say what stands where instead: the first segment of a hit gets the replacement, the others nothing."""
    changes: list[Replacement] = []
    for hit in hits:
        if (instead := operators.apply(hit.entity, hit.value)) is None:
            continue
        first, *rest = hit.segments
        changes.append((*first, hit.written(instead)))
        changes += ((*segment, "") for segment in rest)
    return changes


def rewrite(text: str, changes: Iterable[Replacement]) -> str:
    """Put replacements in; one that begins within another is left out."""
    pieces: list[str] = []
    at = 0
    for start, end, instead in sorted(changes):
        if start >= at:
            pieces += (text[at:start], instead)
            at = end
    pieces.append(text[at:])
    return "".join(pieces)
