"""One text that may come in pieces: releases what is settled, holds back what could still grow.

The bytes that leave don't depend on how the text was split: a whole text is a channel fed once.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.json_lexer import JsonLexer
from gatekeeper.masking.scanner import LEFT, Scanner, Work
from gatekeeper.masking.table import Table
from gatekeeper.masking.view import View, fold, json_meaning, json_text, unfinished_escape

HOLD_LIMIT: Final = 1 << 14
"""Characters that may be held back; patterns are bounded far below it, so only a run of backslashes gets there."""

JSON_STARTS: Final = frozenset('{["')
"""How text begins that may hold JSON."""

_HIGH_SURROGATE: Final = re.compile("[\ud800-\udbff]\\Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Found(msgspec.Struct, frozen=True, gc=False):
    """A value in a text: its place, as it stands there, as it was looked at, and how to write a replacement."""

    start: int
    end: int
    entity: str
    source: str
    value: str
    written: Callable[[str], str]


type Piece = str | Found


def as_is(text: str) -> str:
    """Write a replacement where nothing needs an escape."""
    return text


def json_escaped(text: str) -> str:
    """Write a replacement into a JSON string."""
    try:
        return msgspec.json.encode(text)[1:-1].decode()
    except UnicodeEncodeError:  # half of a character
        return json.dumps(text)[1:-1]


class Channel:
    """The text of one place: `left` is what stands before it (a key's words), and is not part of it."""

    __slots__ = ("_back", "_json", "_left", "_lexer", "_passed", "_pending", "_scanner", "_table")

    def __init__(self, scanner: Scanner, left: str = "") -> None:
        self._scanner, self._left = scanner, left
        self._pending = ""
        self._passed = 0  # characters of the text that have been released
        self._back = 0  # characters of `left`, from its end, in which candidates may still begin
        self._json: bool | None = None
        self._lexer = JsonLexer()
        self._table = Table()

    @property
    def holds(self) -> bool:
        """Tell whether something is held back."""
        return bool(self._pending)

    def push(self, text: str, work: Work, *, final: bool) -> list[Piece]:
        """Add to the text and give what can be released: text, and what was found in between."""
        self._pending = _joined(self._pending + text)
        view, cut = self._view(final=final)
        base = len(self._left)
        looked_at = self._left + view.text
        scan = self._scanner.scan(looked_at, base - self._back, base, work, final=final)
        limit = max([base, scan.settled, *(span.end for span in scan.spans)])
        spans = [(span.start - base, span.end - base, span.entity) for span in scan.spans]
        passed = self._passed
        pieces = list(self._release(view, spans, self._reach(view, limit - base, cut)))
        # A character that is looked at as several has gone as a whole, or not at all.
        limit = base + view.place(self._passed - passed)
        self._back = limit - min(scan.settled, limit)
        self._left = looked_at[max(0, min(scan.settled, limit) - LEFT) : limit]
        if not final and len(self._pending) > HOLD_LIMIT:
            msg = "a text of it doesn't come to a point where it could be released"
            raise UnreadableBody(msg)
        return pieces

    def _view(self, *, final: bool) -> tuple[View, int]:
        """View what is pending, up to where a character or an escape is not complete yet."""
        if self._json is None and (first := self._pending.lstrip()[:1]):
            self._json = first in JSON_STARTS
        text = self._pending
        if not final:
            if self._json:
                text = text[: unfinished_escape(text)]
            if _HIGH_SURROGATE.search(text):
                text = text[:-1]
        unescaped = json_text(text) if self._json else View(text)
        headed = unescaped.then(self._table.view(unescaped.text))
        return headed.then(fold(headed.text)), len(text)

    @staticmethod
    def _reach(view: View, limit: int, cut: int) -> int:
        """Find how far into what is pending the limit, a place in the view, reaches."""
        if limit >= len(view.text):
            return cut
        return view.source(limit, limit + 1)[0]

    def _release(self, view: View, spans: list[tuple[int, int, str]], reach: int) -> Iterator[Piece]:
        at = 0
        for start, end, entity in spans:
            begin, stop = view.source(start, end)
            if at < begin:
                yield self._text(at, begin)
            if at < stop:
                yield self._found(max(at, begin), stop, entity, view.text[start:end])
            at = max(at, stop)
        if at < reach:
            yield self._text(at, reach)
            at = reach
        released = self._pending[:at]
        self._table.go_on(json_meaning(released) if self._json else released)
        self._pending = self._pending[at:]
        self._passed += at

    def _text(self, start: int, end: int) -> str:
        text = self._pending[start:end]
        if self._json:
            self._lexer.feed(text)
        return text

    def _found(self, start: int, end: int, entity: str, value: str) -> Found:
        written: Callable[[str], str] = as_is
        if self._json:
            written = self._lexer.writer(value, self._pending[end : end + 1])
            self._lexer.feed(self._pending[start:end])
        return Found(self._passed + start, self._passed + end, entity, self._pending[start:end], value, written)


def _joined(text: str) -> str:
    """Join the halves of a character that came in two pieces."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
