"""JSON as it was written: checked, and taken apart into leaves that know their place."""

import functools
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Never

import msgspec

from gatekeeper.masking.channel import json_escaped
from gatekeeper.masking.context import VALUE_KEYS
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.strand import Leaf
from gatekeeper.masking.view import json_string

type Path = tuple[str | int, ...]
type Json = Any  # what a body holds: walked by path, never trusted for its shape

MAX_NESTING: Final = 500
"""Containers in containers; paths are as long as they are deep."""

_SAFE_DIGITS: Final = 18  # Python refuses to read integers of thousands of digits, and nobody computes with these

STRING: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"')
_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|-?\d[\d.eE+-]*')
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_NUMBER_START: Final = frozenset("-0123456789")


class JsonLeaf(msgspec.Struct, frozen=True, gc=False):
    """A key, a string or a number: its path, and its place with quotes taken off."""

    kind: str
    path: Path
    start: int
    end: int


def parse_json(text: str) -> Json:
    """Check JSON strictly: one value, no duplicate keys, no NaN. Numbers that are large or no integers may be text.

    Raises UnreadableBody.
    """
    value, members = quick_json(text)
    return value if members is not None and members == _members(value) else strict_json(text)


def quick_json(text: str) -> tuple[Json, int | None]:
    """Read JSON, with how many members it was written with at most; None where that, or JSON itself, is not known.

    A quote and a colon may also stand together within or before a string, which only makes the number larger: what
    was read with as many members has no key twice.
    """
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None, None  # a number or an escape that msgspec doesn't take, or no JSON at all
    return value, None if _SPACED_COLON.search(text) else text.count('":')


def strict_json(text: str) -> Json:
    """Read JSON as `parse_json` does, member by member; raises UnreadableBody."""
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_lexeme, parse_float=_lexeme
        )
    except RecursionError:
        msg = "its JSON is nested too deep"
    except json.JSONDecodeError:
        msg = "it is not valid JSON"
    raise UnreadableBody(msg)  # without its cause, which holds the body


def _members(value: Json) -> int:
    members = 0
    waiting = [value]
    for node in waiting:  # grows while it is walked
        if type(node) is dict:
            members += len(node)
            waiting += [inner for inner in node.values() if type(inner) in _CONTAINERS]
        elif type(node) is list:
            waiting += [inner for inner in node if type(inner) in _CONTAINERS]
    return members


_CONTAINERS: Final = frozenset({dict, list})
_SPACED_COLON: Final = re.compile(r'"[ \t\r\n]+:')


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        msg = "its JSON has a key twice in one object"
        raise UnreadableBody(msg)
    return table


def _no_constant(_: str) -> Never:
    msg = "it is not valid JSON"
    raise UnreadableBody(msg)


class Lexeme(str):
    """A number as it was written."""

    __slots__ = ()


def _lexeme(number: str) -> int | Lexeme:
    safe = len(number) <= _SAFE_DIGITS and number.removeprefix("-").isdecimal()
    return int(number) if safe else Lexeme(number)


_LEAST_DIGITS: Final = 9


def digits_of(number: str) -> str:
    """Give the digits of a whole number that has nine or more, also if a fraction of zeros follows."""
    if len(number) < _LEAST_DIGITS:
        return ""
    whole, _, fraction = number.removeprefix("-").partition(".")
    return whole if len(whole) >= _LEAST_DIGITS and whole.isdecimal() and not fraction.strip("0") else ""


def json_leaves(text: str, start: int = 0) -> Iterator[JsonLeaf]:
    """Take valid JSON apart, in order; linear."""
    containers: list[tuple[Path, bool]] = []
    path: Path = ()
    in_object = expects_key = False
    key: str | int = ""
    for match in _TOKEN.finditer(text, start):
        begin, end = match.span()
        char = text[begin]
        if char == '"':
            if expects_key:
                key = json_string(text[begin + 1 : end - 1]).text
                expects_key = False
                yield JsonLeaf("key", path, begin + 1, end - 1)
            else:
                yield JsonLeaf("string", (*path, key) if containers else (), begin + 1, end - 1)
        elif char == ",":
            expects_key = in_object
            if not in_object:
                key = key + 1 if isinstance(key, int) else 0
        elif char in "{[":
            if len(containers) == MAX_NESTING:
                msg = "its JSON is nested too deep"
                raise UnreadableBody(msg)
            inner = (*path, key) if containers else ()
            containers.append((path, in_object))
            path, in_object = inner, char == "{"
            expects_key, key = in_object, "" if in_object else 0
        elif char in "}]":
            key = path[-1] if path else ""
            path, in_object = containers.pop()
            expects_key = False
        elif char in _NUMBER_START:
            yield JsonLeaf("number", (*path, key) if containers else (), begin, end)


_NAMING_KEYS: Final = ("name", "key", "label", "field", "title", "question", "type", "id")
_LONGEST_NAME: Final = 40


def name_beside(given: Callable[[str], Json]) -> str | None:
    """Give what names a field beside it, `{"name": "ssn", "value": …}`: the first such key's text; `given`: by key."""
    names = (name for key in _NAMING_KEYS if type(name := given(key)) is str and len(name) <= _LONGEST_NAME)
    return next(names, None)


def by_name(text: str, leaves: Sequence[JsonLeaf]) -> Sequence[JsonLeaf]:
    """Give leaves with those values that another field names under that name, as if it were their key."""
    if not any(map(_may_be_named, leaves)):
        return leaves
    names = {leaf.path: leaf_of(text, leaf).view.text for leaf in leaves if leaf.kind == "string" and _names(leaf.path)}
    return [_by_name(leaf, names) if _may_be_named(leaf) else leaf for leaf in leaves]


def _may_be_named(leaf: JsonLeaf) -> bool:
    return leaf.kind != "key" and bool(leaf.path) and leaf.path[-1] in VALUE_KEYS


def _names(path: Path) -> bool:
    return bool(path) and path[-1] in _NAMING_KEYS


def _by_name(leaf: JsonLeaf, names: dict[Path, str]) -> JsonLeaf:
    beside = leaf.path[:-1]
    name = name_beside(lambda key: names.get((*beside, key)))
    return leaf if name is None else msgspec.structs.replace(leaf, path=(*beside, name))


def only_string(text: str, path: Path) -> tuple[int, int] | None:
    """Find the string at `path` of valid JSON where its key stands there once; None where it doesn't.

    A key's own quotes never stand within a string, where they would be escaped. Where letters are escaped,
    the key could be spelled in another way.
    """
    if "\\u00" in text:
        return None
    places = list(itertools.islice(re.finditer(rf'"{re.escape(str(path[-1]))}"\s*:\s*(?=")', text), 2))
    if len(places) != 1 or (string := STRING.match(text, places[0].end())) is None:
        return None
    return string.span(1)


def leaf_of(text: str, leaf: JsonLeaf) -> Leaf:
    """Give a leaf's text, as it is meant, with its place."""
    return Leaf(json_string(text[leaf.start : leaf.end]), leaf.start, json_escaped)


def key_words(path: Path) -> str:
    """Spell the last two keys as words, as they stand to the left of a value: `customer ssn: `."""
    keys = [step for step in path[-4:] if isinstance(step, str)][-2:]
    return f"{' '.join(map(_words, keys))}: " if keys else ""


@functools.lru_cache(maxsize=4096)
def _words(key: str) -> str:
    return " ".join(_WORD.findall(key))
