"""A body, or a part of one, with what was found in it, and how to write it with operators applied."""

import itertools
from collections.abc import Callable, Iterable, Iterator

import msgspec

from gatekeeper.masking.operators import Operators
from gatekeeper.masking.strand import Hit

type Replacement = tuple[int, int, str]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Text in one character set. `vouching`: places that repeat the text in another form (`logprobs`).

    `read` gives the texts a person would read, for rules over prompts. `nested`: what stands encoded in it.
    """

    raw: bytes
    text: str
    charset: str
    hits: tuple[Hit, ...] = ()
    vouching: tuple[Replacement, ...] = ()
    nested: "tuple[Nested, ...]" = ()
    read: Callable[[], tuple[str, ...]]

    def entities(self) -> Iterator[str]:
        """Name the entity of each hit."""
        yield from (hit.entity for hit in self.hits)
        for nested in self.nested:
            yield from nested.document.entities()

    def texts(self) -> tuple[str, ...]:
        """Give the decoded texts."""
        return (*self.read(), *itertools.chain.from_iterable(nested.document.texts() for nested in self.nested))

    def render(self, operators: Operators) -> bytes:
        """Write it with operators applied; the same bytes where nothing changes."""
        changes = [*replacements(self.hits, operators), *nested_changes(self.nested, operators)]
        if not changes:
            return self.raw
        return rewrite(self.text, (*self.vouching, *changes)).encode(self.charset, "replace")


class Opaque(msgspec.Struct, frozen=True):
    """Bytes that can't be inspected: sent as they are, never recorded. `kind`: what they look like."""

    raw: bytes
    kind: str

    def entities(self) -> Iterator[str]:
        """Name nothing."""
        return iter(())

    def texts(self) -> tuple[str, ...]:
        """Give nothing."""
        return ()

    def render(self, operators: Operators) -> bytes:
        """Give the bytes, or, for the record, what they are."""
        return f"‹uninspected: {self.kind}, {len(self.raw)} bytes›".encode() if operators.records else self.raw


type Readable = Document | Opaque | Composite | Encoded


class Encoded(msgspec.Struct, frozen=True):
    """A document that is encoded as a whole, such as a part in base64; `wrap` encodes it again."""

    raw: bytes
    document: Readable
    plain: bytes
    wrap: Callable[[bytes], bytes]

    def entities(self) -> Iterator[str]:
        """Name the entity of each hit."""
        return self.document.entities()

    def texts(self) -> tuple[str, ...]:
        """Give the decoded texts."""
        return self.document.texts()

    def render(self, operators: Operators) -> bytes:
        """Write it with operators applied; the same bytes where nothing changes."""
        plain = self.document.render(operators)
        return self.raw if plain == self.plain else self.wrap(plain)


class Nested(msgspec.Struct, frozen=True):
    """A document that stands encoded in the text of another; `written` encodes it for this place."""

    start: int
    end: int
    document: Readable
    plain: bytes
    written: Callable[[bytes], str]


class Composite(msgspec.Struct, frozen=True):
    """Documents with bytes between them that stay as they are."""

    raw: bytes
    pieces: tuple[bytes | Readable, ...]

    def entities(self) -> Iterator[str]:
        """Name the entity of each hit."""
        return itertools.chain.from_iterable(piece.entities() for piece in self.documents)

    def texts(self) -> tuple[str, ...]:
        """Give the decoded texts."""
        return tuple(itertools.chain.from_iterable(piece.texts() for piece in self.documents))

    def render(self, operators: Operators) -> bytes:
        """Write it with operators applied; the same bytes where nothing changes."""
        return b"".join(piece if isinstance(piece, bytes) else piece.render(operators) for piece in self.pieces)

    @property
    def documents(self) -> tuple[Readable, ...]:
        """The documents, in order."""
        return tuple(piece for piece in self.pieces if not isinstance(piece, bytes))


def nested_changes(nested: Iterable[Nested], operators: Operators) -> Iterator[Replacement]:
    """Say what stands where instead, of what is encoded in a text."""
    for one in nested:
        plain = one.document.render(operators)
        if plain != one.plain:
            yield one.start, one.end, one.written(plain)


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
    """Put replacements in; one within another is left out, one that goes on beyond it replaces the rest."""
    pieces: list[str] = []
    at = 0
    for start, end, instead in sorted(changes):
        if end > at or start >= at:
            pieces += (text[at:start], instead)
            at = end
    pieces.append(text[at:])
    return "".join(pieces)
