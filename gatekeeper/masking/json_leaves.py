"""The strings, keys and numbers of JSON that is parsed already, looked at at once.

Most JSON has nothing in it, so where its leaves stand in the text is found out only of those that something is in: a
leaf is known by its number, as the how-manieth string, key or number of the text it is.
"""

import functools
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from gatekeeper.masking.channel import Found, as_is, json_escaped
from gatekeeper.masking.context import VALUE_KEYS
from gatekeeper.masking.detector import Span
from gatekeeper.masking.json_source import (
    Json,
    Lexeme,
    Path,
    digits_of,
    key_words,
    name_beside,
    parse_json,
    quick_json,
    strict_json,
)
from gatekeeper.masking.scanner import BETWEEN, Fields, Scanner, Work
from gatekeeper.masking.strand import Hit, Leaf, Reading, both, find, found_in, may_be_json
from gatekeeper.masking.view import folded, json_meaning, json_string

# Shorter numbers are ids, times and amounts too often; they count where their key says what they are.
TELLING_DIGITS: Final = 13
_LEAST: Final = 10**8  # of nine digits

_INFINITE: Final = float("inf")
_MOST_LEVELS: Final = 100
_LEAF: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*')

type Place = tuple[int, int]


class TooDeep(Exception):
    """It is nested deeper than it is walked here."""


class Leaves:
    """The leaves of a JSON value, in the order in which they are written; a key that comes again only once.

    `pieces` has three elements for each: what stands left of it, its text, and what stands BETWEEN.
    """

    __slots__ = ("_count", "digits", "keys", "members", "numbers", "pieces")

    def __init__(self, value: Json) -> None:
        """Take a value apart; raises TooDeep."""
        self.pieces: list[str] = []
        self.numbers: list[int] = []
        self.keys: dict[str, int] = {}
        self.digits: dict[int, str] = {}
        self.members = 0
        self._count = 0
        if type(value) is dict:
            self._members(value, (), 0)
        else:
            self._items([value], "", (), -1)

    def _members(self, members: dict[str, Json], tail: Path, depth: int) -> None:
        """Add the leaves of an object; `tail` is the end of its path, each list's place in it a 0."""
        pieces, keys, numbers = self.pieces, self.keys, self.numbers
        self.members += len(members)
        for key, value in members.items():
            if key not in keys:
                keys[key] = len(numbers)
                numbers.append(self._count)
                pieces += ("", key, BETWEEN)
            self._count += 1
            kind = type(value)
            if kind is str:
                numbers.append(self._count)
                path = _named(tail, key, members) if key in VALUE_KEYS else (*tail, key)
                pieces += (_left(path), value, BETWEEN)
                self._count += 1
            elif kind in _CONTAINERS:
                self._container(value, (*tail, key), depth)
            elif kind is not bool and value is not None:
                self._number(value, _named(tail, key, members) if key in VALUE_KEYS else (*tail, key))

    def _items(self, items: list[Json], left: str, path: Path, depth: int) -> None:
        """Add the leaves of a list; `path` is the end of that of each item."""
        for value in items:
            kind = type(value)
            if kind is str:
                self.numbers.append(self._count)
                self.pieces += (left, value, BETWEEN)
                self._count += 1
            elif kind in _CONTAINERS:
                self._container(value, path, depth)
            elif kind is not bool and value is not None:
                self._number(value, path)

    def _container(self, container: Json, path: Path, depth: int) -> None:
        if depth > _MOST_LEVELS:
            raise TooDeep
        if type(container) is dict:
            self._members(container, path[-3:], depth + 1)
        else:
            item = (*path[-3:], 0)
            self._items(container, _left(item), item, depth + 1)

    def _number(self, value: float | Lexeme, path: Path) -> None:
        if digits := _digits(value):
            self.digits[self._count] = digits
            self.numbers.append(self._count)
            self.pieces += (_left(path), digits, BETWEEN)
        self._count += 1


def _named(tail: Path, key: str, members: dict[str, Json]) -> Path:
    """Give the end of the path of a value that another member may name, as if by that."""
    name = name_beside(members.get)
    return *tail, key if name is None else name


_CONTAINERS: Final = frozenset({dict, list})
_left = functools.lru_cache(maxsize=1 << 14)(key_words)


def _digits(value: float | Lexeme) -> str:
    """Give the digits of a whole number that has nine or more."""
    if isinstance(value, Lexeme):
        return digits_of(value)
    if not _LEAST <= abs(value) < _INFINITE or value % 1:
        return ""
    return str(abs(int(value)))


def leaves_of(text: str) -> Leaves | None:
    """Read JSON as `parse_json` does, and take it apart; None where it is too deep for that. Raises UnreadableBody."""
    value, members = quick_json(text)
    try:
        if members is not None:
            leaves = Leaves(value)
            if leaves.members == members:
                return leaves
        return Leaves(strict_json(text))
    except TooDeep:
        parse_json(text)
        return None


def json_hits(scanner: Scanner, leaves: Leaves, text: str, start: int, work: Work) -> tuple[Hit, ...] | None:
    """Find what is in the strings, keys and numbers of valid JSON.

    A key counts as left of its value; a number that is masked becomes a string. None where it takes another way.
    """
    pieces = leaves.pieces
    joined = "".join(pieces)
    if not joined.isascii() or "\\" in joined or joined.count("\n") > len(pieces) // 3:
        pieces = [_viewed(scanner, piece) for piece in pieces]
        joined = "".join(pieces)
    fields = Fields(pieces)
    if not (spans := scanner.scan_fields(joined, fields, work)):
        return ()
    keys = frozenset(leaves.keys.values())
    found: list[tuple[int, Sequence[Found]]] = []
    for field, inside in itertools.groupby(spans, key=lambda span: fields.number(span.start)):
        if field in keys:
            return None
        found.append((field, _found(scanner, leaves, field, [*inside], fields.begins[field], work)))
    return tuple(_placed(leaves, found, text, start))


def _placed(leaves: Leaves, found: Sequence[tuple[int, Sequence[Found]]], text: str, start: int) -> Iterator[Hit]:
    """Give what was found in leaves its place; what was found in numbers comes last."""
    numbers: list[Hit] = []
    places = _places(text, start, [leaves.numbers[field] for field, _ in found])
    for (field, values), (begin, end) in zip(found, places, strict=True):
        if leaves.numbers[field] in leaves.digits:
            numbers += [Hit(one.entity, one.value, ((begin, end),), json.dumps) for one in values]
            continue
        leaf = Leaf(json_string(text[begin + 1 : end - 1]), begin + 1, json_escaped)
        for one in values:
            yield Hit(one.entity, one.value, (leaf.segment(one.start, one.end),), both(leaf, one))
    yield from numbers


def _viewed(scanner: Scanner, text: str) -> str:
    """Give what is looked at of a text: where it holds JSON, what its escapes mean."""
    return folded(json_meaning(text)) if may_be_json(text) else Reading(scanner, text).text


def _found(
    scanner: Scanner, leaves: Leaves, field: int, spans: Sequence[Span], base: int, work: Work
) -> Sequence[Found]:
    left, text, _ = leaves.pieces[3 * field : 3 * field + 3]
    if leaves.numbers[field] in leaves.digits:
        return whole_number(scanner, text, left, work)
    if may_be_json(text):
        return find(scanner, text, work, left)
    return found_in(Reading(scanner, text), spans, base)


def whole_number(scanner: Scanner, digits: str, left: str, work: Work) -> list[Found]:
    """Find a value that a whole number is: by its digits, or by its key."""
    found = find(scanner, digits, work, left)
    telling = bool(found) and (len(digits) >= TELLING_DIGITS or not find(scanner, digits, work))
    return [Found(0, len(digits), found[0].entity, digits, digits, as_is)] if telling else []


def _places(text: str, start: int, numbers: Sequence[int]) -> Iterator[Place]:
    """Give the places of leaves by their ascending numbers, strings with their quotes."""
    matches = enumerate(_LEAF.finditer(text, start))
    for number in numbers:
        yield next(match.span() for at, match in matches if at == number)
