"""The words to the left of a value that say what it is. A JSON key counts, as do camelCase and snake_case."""

import functools
import re
from collections.abc import Callable
from typing import Final

from gatekeeper.masking.gate import CAMEL, bounded, compiled_set, spaced, words_gate

CONTEXT: Final = 64
"""Characters to the left of a match in which context words are looked for."""

AGAINST: Final = 18
"""Characters to the left of a match in which a word may speak against it where no word speaks for it."""

VALUE_KEYS: Final = frozenset({"value", "val", "answer", "stringValue", "string_value"})
"""What a key may be whose value another field beside it names: `{"name": "ssn", "value": …}`."""

# A value and the next key: what stands left of it belongs to another field, unless that names it.
_NAMES_NEXT: Final = rf"(?:{'|'.join(sorted(VALUE_KEYS))})\\*\"\s*:"
_FIELD_END: Final = re.compile(rf"\"\s*,(?!\s*\\*\"{_NAMES_NEXT})|,\s*\\*\"(?!{_NAMES_NEXT})")

# Words end where letters and digits do, or where camelCase goes on: `user_ssn` and `userSsn`, but not `lessness`.
_LEFT: Final = r"(?:(?<![A-Za-z0-9])|(?<=(?-i:[a-z]))(?=(?-i:[A-Z])))"
_RIGHT: Final = r"(?:(?![A-Za-z0-9])|(?<=(?-i:[a-z]))(?=(?-i:[A-Z])))"

type Place = tuple[int, int]


def nearest_word(words: str, text: str, data: bytes, at: int, start: int) -> Place | None:
    """Find the last of these words between `start` and a place, in the same field. `data`: as the gate reads it."""
    window = data[start:at]
    if b'"' in window:
        for field_end in _FIELD_END.finditer(text, start, at):
            start = field_end.end()
    last: Place | None = None
    part = text[max(0, start - 1) : at]
    if part.isascii() and (part.islower() or _CAMEL.search(data, max(0, start - 1), at) is None):
        skipped = start - max(0, start - 1)
        for match in _small(words).finditer(part.lower(), skipped):
            last = match.start() + start - skipped, match.end() + start - skipped
        return last
    for match in _compiled(words).finditer(text, start, at):
        last = match.span()
    return last


def name_around(text: str, word: Place, at: int) -> str:
    """Give the name that a word is a part of, `last_*_at` for `call` in `lastCallAt`, up to a place; `*` for none."""
    start, end = word
    if not _in_name(text[start - 1 : start]) and not _in_name(text[end : end + 1]):
        return "*"
    left = _NAME_BEFORE.search(text, max(0, start - NAME), start)
    right = _NAME_AFTER.match(text, end, at)
    parts = [_PART.findall(found[0]) if found else [] for found in (left, right)]
    return "_".join([*parts[0], "*", *parts[1]]).lower()


def _in_name(char: str) -> bool:
    return char.isalnum() or char == "_"


NAME: Final = 32  # characters left of its word that count of a name: a stream keeps no more (see scanner.LEFT)
_NAME_BEFORE: Final = re.compile(r"\w+\Z")
_NAME_AFTER: Final = re.compile(r"\w+")
_PART: Final = re.compile(r"[^\W\d_]?[^\WA-Z\d_]+|[A-Z]+|\d+")


def links(words: str, text: str, word: Place, at: int) -> bool:
    """Tell whether a number belongs to a word: between them is nothing, or at the end one of `words` or a name."""
    between = text[word[1] : at]
    if not between.strip(_NO_WORD):
        return True
    if "<" in between:  # where one element of markup ends, and another begins, nothing is said
        between = _MARKUP.sub(" ", between)
    name = _NAME_AFTER.match(between)
    last = _LAST_WORD.search(between, name.end() if name else 0)
    return last is None or last[0].istitle() or re.fullmatch(words, last[1].lower()) is not None


_NO_WORD: Final = " :="  # what most often stands between a word and its value
_MARKUP: Final = re.compile(r"</?[A-Za-z][^<>]*>")
_LAST_WORD: Final = re.compile(r"([^\W\d_]+)[\W\d_]*\Z")


def is_near(words: str, window: bytes) -> bool:
    """Tell in a fifth of the time, by RE2, whether one of these words is worth looking for.

    In RE2's form a word ends where letters and digits do, or, where a word goes on in camelCase, anywhere.
    """
    if not window.strip(_NO_WORD_READ):
        return False
    return bool(_bounded(words)(window) or (_CAMEL.search(window) and _anywhere(words)(window)))


_NO_WORD_READ: Final = _NO_WORD.encode()
_CAMEL: Final = re.compile(CAMEL.encode())


@functools.cache
def _bounded(words: str) -> Callable[[bytes], object]:
    matching: Callable[[bytes], object] = compiled_set((bounded(words_gate(words)),)).Match
    return matching


@functools.cache
def _anywhere(words: str) -> Callable[[bytes], object]:
    matching: Callable[[bytes], object] = compiled_set((words_gate(words),)).Match
    return matching


@functools.cache
def _small(words: str) -> re.Pattern[str]:
    """Find words in ASCII text in small letters, in half the time that case takes."""
    return re.compile(rf"(?<![a-z0-9])(?:{spaced(words)})(?![a-z0-9])")


@functools.cache
def _compiled(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?i){_LEFT}(?:{spaced(words)}){_RIGHT}")
