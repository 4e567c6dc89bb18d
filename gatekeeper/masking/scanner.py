"""Finds spans in a text: gate, pattern, context, validator; then overlaps leftmost, longest, by priority.

What is found at a place depends on a bounded stretch of text around it and nothing else, so that a text
that comes in pieces gives the same spans as the whole: `scan` says from where on more text could matter.
"""

import bisect
import enum
import functools
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import regex  # type: ignore[import-untyped]  # its types are a package of their own

from gatekeeper.masking.allow import NOTHING, Allowed
from gatekeeper.masking.catalogue import DEFAULT_DETECTORS
from gatekeeper.masking.context import AGAINST, CONTEXT, is_near, links, name_around, nearest_word
from gatekeeper.masking.detector import Detector, Span
from gatekeeper.masking.gate import Gate, Rows, gate_bytes, goes_on, locate, locate_words, numbers_of
from gatekeeper.masking.growth import Growth
from gatekeeper.masking.work import Work

__all__ = ["BETWEEN", "LEFT", "Candidate", "Fields", "Outcome", "Scan", "Scanner", "Work", "default_scanner"]

LEFT: Final = CONTEXT + 16
"""Characters to the left of a place that decide, lookbehinds included, what is found there."""

_AHEAD: Final = 2  # characters past its end that a pattern may look at
_LEAST: Final = 4  # characters of the shortest match
_NEAR: Final = 160  # characters of a text of which no part is asked about for its own sake
_FEW: Final = 3  # patterns that are tried sooner than the gate is asked which of them could match
_REMEMBERED: Final = 1 << 12
# What the parts cost, in units of Work.
_GATE_CHARACTERS: Final = 8  # a unit passes so many characters through the gate or a locator
_TRY: Final = 100
_GROWTH: Final = 20  # units a character for the question what could still grow


class Scan(msgspec.Struct, frozen=True, gc=False):
    """`spans` are settled; more text could make a difference from `settled` on."""

    spans: tuple[Span, ...]
    settled: int


class Outcome(enum.Enum):
    """What became of a match of a detector's pattern."""

    FOUND = "found"
    NO_WORD = "no context word"
    AGAINST = "a word speaks against it"
    INVALID = "its validator says no"
    ALLOWED = "on an allow-list"


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A match of a detector's pattern; `word` is the place of the word that spoke for it or against it."""

    start: int
    end: int
    detector: Detector
    outcome: Outcome
    word: tuple[int, int] | None = None

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Leftmost, longest, by priority; then the one whose word is nearer."""
        distance = self.start - self.word[1] if self.word else CONTEXT
        return self.start, -self.end, -self.detector.priority, distance


class Fields:
    """Texts that were joined, to be looked at at once, each as if it stood alone.

    `pieces` has three elements for each: what counts as left of it, its text, and BETWEEN. Where they stand is found
    out when it is asked for.
    """

    __slots__ = ("_pieces", "begins", "ends", "starts")

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = pieces
        self.starts: list[int] = []
        self.begins: list[int] = []
        self.ends: list[int] = []

    def number(self, at: int) -> int:
        """Give the number of the text that holds a place, or stands before it; -1 where none does."""
        if not self.begins:
            places = list(itertools.accumulate(map(len, self._pieces), initial=0))
            self.starts, self.begins, self.ends = places[::3], places[1::3], places[2::3]
        return bisect.bisect_right(self.begins, at) - 1

    def bounds(self, at: int) -> tuple[int, int] | None:
        """Give where the text that holds a place is, with what is its left; None where the place is in no text."""
        number = self.number(at)
        return (self.starts[number], self.ends[number]) if number >= 0 and at < self.ends[number] else None


BETWEEN: Final = "\0\n"
"""What stands between joined texts: no detector's look to the left reaches over both."""


class _Row:
    """A detector, ready to run."""

    __slots__ = ("detector", "lead", "match", "matches", "order", "shape")

    def __init__(self, number: int, detector: Detector) -> None:
        self.detector = detector
        pattern = _compiled(detector.pattern)
        self.match, self.matches = pattern.match, pattern.finditer
        self.shape = detector.shape or detector.gate
        self.lead = detector.lead
        self.order = -detector.priority, number


class Scanner:
    """A compiled table of detectors, with the allow-lists."""

    def __init__(self, detectors: Sequence[Detector], allowed: Allowed = NOTHING) -> None:
        self.detectors = tuple(detectors)
        self.allowed = allowed
        self._gate = Gate(self.detectors)
        self._growth = Growth(self.detectors)
        self._chosen: dict[Rows, tuple[_Row, ...]] = {}
        self._row = functools.cache(lambda number: _Row(number, self.detectors[number]))

    def passes(self, text: str) -> bool:
        """Tell whether anything could be found in a text, which must be folded already."""
        return self._gate.passes(gate_bytes(text))

    def asks(self, text: str) -> bool:
        """Tell whether what stands left of a value could matter in a text, which must be folded already."""
        return self._gate.asks(gate_bytes(text))

    def lets_be(self, path: tuple[str | int, ...]) -> bool:
        """Tell whether what stands at this path of a JSON document is on an allow-list."""
        return bool(self.allowed.fields) and self.allowed.field(path)

    def scan(self, text: str, start: int, floor: int, work: Work, *, final: bool) -> Scan:
        """Find spans in a folded text; candidates begin at `start`, spans at `floor`, where others have ended.

        Not `final`: the text may go on, and only spans are given that nothing could change.
        """
        data = gate_bytes(text)
        settled = len(text) if final else self._growth.settled(text, data, start)
        work.spend((len(text) - start) * (1 if final else _GROWTH))
        if settled <= start:  # all of it could still grow: what it is now doesn't matter
            return Scan((), settled)
        found: list[Candidate] = []
        for candidate in self.candidates(text, data, start, work, settled):
            if candidate.outcome is not Outcome.FOUND:
                continue
            found.append(candidate)
            if not final and candidate.end > len(text) - _AHEAD:
                settled = min(settled, candidate.start)
        return Scan(_resolved([candidate for candidate in found if candidate.start < settled], floor), settled)

    def scan_fields(self, text: str, fields: Fields, work: Work) -> tuple[Span, ...]:
        """Find spans in folded texts that are joined, each of which is whole."""
        work.spend(len(text))
        candidates = self.candidates(text, gate_bytes(text), 0, work, fields=fields)
        return _resolved([candidate for candidate in candidates if candidate.outcome is Outcome.FOUND], 0)

    def candidates(
        self, text: str, data: bytes, start: int, work: Work, stop: int = sys.maxsize, fields: Fields | None = None
    ) -> Iterable[Candidate]:
        """Give each match of each detector's pattern that begins from `start` on, before `stop`, and its outcome."""
        if len(text) - start < _LEAST:
            return ()
        work.spend(len(data) // _GATE_CHARACTERS)
        rows, numeric = self._gate.promising(data)
        if not rows and not numeric:
            return ()
        place = _Place(text, data, start, stop, fields)
        if not rows:
            return self._numbers(numeric, place, work)
        others = itertools.chain.from_iterable(self._of(row, place, work) for row in self._rows(rows))
        return itertools.chain(others, self._numbers(numeric, place, work)) if numeric else others

    def _rows(self, rows: Rows) -> tuple[_Row, ...]:
        """Give the rows of a set, those of a higher priority first."""
        chosen = self._chosen.get(rows)
        if chosen is None:
            chosen = tuple(sorted(map(self._row, numbers_of(rows)), key=lambda row: row.order))
            if len(self._chosen) < _REMEMBERED:
                self._chosen[rows] = chosen
        return chosen

    def _of(self, row: _Row, place: "_Place", work: Work) -> Iterator[Candidate]:
        """Try every start, also within what matched, so that the result doesn't depend on where the text was cut."""
        detector, match_at = row.detector, row.match
        if place.near:
            work.spend(_TRY, detector.entity)
            for match in row.matches(place.text, place.start, overlapped=True):
                if match.start() >= place.stop:
                    return
                yield self._judged(detector, place, 0, match, work)
            return
        work.spend((len(place.data) - place.start) // _GATE_CHARACTERS, detector.entity)
        found = 0
        for begin in _starts(row, place.data, place.start):
            if begin >= place.stop:
                return
            if (bounds := place.bounds(begin)) is None:
                continue
            work.spend(_TRY, detector.entity)
            if (match := match_at(place.text, begin, bounds[1])) and match.end() > found:
                candidate = self._judged(detector, place, bounds[0], match, work)
                if candidate.outcome is Outcome.FOUND:
                    found = candidate.end
                yield candidate

    def _numbers(self, numeric: Rows, place: "_Place", work: Work) -> Iterator[Candidate]:
        """Try where numbers begin. What lies within what was found by a detector that goes before is found already."""
        covered, closed = 0, False
        for begin, could in self._gate.numbers.starts(place.data, place.start, numeric):
            if begin >= place.stop:
                return
            if closed and begin < covered:
                continue
            rows = self._promising(could, begin, place, work)
            if not rows or (bounds := place.bounds(begin)) is None:
                continue
            for row in self._rows(rows):
                work.spend(_TRY, row.detector.entity)
                match = row.match(place.text, begin, bounds[1])
                if match is None or match.end() <= covered:
                    continue
                candidate = self._judged(row.detector, place, bounds[0], match, work)
                yield candidate
                if candidate.outcome is Outcome.FOUND:
                    covered = max(covered, candidate.end)
                    closed = goes_on(place.data, covered) is None
                    if closed:  # nothing that begins here reaches further
                        break

    def _promising(self, rows: Rows, begin: int, place: "_Place", work: Work) -> Rows:
        """Leave of detectors those that could match at a place by what is there, and whose word could be."""
        if rows & ~self._gate.free and not place.near:
            work.spend(_TRY)
            rows &= self._gate.told(place.data[max(0, begin - CONTEXT) : begin])
        if rows.bit_count() > _FEW:
            work.spend(_TRY)
            rows &= self._gate.numbers.exactly(place.data, begin)
        return rows

    def _judged(self, detector: Detector, place: "_Place", left: int, match: regex.Match[str], work: Work) -> Candidate:
        start, end = match.span()
        text, data = place.text, place.data
        word = None
        if detector.context:
            word = nearest_word(detector.context, text, data, start, max(left, start - detector.within))
            if word is None or not _speaks_for(detector, text, word, match):
                return Candidate(start, end, detector, Outcome.NO_WORD)
        if detector.against:
            within = word[1] if word else _line_start(data, max(left, start - AGAINST), start)
            if is_near(detector.against, data[within:start]) and (
                against := nearest_word(detector.against, text, data, start, within)
            ):
                return Candidate(start, end, detector, Outcome.AGAINST, against)
        if detector.validate is not None:
            work.spend(detector.cost, detector.entity)
            length = detector.validate(match[0])
            if not length:
                return Candidate(start, end, detector, Outcome.INVALID, word)
            end = start + length
        allowed = self.allowed is not NOTHING and self.allowed.value(text[start:end])
        return Candidate(start, end, detector, Outcome.ALLOWED if allowed else Outcome.FOUND, word)


class _Place:
    """What is looked at, and where: a text, as it is and as the gate reads it."""

    __slots__ = ("_fields", "_whole", "data", "near", "start", "stop", "text")

    def __init__(self, text: str, data: bytes, start: int, stop: int, fields: Fields | None) -> None:
        self.text, self.data, self.start, self.stop, self._fields = text, data, start, stop, fields
        self._whole = 0, len(text)
        self.near = fields is None and len(data) <= _NEAR

    def bounds(self, at: int) -> tuple[int, int] | None:
        """Give what a match at a place may see: from where to the left, and up to where."""
        return self._whole if self._fields is None else self._fields.bounds(at)


def _starts(row: _Row, data: bytes, start: int) -> Iterator[int]:
    """Give each place at which a match could begin, once."""
    tried = start
    for region_start, region_end in _regions(row.detector, data, start):
        for at in locate(row.shape, data, max(0, region_start - row.lead), region_end):
            first, tried = max(at, tried, region_start), max(tried, min(at + row.lead + 1, region_end))
            yield from range(first, tried)


def _regions(detector: Detector, data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Give where matches can begin: anywhere, or right of a context word."""
    if not detector.context:
        yield start, len(data)
        return
    for word_start, word_end in locate_words(detector.context, data, max(0, start - detector.within)):
        end = min(len(data), word_end + detector.within)  # a shorter word may end it: `birth:` in `date of birth:`
        start = max(start, word_start + 1)
        if start < end:
            yield start, end
            start = end


def _resolved(candidates: list[Candidate], floor: int) -> tuple[Span, ...]:
    """Leftmost, longest, priority. Of one that another overlaps the rest is masked too: it was found."""
    if len(candidates) > 1:
        candidates = sorted(candidates, key=lambda candidate: candidate.order)
    spans: list[Span] = []
    for candidate in candidates:
        if candidate.end > floor:
            spans.append(Span(max(candidate.start, floor), candidate.end, candidate.detector.entity))
            floor = candidate.end
    return tuple(spans)


def _line_start(data: bytes, start: int, end: int) -> int:
    """Give where between two places the last line begins, if the one before it is at its end: with a quote, say."""
    line = data.rfind(b"\n", start + 1, end)
    return line + 1 if line > 0 and data[line - 1] in _CLOSING else start


_CLOSING: Final = b"\"')]}.;"


def _speaks_for(detector: Detector, text: str, word: tuple[int, int], match: regex.Match[str]) -> bool:
    """Tell whether a word says of a match what it is: by the name it is a part of, and by what is between."""
    if detector.linked and match[0].isdecimal() and not links(detector.linked, text, word, match.start()):
        return False
    if not detector.named or (name := name_around(text, word, match.start())) == "*":
        return True
    return re.fullmatch(detector.named, name) is not None


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


@functools.cache
def default_scanner() -> Scanner:
    """Compile the detectors that are on unless told otherwise, once."""
    return Scanner(DEFAULT_DETECTORS)
