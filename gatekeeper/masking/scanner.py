"""Finds spans in a text: gate, pattern, validator, context; then overlaps leftmost, longest, by priority.

What is found at a place depends on a bounded stretch of text around it and nothing else, so that a text
that comes in pieces gives the same spans as the whole: `scan` says from where on more text could matter.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import re2
import regex  # type: ignore[import-untyped]  # its types are a package of their own

from gatekeeper.masking.catalogue import DETECTORS
from gatekeeper.masking.detector import Detector, Span
from gatekeeper.masking.faults import UnreadableBody

CONTEXT: Final = 64
"""Characters to the left of a match in which context words are looked for."""

LEFT: Final = CONTEXT + 16
"""Characters to the left of a place that decide, lookbehinds included, what is found there."""

_AHEAD: Final = 2  # characters past its end that a pattern may look at
_LEAST: Final = 6  # characters of the shortest match: a@b.co
_NEVER: Final = "\uffff"  # a noncharacter: no text that means something has it
_GATE_MEMORY: Final = 64 << 20  # bytes; RE2 answers «no match» where its automaton finds no room

_SPACED_START: Final = re.compile(r"[\d(+]|[A-Z](?:[A-Z]|\Z)")
_PLAIN_WORD: Final = re.compile(r"\w[\w.+%'-]{0,63}")

# A value and the next key: what stands left of it belongs to another field.
_FIELD_END: Final = re.compile(r"\"\s*,|,\s*\\*\"")


class Work:
    """How much may still be done for one message, in characters times detectors run."""

    __slots__ = ("left",)

    def __init__(self, limit: int) -> None:
        self.left = limit

    def spend(self, amount: int) -> None:
        """Take off; raises UnreadableBody when nothing is left."""
        self.left -= amount
        if self.left < 0:
            msg = "it takes more work to inspect than is allowed"
            raise UnreadableBody(msg)


class Scan(msgspec.Struct, frozen=True):
    """`spans` are settled; more text could make a difference from `settled` on."""

    spans: tuple[Span, ...]
    settled: int


class _Candidate(msgspec.Struct, frozen=True):
    start: int
    end: int
    rank: int
    entity: str

    @property
    def order(self) -> tuple[int, int, int]:
        return self.start, -self.end, -self.rank


class Scanner:
    """A compiled table of detectors."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = tuple(detectors)
        self._gate = _gate(detector.prefilter for detector in detectors)

    def passes(self, text: str | bytes) -> bool:
        """Tell whether anything could be found in a text, which must be folded already."""
        return bool(self._gate.Match(text.encode("utf-8", "replace") if isinstance(text, str) else text))

    def scan(self, text: str, start: int, floor: int, work: Work, *, final: bool) -> Scan:
        """Find spans in a folded text; candidates begin at `start`, spans at `floor`, where others have ended.

        Not `final`: the text may go on, and only spans are given that nothing could change.
        """
        settled = len(text) if final else self._settled(text, start, work)
        found: list[_Candidate] = []
        for candidate in self._candidates(text, start, work):
            found.append(candidate)
            if not final and candidate.end > len(text) - _AHEAD:
                settled = min(settled, candidate.start)
        found = sorted((candidate for candidate in found if candidate.start < settled), key=lambda c: c.order)
        return Scan(tuple(_resolved(found, floor)), settled)

    def _settled(self, text: str, start: int, work: Work) -> int:
        """Find the first place from which on a match could still grow."""
        work.spend(len(text) - start)
        settled = len(text)
        if _SPACED_START.search(text, start) and (match := self._spaced.search(text, start, partial=True)):
            settled = match.start()
        if not (word := _last_word(text[start:])):
            return settled
        if _PLAIN_WORD.fullmatch(word):  # it could become an address, and nothing begins before it
            return min(settled, len(text) - len(word))
        match = self._unspaced.search(text, len(text) - len(word), partial=True)
        return min(settled, match.start()) if match else settled

    @functools.cached_property
    def _spaced(self) -> regex.Pattern[str]:
        return _reaching_the_end(detector.pattern for detector in self._detectors if detector.spaced)

    @functools.cached_property
    def _unspaced(self) -> regex.Pattern[str]:
        return _reaching_the_end(detector.pattern for detector in self._detectors if not detector.spaced)

    def _candidates(self, text: str, start: int, work: Work) -> Iterator[_Candidate]:
        if len(text) - start < _LEAST:
            return
        work.spend(len(text))
        for number in self._gate.Match(text.encode("utf-8", "replace")) or ():
            yield from _candidates(self._detectors[number], text, start, work)


def _last_word(text: str) -> str:
    return "" if not text or text[-1].isspace() else text.rsplit(None, 1)[-1]


def _reaching_the_end(patterns: Iterable[str]) -> regex.Pattern[str]:
    """Match, partially, from the first place from which any of the patterns reaches the end of the text."""
    return regex.compile(f"(?:{'|'.join(f'(?:{pattern})' for pattern in dict.fromkeys(patterns))}){_NEVER}")


def _candidates(detector: Detector, text: str, start: int, work: Work) -> Iterator[_Candidate]:
    """Try every start, also within what matched, so that the result doesn't depend on where the text was cut."""
    pattern = _compiled(detector.pattern)
    work.spend(len(text) - start)
    while match := pattern.search(text, start):
        begin, end = match.span()
        start = begin + 1
        work.spend(CONTEXT)
        if detector.context and not _in_context(detector.context, text, begin):
            continue
        if detector.validate is not None:
            work.spend(detector.cost)
            end = begin + detector.validate(match[0])
        if end > begin:
            yield _Candidate(begin, end, detector.priority, detector.entity)


def _resolved(candidates: Iterable[_Candidate], floor: int) -> Iterator[Span]:
    """Leftmost, longest, priority. Of one that another overlaps the rest is masked too: it was found."""
    for candidate in candidates:
        if candidate.end > floor:
            yield Span(max(candidate.start, floor), candidate.end, candidate.entity)
            floor = candidate.end


def _in_context(words: str, text: str, at: int) -> bool:
    window = text[max(0, at - CONTEXT) : at]
    for field_end in _FIELD_END.finditer(window):
        window = text[max(0, at - CONTEXT) + field_end.end() : at]
    return _compiled(rf"(?i)(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])").search(window) is not None


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


def _gate(patterns: Iterable[str]) -> re2.Set:
    options = re2.Options()
    options.max_mem = _GATE_MEMORY
    options.log_errors = False
    gate = re2.Set.SearchSet(options)
    for pattern in patterns:
        gate.Add(pattern)
    gate.Compile()
    return gate


@functools.cache
def default_scanner() -> Scanner:
    """Compile the table of detectors, once."""
    return Scanner(DETECTORS)
