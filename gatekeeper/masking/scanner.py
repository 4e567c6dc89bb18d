"""Finds spans in a text: gate, pattern, context, validator; then overlaps leftmost, longest, by priority.

What is found at a place depends on a bounded stretch of text around it and nothing else, so that a text
that comes in pieces gives the same spans as the whole: `scan` says from where on more text could matter.
"""

import bisect
import enum
import functools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import regex  # type: ignore[import-untyped]  # its types are a package of their own

from gatekeeper.masking.allow import NOTHING, Allowed
from gatekeeper.masking.catalogue import DEFAULT_DETECTORS
from gatekeeper.masking.context import AGAINST, CONTEXT, nearest_word
from gatekeeper.masking.detector import Detector, Span
from gatekeeper.masking.gate import Gate, NumberGate, Rows, gate_bytes, locate, locate_words, numbers_of
from gatekeeper.masking.growth import Growth
from gatekeeper.masking.work import Work

__all__ = ["LEFT", "Candidate", "Outcome", "Scan", "Scanner", "Work", "default_scanner"]

LEFT: Final = CONTEXT + 16
"""Characters to the left of a place that decide, lookbehinds included, what is found there."""

_AHEAD: Final = 2  # characters past its end that a pattern may look at
_LEAST: Final = 4  # characters of the shortest match
# What the parts cost, in units of Work.
_GATE_CHARACTERS: Final = 8  # a unit passes so many characters through the gate or a locator
_TRY: Final = 100
_GROWTH: Final = 20  # units a character for the question what could still grow


class Scan(msgspec.Struct, frozen=True):
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


class Candidate(msgspec.Struct, frozen=True):
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


class Scanner:
    """A compiled table of detectors, with the allow-lists."""

    def __init__(self, detectors: Sequence[Detector], allowed: Allowed = NOTHING) -> None:
        self.detectors = tuple(detectors)
        self.allowed = allowed
        self._gate = Gate(self.detectors)
        self._number_gate = NumberGate(self.detectors)
        self._growth = Growth(self.detectors)
        self._last: tuple[bytes, Rows] = (b"", 0)

    def passes(self, text: str) -> bool:
        """Tell whether anything could be found in a text, which must be folded already."""
        data = gate_bytes(text)
        opened = self._opened(data)
        numeric = opened & self._number_gate.numeric
        return opened != numeric or (numeric != 0 and any(self._number_gate.starts(data, 0, numeric)))

    def _opened(self, data: bytes) -> Rows:
        """Ask the gate, once for a text that is asked about twice in turn."""
        last, opened = self._last
        if data != last:
            opened = self._gate.open(data)
            self._last = data, opened
        return opened

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
        found = sorted((candidate for candidate in found if candidate.start < settled), key=lambda c: c.order)
        return Scan(tuple(_resolved(found, floor)), settled)

    def candidates(
        self, text: str, data: bytes, start: int, work: Work, stop: int = sys.maxsize
    ) -> Iterator[Candidate]:
        """Give each match of each detector's pattern that begins from `start` on, before `stop`, and its outcome."""
        if len(text) - start < _LEAST:
            return
        work.spend(len(data) // _GATE_CHARACTERS)
        opened = self._opened(data)
        numeric = opened & self._number_gate.numeric
        for number in numbers_of(opened ^ numeric):
            yield from self._of(self.detectors[number], text, data, (start, stop), work)
        if numeric:
            yield from self._numbers(numeric, text, data, (start, stop), work)

    def _of(
        self, detector: Detector, text: str, data: bytes, within: tuple[int, int], work: Work
    ) -> Iterator[Candidate]:
        """Try every start, also within what matched, so that the result doesn't depend on where the text was cut."""
        start, stop = within
        match_at = _compiled(detector.pattern).match
        work.spend((len(data) - start) // _GATE_CHARACTERS, detector.entity)
        for begin in _starts(detector, data, start):
            if begin >= stop:
                return
            work.spend(_TRY, detector.entity)
            if match := match_at(text, begin):
                yield self._judged(detector, text, match, work)

    def _numbers(
        self, numbers: Rows, text: str, data: bytes, within: tuple[int, int], work: Work
    ) -> Iterator[Candidate]:
        """Try where numbers begin. What lies within what was found by a detector that goes before is found already."""
        start, stop = within
        regions = {
            number: list(_regions(self.detectors[number], data, start))
            for number in numbers_of(numbers)
            if self.detectors[number].context
        }
        covered = bytearray(len(data))
        for begin, shaped in self._number_gate.starts(data, start, numbers):
            if begin >= stop:
                return
            work.spend(_TRY)
            for number in self._number_gate.by_priority(shaped):
                if number in regions and not _within(regions[number], begin):
                    continue
                detector = self.detectors[number]
                work.spend(_TRY, detector.entity)
                match = _compiled(detector.pattern).match(text, begin)
                if match is None or covered.find(0, begin, match.end()) < 0:
                    continue
                candidate = self._judged(detector, text, match, work)
                if candidate.outcome is Outcome.FOUND:
                    covered[begin : candidate.end] = b"\1" * (candidate.end - begin)
                yield candidate

    def _judged(self, detector: Detector, text: str, match: regex.Match[str], work: Work) -> Candidate:
        start, end = match.span()
        word = None
        if detector.context and (word := nearest_word(detector.context, text, start, detector.within)) is None:
            return Candidate(start, end, detector, Outcome.NO_WORD)
        if detector.against:
            within = start - word[1] if word else AGAINST
            if against := nearest_word(detector.against, text, start, within):
                return Candidate(start, end, detector, Outcome.AGAINST, against)
        if detector.validate is not None:
            work.spend(detector.cost, detector.entity)
            length = detector.validate(match[0])
            if not length:
                return Candidate(start, end, detector, Outcome.INVALID, word)
            end = start + length
        outcome = Outcome.ALLOWED if self.allowed.value(text[start:end]) else Outcome.FOUND
        return Candidate(start, end, detector, outcome, word)


def _within(regions: list[tuple[int, int]], at: int) -> bool:
    place = bisect.bisect_right(regions, (at, sys.maxsize)) - 1
    return place >= 0 and at < regions[place][1]


def _starts(detector: Detector, data: bytes, start: int) -> Iterator[int]:
    """Give each place at which a match could begin, once."""
    tried = start
    for region_start, region_end in _regions(detector, data, start):
        for at in locate(detector.shape or detector.gate, data, max(0, region_start - detector.lead), region_end):
            first, tried = max(at, tried, region_start), max(tried, min(at + detector.lead + 1, region_end))
            yield from range(first, tried)


def _regions(detector: Detector, data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Give where matches can begin: anywhere, or right of a context word."""
    if not detector.context:
        yield start, len(data)
        return
    for word_start, _ in locate_words(detector.context, data, max(0, start - detector.within)):
        end = min(len(data), word_start + detector.within + 1)
        start = max(start, word_start + 1)
        if start < end:
            yield start, end
            start = end


def _resolved(candidates: Iterable[Candidate], floor: int) -> Iterator[Span]:
    """Leftmost, longest, priority. Of one that another overlaps the rest is masked too: it was found."""
    for candidate in candidates:
        if candidate.end > floor:
            yield Span(max(candidate.start, floor), candidate.end, candidate.detector.entity)
            floor = candidate.end


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


@functools.cache
def default_scanner() -> Scanner:
    """Compile the detectors that are on unless told otherwise, once."""
    return Scanner(DEFAULT_DETECTORS)
