"""Follows JSON text as it comes, also within its strings, as far as a replacement needs to know where it stands."""

import json
import re
from collections.abc import Callable
from typing import Final

MAX_DEPTH: Final = 4
"""Levels of JSON in strings of JSON that are told apart."""

_QUOTE: Final = re.compile(r'(\\*)"')


class JsonLexer:
    """Where in a JSON text one is: in how many strings, each in the JSON that the one before it holds.

    `_levels` has an element for the text itself and for each open string: whether it holds JSON (None: not
    known before its first character). A quote on level n is written with 2ⁿ - 1 backslashes before it.
    """

    __slots__ = ("_last", "_levels")

    def __init__(self) -> None:
        self._levels: list[bool | None] = [None]
        self._last = ""  # the last character that isn't a space

    def feed(self, text: str) -> None:
        """Go on; `text` may not begin or end within an escape."""
        at = 0
        for quote in _QUOTE.finditer(text):
            self._begin(text[at : quote.end()])
            self._quote(len(quote[1]))
            at = quote.end()
        self._begin(text[at:])
        self._last = text.rstrip()[-1:] or self._last

    def _begin(self, content: str) -> None:
        if self._levels[-1] is None and (first := content.lstrip()[:1]):
            self._levels[-1] = first in "{["

    def _quote(self, run: int) -> None:
        inside = len(self._levels) - 1
        if run == 2**inside - 1 and self._levels[-1] and inside < MAX_DEPTH:
            self._levels.append(None)
            return
        while inside and run <= 2 ** (inside - 1) - 1:
            self._levels.pop()
            inside -= 1
            if run == 2**inside - 1:
                return

    def writer(self, value: str, following: str) -> Callable[[str], str]:
        """Say how to write a replacement for `value` here, before the character `following`: JSON stays JSON."""
        depth = len(self._levels) - 1
        if not value.isdigit() or not self._levels[-1] or self._last not in set(":,[-"):
            return lambda text: _escaped(text, depth)
        if self._last == "-" or following == ".":
            return lambda _: "0"  # part of a number, so a number
        return lambda text: _escaped(json.dumps(text), depth)


def _escaped(text: str, depth: int) -> str:
    for _ in range(depth):
        text = json.dumps(text)[1:-1]
    return text
