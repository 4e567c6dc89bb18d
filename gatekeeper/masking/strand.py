"""Texts as they lie in a document: a strand is one text, whole or in pieces, each with its place."""

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from gatekeeper.masking.channel import JSON_STARTS, Channel, Found, as_is
from gatekeeper.masking.detector import Span
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.table import Table
from gatekeeper.masking.view import View, fold, folded, json_meaning

_PLAIN_WORK: Final = 1 << 40

type Segment = tuple[int, int]


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """A piece of text at `start` of a document, as `view` reads it; `written` writes a replacement there."""

    view: View
    start: int
    written: Callable[[str], str] = as_is

    def segment(self, start: int, end: int) -> Segment:
        """Give the place in the document of a part of the text."""
        begin, stop = self.view.source(start, end)
        return self.start + begin, self.start + stop


class Strand(msgspec.Struct, frozen=True, gc=False):
    """One text: its leaves in order, and what stands to the left of it (the words of a key)."""

    leaves: tuple[Leaf, ...]
    left: str = ""


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A value in a document. The first segment gets the replacement, the others are taken out."""

    entity: str
    value: str
    segments: tuple[Segment, ...]
    written: Callable[[str], str]


class Reading:
    """A whole text as it is looked at: `text`, folded, with what the names of a table's columns say."""

    __slots__ = ("_source", "_view", "text")

    def __init__(self, scanner: Scanner, source: str) -> None:
        self._source = source
        self._view: View | None = None
        self.text = folded(source)
        if "\n" in source and scanner.asks(self.text) and (headed := Table().view(source)).starts is not None:
            self._view = headed.then(fold(headed.text))
            self.text = self._view.text

    def view(self) -> View:
        """Give it with the places in the source that it stands for."""
        return self._view or fold(self._source)

    def source(self, start: int, end: int) -> str:
        """Give a part of the text as it stands."""
        return self._source[start:end]


def find(scanner: Scanner, text: str, work: Work, left: str = "") -> list[Found]:
    """Find what is in one whole text."""
    if may_be_json(text):  # in which escapes mean something, and what is written must be JSON
        if not scanner.passes(left + folded(json_meaning(text))):
            return []
        return [piece for piece in Channel(scanner, left).push(text, work, final=True) if isinstance(piece, Found)]
    base = len(left)
    reading = Reading(scanner, text)
    if not (spans := scanner.scan(left + reading.text, base, base, work, final=True).spans):
        return []
    return found_in(reading, spans, base)


def found_in(reading: Reading, spans: Sequence[Span], base: int) -> list[Found]:
    """Give spans of a text as it is read as what was found in it; `base`: where it began for the scanner.

    Where one character is looked at as several, `¼` as `1⁄4`, two spans may share it: the first has it.
    """
    view = reading.view()
    found: list[Found] = []
    at = 0
    for span in spans:
        start, end = view.source(span.start - base, span.end - base)
        if at < end:
            start = max(at, start)
            value = view.text[span.start - base : span.end - base]
            found.append(Found(start, end, span.entity, reading.source(start, end), value, as_is))
            at = end
    return found


def may_be_json(text: str) -> bool:
    """Tell, by how it begins, whether a text may hold JSON."""
    return text.lstrip()[:1] in JSON_STARTS


def could_hit(scanner: Scanner, text: str) -> bool:
    """Ask the gate, about the text as it stands and, where it has escapes, as they mean."""
    if scanner.passes(folded(text)):
        return True
    return "\\" in text and scanner.passes(folded(json_meaning(text)))


def spans_of(scanner: Scanner, text: str) -> list[Span]:
    """Find what detectors see in plain text: code points, end exclusive."""
    work = Work(_PLAIN_WORK)
    if "\\" in text and may_be_json(text):
        return [Span(found.start, found.end, found.entity) for found in find(scanner, text, work)]
    reading = None if text.isascii() and "\n" not in text else Reading(scanner, text)
    spans = scanner.scan(reading.text if reading else text, 0, 0, work, final=True).spans
    if reading is None or not spans:
        return list(spans)
    return [Span(found.start, found.end, found.entity) for found in found_in(reading, spans, 0)]


class Repeats:
    """What was found in the long texts that came last, for those who send each of them several times."""

    __slots__ = ("_found", "_scanner")

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._found: dict[tuple[str, str], list[Found]] = {}

    def find(self, text: str, work: Work, left: str) -> list[Found]:
        """Find what is in one whole text."""
        if not _LONG <= len(text) <= _LONGEST:
            return find(self._scanner, text, work, left)
        known = self._found.pop((left, text), None)
        self._found[left, text] = known = find(self._scanner, text, work, left) if known is None else known
        if len(self._found) > _REMEMBERED:
            del self._found[next(iter(self._found))]
        return known


_LONG: Final = 512
_LONGEST: Final = 1 << 18
_REMEMBERED: Final = 2


def hits(scanner: Scanner, strands: Iterable[Strand], work: Work, repeats: Repeats | None = None) -> tuple[Hit, ...]:
    """Find what is in the strands; where strands share a place, what an earlier one found there stays."""
    taken = _Taken()
    found: list[Hit] = []
    for strand in _promising(scanner, strands):
        for hit in _strand_hits(scanner, strand, work, repeats):
            segments = tuple(free for segment in hit.segments for free in taken.take(*segment))
            found += [msgspec.structs.replace(hit, segments=segments)] if segments else []
    return tuple(found)


def _promising(scanner: Scanner, strands: Iterable[Strand]) -> Iterable[Strand]:
    """Leave out the short strands where the gate, asked once about all of them, says that there is nothing in any."""
    several = list(strands)
    short = [strand for strand in several if len(strand.leaves) == 1 and len(strand.leaves[0].view.text) <= _SHORT]
    if len(short) < _FEW or could_hit(scanner, "\n".join(strand.left + strand.leaves[0].view.text for strand in short)):
        return several
    left_out = {id(strand) for strand in short}
    return [strand for strand in several if id(strand) not in left_out]


_FEW: Final = 3
_SHORT: Final = 128
"""Characters of a text that is looked at together with others."""


class _Taken:
    """Places in which something was found already: disjoint, in order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> list[Segment]:
        """Give what is free of a place, and take it."""
        first = bisect.bisect_right(self._ends, start)
        last = bisect.bisect_left(self._starts, end)
        inner = list(zip(self._starts[first:last], self._ends[first:last], strict=True))
        edges = [start, *(edge for place in inner for edge in place), end]
        free = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]
        if inner:
            start, end = min(start, inner[0][0]), max(end, inner[-1][1])
        self._starts[first:last], self._ends[first:last] = [start], [end]
        return free


def _strand_hits(scanner: Scanner, strand: Strand, work: Work, repeats: Repeats | None) -> Iterator[Hit]:
    if len(strand.leaves) == 1:
        leaf = strand.leaves[0]
        text = leaf.view.text
        whole = repeats.find(text, work, strand.left) if repeats else find(scanner, text, work, strand.left)
        for found in whole:
            yield Hit(found.entity, found.value, (leaf.segment(found.start, found.end),), both(leaf, found))
        return
    at = first = 0
    starts = [at := at + size for size in (0, *(len(leaf.view.text) for leaf in strand.leaves[:-1]))]
    for found in find(scanner, "".join(leaf.view.text for leaf in strand.leaves), work, strand.left):
        while first + 1 < len(starts) and starts[first + 1] <= found.start:
            first += 1
        segments = tuple(_segments(strand.leaves[first:], starts[first:], found))
        yield Hit(found.entity, found.value, segments, both(strand.leaves[first], found))


def _segments(leaves: Sequence[Leaf], starts: Sequence[int], found: Found) -> Iterator[Segment]:
    for leaf, offset in zip(leaves, starts, strict=True):
        if offset >= found.end:
            return
        start, end = max(found.start - offset, 0), min(found.end - offset, len(leaf.view.text))
        if start < end:
            yield leaf.segment(start, end)


def both(leaf: Leaf, found: Found) -> Callable[[str], str]:
    """Write a replacement as the text asks for it where it was found, and then as its leaf does."""
    return leaf.written if found.written is as_is else lambda text: leaf.written(found.written(text))
