"""RE2 before `regex`: which detectors could find something in a text, and where, at the speed of an automaton.

It reads one byte for each character, ASCII as it is and `?` for any other, so that places are the same in both.
"""

import functools
import operator
import re
import string
from collections.abc import Iterator, Sequence
from typing import Final

import re2

from gatekeeper.masking.detector import Detector

_MEMORY: Final = 64 << 20  # bytes; RE2 answers «no match» where its automaton finds no room
_REACH: Final = 256  # characters that a gate's pattern may span
_CLASS_OR_NOT_ASCII: Final = re.compile(r"\[[^\]]*\]|[^\x00-\x7f]")


def gate_bytes(text: str) -> bytes:
    """Give what the gate reads of a text."""
    return text.encode("ascii", "replace")


def words_gate(words: str) -> str:
    """Give RE2's form of context words."""
    read = _CLASS_OR_NOT_ASCII.sub(
        lambda found: gate_bytes(found[0]).decode() if found[0][1:] else "[?]", spaced(words)
    )
    return f"(?i:{read})"


CAMEL: Final = "[a-z][A-Z]"
"""Where a word may begin within another, as in `customerSsn`."""


def bounded(word: str) -> str:
    """Give RE2's form of words that don't stand within others: they end where letters and digits do."""
    return rf"(?:^|[^A-Za-z0-9]){word}(?:[^A-Za-z0-9]|\b|$)"


_SPACE: Final = re.compile(r"(\[[^\]]*\]|\\.)| ")


@functools.cache
def spaced(words: str) -> str:
    """Let a space in context words also be a dash, an underscore or nothing: `date_of_birth`, `dateOfBirth`."""
    return _SPACE.sub(lambda found: found[1] if found[1] not in {None, "[ -]"} else "[ _-]?", words)


type Rows = int
"""A set of detectors: bit n stands for number n."""


def numbers_of(rows: Rows) -> Iterator[int]:
    """Give the numbers of a set of detectors, in order."""
    while rows:
        lowest = rows & -rows
        yield lowest.bit_length() - 1
        rows ^= lowest


class Gate:
    """Says which detectors could find something in a text: where their pattern could match, and a word of theirs is."""

    __slots__ = ("_anywhere", "_camel", "_count", "_every", "_numeric", "_whole", "_words", "free", "numbers")

    def __init__(self, detectors: Sequence[Detector]) -> None:
        words = [words_gate(row.context) if row.context else "" for row in detectors]
        alone = [bounded(word) if word else "" for word in words] + [CAMEL]
        self._count = len(words)
        self._every: Rows = (1 << self._count) - 1
        self._camel: Rows = 1 << self._count
        self._whole = Index([*map(gate_of, detectors), *alone])  # costs hardly more than shapes alone
        self._words = Index(alone)
        self._anywhere = Index(words)
        self._numeric: Rows = sum(1 << number for number, row in enumerate(detectors) if row.numeric or row.coded)
        self.numbers = NumberGate(detectors)
        self.free: Rows = sum(1 << number for number, row in enumerate(detectors) if not row.context)

    def promising(self, data: bytes) -> tuple[Rows, Rows]:
        """Give the detectors whose shape and word are in a text: those that aren't numeric, and numeric ones."""
        found = self._whole.found(data)
        rows = found & self._every
        if rows & ~self.free:
            rows &= self._told(found >> self._count, data)
        numeric = rows & self._numeric
        return rows ^ numeric, numeric

    def told(self, data: bytes) -> Rows:
        """Give the detectors that ask for no word, or for one that is there."""
        return self._told(self._words.found(data), data)

    def _told(self, told: Rows, data: bytes) -> Rows:
        if told & self._camel:
            told |= self._anywhere.found(data)
        return self.free | told

    def asks(self, data: bytes) -> bool:
        """Tell whether anything has the shape of a value in a text, and a word is in it that some detector asks for."""
        found = self._whole.found(data)
        return bool(found & self._every) and bool(self._told(found >> self._count, data) & ~self.free)

    def passes(self, data: bytes) -> bool:
        """Tell whether any detector is worth running."""
        rows, numeric = self.promising(data)
        numbers = self.numbers.starts(data, 0, numeric) if numeric else ()
        return bool(rows) or any(could & self.numbers.exactly(data, at) for at, could in numbers)


class Index:
    """Patterns by detector, each compiled once, however many have it; an empty one is none."""

    __slots__ = ("_match", "_rows", "_seen")

    def __init__(self, patterns: Sequence[str], *, anchored: bool = False) -> None:
        rows: dict[str, Rows] = {}
        for number, pattern in enumerate(patterns):
            if pattern:
                rows[pattern] = rows.get(pattern, 0) | 1 << number
        self._match = compiled_set(tuple(rows), anchored=anchored).Match if rows else None
        self._rows = tuple(rows.values())
        self._seen: dict[tuple[int, ...], Rows] = {}

    def found(self, data: bytes) -> Rows:
        """Give the detectors whose pattern is found."""
        if self._match is None or not (matched := self._match(data)):
            return 0
        key = tuple(matched)
        if (rows := self._seen.get(key)) is None:
            rows = functools.reduce(operator.or_, [self._rows[pattern] for pattern in key])
            if len(self._seen) < _REMEMBERED:
                self._seen[key] = rows
        return rows


_REMEMBERED: Final = 1 << 14

# Where a number begins that is long enough for a numeric detector, or is an IPv4 address, or has capitals in it.
NUMBERS: Final = r"\b\d(?:(?:[ .:/()+-]{0,5}\d){5}|\d{0,2}(?:\.\d{1,3}){3}|[A-Z][A-Z0-9]\d)"


def gate_of(row: Detector) -> str:
    """Give what must be in a text for a detector to be worth running."""
    return NUMBERS if row.numeric and not row.shape else row.gate


class NumberGate:
    """Says where numbers begin, and which numeric detectors could match there: one look for all of them.

    Most numbers have a form that was seen before, `00-00-0000 00:00`, so what could match is looked up by their form.
    """

    __slots__ = ("_begun", "_coded", "_forms", "_index", "_loose", "_missed")

    def __init__(self, detectors: Sequence[Detector]) -> None:
        shapes = [(row.shape or row.gate) if row.numeric or row.coded else "" for row in detectors]
        self._coded: Rows = sum(1 << number for number, row in enumerate(detectors) if row.coded)
        self._index = Index(shapes, anchored=True)
        self._loose = Index([formal(shape) for shape in shapes], anchored=True)
        self._forms: dict[bytes, tuple[tuple[int, bytes, Rows], ...]] = {}
        self._begun: dict[tuple[bytes, bytes], Rows] = {}
        self._missed = 0

    def starts(self, data: bytes, start: int, rows: Rows) -> Iterator[tuple[int, Rows]]:
        """Give each place from `start` on where one of `rows` could match, with those of them that could by form."""
        forms, begun = self._forms, self._begun
        for run in (_CODE_RUN if rows & self._coded else _RUN).finditer(data, start):
            begin, end = run.span()
            if end - begin > _LONG_RUN:
                for number in _NUMBER.finditer(data, begin, end):
                    if could := rows & self.exactly(data, number.start()):
                        yield number.start(), could
                continue
            form = data[begin : end + 1].translate(_FORM)
            if (places := forms.get(form)) is None:
                places = self._places(form)
            for offset, rest, coded in places:
                at = begin + offset
                known = coded or begun.get((data[at : at + _LEAD], rest))
                if known is None:
                    known = self._first_time(data[at : at + _LEAD], rest, data, at)
                if could := known & rows:
                    yield at, could

    def exactly(self, data: bytes, at: int) -> Rows:
        """Give the detectors that could match at a place, by what stands there."""
        return self._index.found(data[at : at + _LONGEST])

    def _places(self, form: bytes) -> tuple[tuple[int, bytes, Rows], ...]:
        """Give where in a form something could match, what follows its first characters, and what a code could be."""
        begins = [number.start() for number in _NUMBER.finditer(form)]
        places = tuple(
            (begin, form[begin + _LEAD :], could if form.startswith(_CODE, begin) else 0)
            for begin in begins
            if (could := self._loose.found(form[begin:]))
        )
        if len(self._forms) >= _REMEMBERED:  # what filled it may have been one hostile text
            self._forms.clear()
        self._forms[form] = places
        return places

    def _first_time(self, lead: bytes, rest: bytes, data: bytes, at: int) -> Rows:
        """Give the detectors that could match a beginning that isn't known, and remember them while there is room."""
        if len(self._begun) < _BEGUN:
            could = self._begun[lead, rest] = self._by_first_digits(lead, rest)
            return could
        self._missed += 1
        if self._missed == _FORGOTTEN_AFTER:
            self._missed = 0
            self._begun.clear()
        return self.exactly(data, at)

    def _by_first_digits(self, lead: bytes, rest: bytes) -> Rows:
        """Give the detectors that could match what begins so: of digits they ask something of the first."""
        could: Rows = 0
        for digit in b"0123456789":
            could |= self._index.found(lead + rest.replace(b"0", bytes((digit,))))
        return could


_LEAD: Final = 3
_BEGUN: Final = 4 * _REMEMBERED
_FORGOTTEN_AFTER: Final = 1 << 20

# What is looked at together: from where a number may begin, digits and capitals, with what may stand between them.
# It begins with a class of characters, for which `re` looks ten times as fast as for a look to the left.
_AHEAD: Final = rb"(?=[0-9A-Z .:/()+-]{5})"
_NUMBER_START: Final = rb"(?<=[0-9])(?<![0-9A-Za-z_][0-9])(?<![0-9]\.[0-9])|(?<=[+(])[+(]?[0-9]"
_CODE_START: Final = rb"(?<=[A-Z])(?<![0-9A-Za-z_][A-Z])[A-Z]{0,4}[ -]?[0-9]"
_REST: Final = rb"[0-9A-Z]*+(?:[ .:/()+-]{1,5}+[0-9A-Z]++)*+"
_RUN: Final = re.compile(rb"[0-9+(]%b(?:%b)%b" % (_AHEAD, _NUMBER_START, _REST))
_CODE_RUN: Final = re.compile(rb"[0-9A-Z+(]%b(?:%b|%b)%b" % (_AHEAD, _NUMBER_START, _CODE_START, _REST))
goes_on: Final = re.compile(rb"[ .:/()+-]{0,5}[0-9A-Z]|,? ?(?:[xX#]|ext)").match
"""Tells whether a number may go on, or an extension of it follow."""

_LONG_RUN: Final = 128
_FORM: Final = bytes.maketrans(
    (string.digits + string.ascii_uppercase + string.ascii_lowercase + "_").encode(),
    b"0" * 10 + b"A" * 26 + b"a" * 27,
)
_CODE: Final = b"A"
# Where a match of a numeric detector can begin: not within a word or after a decimal point, and not if too short.
_NUMBER: Final = re.compile(
    rb"(?<![0-9A-Za-z_])[A-Z](?=[A-Z]{0,4}[ -]?[0-9])|(?:(?<![0-9A-Za-z_])(?<![0-9]\.)[0-9]|[+(](?=[+(]?[0-9]))"
    rb"(?=(?:[ .:/()+-]{0,5}[0-9]){5}|[0-9]{0,2}(?:\.[0-9]{1,3}){3}|[0-9]{0,2}[A-Z])"
)
_LONGEST: Final = 96
_ATOM: Final = re.compile(r"\\.|\[[^\]]+\]|\{[\d,]+\}|\(\?\w*:|[0-9A-Z]")


def formal(shape: str) -> str:
    """Give a shape as it is found in forms, where each digit is 0 and each capital is A."""
    return _ATOM.sub(_formal, shape)


def _formal(atom: re.Match[str]) -> str:
    written = atom[0]
    if written[0] != "[":
        return "0" if written == r"\d" or written.isdecimal() else "A" if written.isupper() else written
    kinds = dict.fromkeys("0" if char.isdecimal() else "A" if char.isupper() else char for char in written[1:-1])
    dash = "-" if "-" in {written[1], written[-2]} else ""
    return f"[{''.join(kind for kind in kinds if kind != '-')}{dash}]"


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
def compiled(pattern: str) -> re2._Regexp:
    """Compile a pattern for RE2, over bytes."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern.encode(), options)


def locate(pattern: str, data: bytes, start: int, end: int) -> Iterator[int]:
    """Give each place from `start` on and before `end` where a match of the pattern begins."""
    search = compiled(pattern).search
    stop = min(len(data), end + _REACH)
    while start < end and (found := search(data, start, stop)):
        start = found.start()
        if start >= end:
            return
        yield start
        start += 1


def locate_words(words: str, data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Give the places of context words from `start` on, also within other words."""
    return (match.span() for match in compiled(words_gate(words)).finditer(data, start))
