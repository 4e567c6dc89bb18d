"""Tables in text: CSV, TSV, Markdown. What the head of a column says counts as left of each of its cells.

A cell's mark, `,` or `|`, is looked at as if its column's name stood there, as a key does in JSON: `",ssn: `. What a
mark means depends on what is before it only, so that a text that comes in pieces is looked at as the whole is.
"""

import copy
import re
from typing import Final

from gatekeeper.masking.catalogue import DETECTORS
from gatekeeper.masking.context import is_near
from gatekeeper.masking.gate import gate_bytes
from gatekeeper.masking.view import View, rewritten

_MARKS: Final = "\t|;,"  # as CSV, TSV and Markdown have them (RFC 4180)
_QUOTING: Final = ",;"
_MARK: Final = re.compile(r'["\n\t|;,]')
_LONGEST: Final = 1000  # characters of a line of names
_FEWEST: Final = 2
_LONGEST_CELL: Final = 64  # characters of a cell that may name the next one, with what is around it
_AROUND: Final = " \r\"'`*>"
_CELL: Final = re.compile(r"[^\W\d_][\w .#/()'-]{0,39}")
_NUMBER: Final = re.compile(r"\d\d")  # is in no name
_NO_NAME: Final = re.compile(r"[^A-Za-z\u00c0-\u024f _-]+")


def _run(letters: str) -> str:
    return rf"[{letters}]*+(?:[0-9](?![0-9])[{letters}]*+)*+"


# A line that may be one of names, as the gate reads it: two of them, with no two digits side by side in any.
_OF_NAMES: Final = r"A-Za-z_ .#/()\r>\"'`*?-"
_LIKELY: Final = re.compile(
    rf"\n[ \r>\"'`*\t|;,]*+[A-Za-z?]{_run(_OF_NAMES)}[\t|;,]{_run(rf'\t|;,{_OF_NAMES}')}(?=\n|\Z)".encode()
)
_MOST: Final = 4  # times the length of a text that names may add to what is looked at
_SPARE: Final = 4096

_WORDS: Final = "|".join(dict.fromkeys(row.context for row in DETECTORS if row.context))


class Table:
    """Where a text is in a table: the names of its columns, and the column."""

    __slots__ = ("_added", "_column", "_end", "_line", "_mark", "_names", "_quoted", "_seen")

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._mark = ""
        self._column = 0
        self._quoted = False
        self._line = self._end = ""  # of the line so far: how it begins, and how it ends
        self._seen = self._added = 0  # characters: of the text, and of names

    def view(self, text: str) -> View:
        """View what comes next, with the names of columns before their cells."""
        if self._names or ("\n" in text and may_hold_table(self._line + text)):
            return copy.copy(self)._walk(text)  # noqa: SLF001 - a copy of this one
        return View(text)

    def go_on(self, text: str) -> None:
        """Take note of what has come."""
        if self._names or "\n" in text:
            self._walk(text)
        else:
            self._line = (self._line + text)[: _LONGEST + 1]
            self._seen += len(text)

    def _walk(self, text: str) -> View:
        line_at = 0

        def meaning(found: re.Match[str]) -> str:
            nonlocal line_at
            at = found.start()
            if found[0] != "\n":
                before = (self._end + text[max(line_at, at - _LONGEST_CELL) : at])[-_LONGEST_CELL:]
                return self._cell(found[0], at, before)
            line, line_at = self._line + text[line_at:at], found.end()
            self._line = self._end = ""
            return self._row(line, at)

        view = rewritten(text, _MARK, meaning)
        self._seen += len(text)
        self._line = (self._line + text[line_at:])[: _LONGEST + 1]
        self._end = (self._end + text[max(line_at, len(text) - _LONGEST_CELL) :])[-_LONGEST_CELL:]
        return view

    def _row(self, line: str, at: int) -> str:
        """Give how the end of a line is looked at."""
        begins = not self._names or self._column != len(self._names) - 1
        if begins:
            self._mark, self._names = _names_in(line)
        self._column, self._quoted = 0, False
        # A line of prose may look like one of names, and speak for what comes next.
        if not self._names or (begins and not self._names[0]):
            return "\n"
        return self._named('"\n,', self._names[0], at)

    def _cell(self, char: str, at: int, before: str) -> str:
        """Give how a mark is looked at; a cell before it that says what a value is names a column that has no name."""
        if char == '"':
            self._quoted ^= self._mark in _QUOTING
        if char != self._mark or self._quoted:
            return char
        self._column += 1
        if self._column >= len(self._names):
            return char
        return self._named('",', self._names[self._column] or _name_in(before.rpartition(char)[2]), at)

    def _named(self, mark: str, name: str, at: int) -> str:
        """Give a mark with the name of its column, as long as names do not become too much."""
        if not name or self._added > _MOST * (self._seen + at) + _SPARE:
            return mark
        self._added += len(name)
        return f"{mark}{name}: "


def _names_in(line: str) -> tuple[str, tuple[str, ...]]:
    """Give what sets cells apart in a line of names, and the names; nothing where it is none or says nothing."""
    mark = next((mark for mark in _MARKS if mark in line), "")
    if not mark or len(line) > _LONGEST or _NUMBER.search(line):
        return "", ()
    cells = [cell.strip(_AROUND) for cell in line.split(mark)]
    named = [cell for cell in cells if cell]
    if len(named) < _FEWEST or not all(map(_CELL.fullmatch, named)):
        return "", ()
    names = tuple(map(_name_in, cells))
    return (mark, names) if any(names) else ("", ())


def _name_in(cell: str) -> str:
    """Give the name that a cell is, as words; nothing where it says nothing of a value."""
    cell = cell.strip(_AROUND)
    return _NO_NAME.sub(" ", cell).strip() if _CELL.fullmatch(cell) and _tells(gate_bytes(cell)) else ""


def _tells(names: bytes) -> bool:
    """Tell whether a word is in names, as the gate reads them, that says what a value is."""
    return is_near(_WORDS, names)


def may_hold_table(text: str) -> bool:
    """Tell, soon, whether a text of several lines may hold a table."""
    return any(map(_tells, _LIKELY.findall(b"\n" + gate_bytes(text))))
