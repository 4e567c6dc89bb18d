"""RE2 before `regex`: which detectors could find something in a text, and where, at the speed of an automaton.

It reads one byte for each character, ASCII as it is and `?` for any other, so that places are the same in both.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import re2

from gatekeeper.masking.detector import Detector

_MEMORY: Final = 64 << 20  # bytes; RE2 answers «no match» where its automaton finds no room
_REACH: Final = 256  # characters that a gate's pattern may span
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


def gate_bytes(text: str) -> bytes:
    """Give what the gate reads of a text."""
    return text.encode("ascii", "replace")


def words_gate(words: str) -> str:
    """Give RE2's form of context words."""
    return f"(?i)(?:{_NOT_ASCII.sub('[?]', words)})"


type Rows = int
"""A set of detectors: bit n stands for number n."""


def numbers_of(rows: Rows) -> Iterator[int]:
    """Give the numbers of a set of detectors, in order."""
    while rows:
        lowest = rows & -rows
        yield lowest.bit_length() - 1
        rows ^= lowest


class Gate:
    """Says which detectors could find something: where their pattern could match, and a word of theirs is."""

    __slots__ = ("_free", "_shapes", "_words")

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._shapes = _Index([NUMBERS if row.numeric else row.gate for row in detectors])
        self._words = _Index([words_gate(row.context) if row.context else "" for row in detectors])
        self._free: Rows = sum(1 << number for number, row in enumerate(detectors) if not row.context)

    def open(self, data: bytes) -> Rows:
        """Give the detectors that are worth running."""
        shaped = self._shapes.found(data)
        if not shaped & ~self._free:
            return shaped
        return shaped & (self._free | self._words.found(data))


class _Index:
    """Patterns by detector, each compiled once, however many have it; an empty one is none."""

    __slots__ = ("_rows", "_set")

    def __init__(self, patterns: Sequence[str]) -> None:
        rows: dict[str, Rows] = {}
        for number, pattern in enumerate(patterns):
            if pattern:
                rows[pattern] = rows.get(pattern, 0) | 1 << number
        self._set = compiled_set(tuple(rows)) if rows else None
        self._rows = tuple(rows.values())

    def found(self, data: bytes) -> Rows:
        """Give the detectors whose pattern is found."""
        found: Rows = 0
        for pattern in self._set.Match(data) or () if self._set else ():
            found |= self._rows[pattern]
        return found


# Where a number begins that is long enough for a numeric detector, or is an IPv4 address, or has capitals in it.
NUMBERS: Final = r"\d(?:[ .:/()-]{0,5}\d){5}|\d\.\d{1,3}\.\d{1,3}\.\d|\b\d[A-Z][A-Z0-9]\d"


class NumberGate:
    """Says where numbers begin, and which numeric detectors could match there: one look for all of them."""

    __slots__ = ("_priorities", "_rows", "_set", "numeric")

    def __init__(self, detectors: Sequence[Detector]) -> None:
        shapes: dict[str, Rows] = {}
        for number, detector in enumerate(detectors):
            if detector.numeric:
                shape = detector.shape or detector.gate
                shapes[shape] = shapes.get(shape, 0) | 1 << number
        self._rows = tuple(shapes.values())
        self._set = compiled_set(tuple(shapes), anchored=True) if shapes else None
        self._priorities = [-detector.priority for detector in detectors]
        self.numeric: Rows = sum(self._rows)

    def starts(self, data: bytes, start: int, opened: Rows) -> Iterator[tuple[int, Rows]]:
        """Give each place from `start` on where one of these detectors could match, with those that could."""
        if self._set is None:
            return
        match, rows = self._set.Match, self._rows
        for number in _NUMBER.finditer(data, start):
            at = number.start()
            could: Rows = 0
            for shape in match(data[at : at + _LONGEST]) or ():
                could |= rows[shape]
            if could := could & opened:
                yield at, could

    def by_priority(self, rows: Rows) -> list[int]:
        """Give the numbers of detectors, those of a higher priority first."""
        return sorted(numbers_of(rows), key=self._priorities.__getitem__)


# Where a match of a numeric detector can begin: not within a word or after a decimal point, and not if too short.
_NUMBER: Final = re.compile(
    rb"(?:(?<![0-9A-Za-z_])(?<![0-9]\.)[0-9]|[+(](?=[+(]?[0-9]))"
    rb"(?=(?:[ .:/()+-]{0,5}[0-9]){5}|[0-9]{0,2}(?:\.[0-9]{1,3}){3}|[0-9]{0,2}[A-Z])"
)
_LONGEST: Final = 96


@functools.cache
def compiled_set(patterns: tuple[str, ...], *, anchored: bool = False) -> re2.Set:
    """Compile a set, which says by number which patterns are found in a text, or at its start."""
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    gate = re2.Set.MatchSet(options) if anchored else re2.Set.SearchSet(options)
    for pattern in patterns:
        gate.Add(pattern)
    gate.Compile()
    return gate


@functools.cache
def _locator(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern.encode(), options)


def locate(pattern: str, data: bytes, start: int, end: int) -> Iterator[int]:
    """Give each place from `start` on and before `end` where a match of the pattern begins."""
    search = _locator(pattern).search
    stop = min(len(data), end + _REACH)
    while start < end and (found := search(data, start, stop)):
        start = found.start()
        if start >= end:
            return
        yield start
        start += 1


def locate_words(words: str, data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Give the places of context words from `start` on, also within other words."""
    return (match.span() for match in _locator(words_gate(words)).finditer(data, start))
