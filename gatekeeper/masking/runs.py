"""What stands in base64 in a text that comes in pieces: held back until its end, then looked at as in whole texts."""

import base64
import binascii
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from gatekeeper.masking.channel import Found, Piece
from gatekeeper.masking.document import Nested, Opaque
from gatekeeper.masking.embedded import Embedded, is_prose, looks_like
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.operators import Operators

LONGEST: Final = 1 << 14
"""Characters of one run that are held back; of what goes on, only what it looks like matters."""

_LEAST: Final = 16
_BEFORE: Final = 160  # characters left of a run that may say what it is
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-\\=%\r\n:")
# What may go on: a run with the lines after it, a data URI, and a word that may become either.
_UNFINISHED: Final = re.compile(
    r"(?:[A-Za-z0-9+/_-]|\\/){16,}(?:[A-Za-z0-9+/_=%-]|\\/|\\[rn]?|[\r\n])*\Z"
    r"|(?<![A-Za-z0-9+/_-])(?i:data):(?:[A-Za-z]+(?:/[!#-&(-;=?-\[\]-~]*)?)?\Z"
    r"|(?:[A-Za-z0-9+/_-]|\\/?)+\Z"
)
_RUN_GOES_ON: Final = re.compile(r"[A-Za-z0-9+/_=-]*")
_NOT_LETTERS: Final = re.compile(r"[^A-Za-z0-9+/]")


class Unread(msgspec.Struct, frozen=True):
    """A part of a text that can't be inspected: sent as it came, never recorded. `kind`: what it looks like."""

    source: str
    kind: str

    def written(self, operators: Operators) -> str:
        """Give it, or, for the record, what it is."""
        return f"‹uninspected: {self.kind}, {len(self.source)} characters›" if operators.records else self.source


class Inner(msgspec.Struct, frozen=True):
    """A run that decodes to text, with what is in it."""

    source: str
    nested: Nested

    def written(self, operators: Operators) -> str:
        """Give the run, encoded again where something in it is masked."""
        plain = self.nested.document.render(operators)
        return self.source if plain == self.nested.plain else self.nested.written(plain)


type Part = Piece | Inner | Unread
type Read = Callable[[str], Embedded]


class Runs:
    """The runs of one text. `read` says what is encoded in a piece of it."""

    __slots__ = ("_before", "_held", "_kind", "_read")

    def __init__(self, read: Read) -> None:
        self._read = read
        self._held = ""
        self._before: deque[str] = deque(maxlen=_BEFORE)
        self._kind: str | None = None  # of a run that is too long to be held back; empty: nothing that can be decoded

    @property
    def holds(self) -> bool:
        """Tell whether something is held back."""
        return bool(self._held)

    def take(self, pieces: Sequence[Piece], *, final: bool) -> Sequence[Part]:
        """Add pieces, and give what can be released; raises UnreadableBody for encoded text that is too long."""
        if not pieces and not final:
            return pieces
        if len(pieces) == 1 and not final and not self._held and self._kind is None:
            (piece,) = pieces
            # Most pieces can be told at once: no run is in them, and none begins at their end.
            if isinstance(piece, str) and len(piece) < _LEAST and piece[-1:] not in _LETTERS:
                self._before.append(piece)
                return pieces
        parts: list[Part] = []
        for piece in pieces:
            if isinstance(piece, Found):
                parts += self._text("", final=True)
                parts.append(piece)
                self._before.clear()
            else:
                parts += self._text(piece, final=False)
        if final:
            parts += self._text("", final=True)
        return parts

    def _text(self, text: str, *, final: bool) -> Iterator[Part]:
        text = self._held + text
        self._held = ""
        if self._kind is not None:
            end = _end_of_run(text)
            if end:
                yield Unread(text[:end], self._kind) if self._kind else text[:end]
            if end == len(text) and not final:
                return
            self._kind, text = None, text[end:]
        cut = _UNFINISHED.search(text) if not final and text else None
        ready = text[: cut.start()] if cut else text
        self._held = text[len(ready) :]
        yield from self._released(ready)
        if len(self._held) > LONGEST:
            held, self._held = self._held, ""
            self._kind = _kind_of(held)
            yield Unread(held, self._kind) if self._kind else held

    def _released(self, text: str) -> Iterator[Part]:
        if not text:
            return
        if len(text) < _LEAST:
            self._before.append(text)
            yield text
            return
        before = "".join(self._before)[-_BEFORE:]
        whole = before + text
        self._before.clear()
        self._before.append(whole[-_BEFORE:])
        at = len(before)
        for one in sorted(self._read(whole).nested, key=lambda one: one.start):
            if one.start < at:
                continue
            if one.start > at:
                yield whole[at : one.start]
            source, at = whole[one.start : one.end], one.end
            yield Unread(source, one.document.kind) if isinstance(one.document, Opaque) else Inner(source, one)
        if at < len(whole):
            yield whole[at:]


def _end_of_run(text: str) -> int:
    match = _RUN_GOES_ON.match(text)
    return match.end() if match else 0


def _kind_of(run: str) -> str:
    """Say what a run that goes on for long looks like; empty for what isn't base64. Raises UnreadableBody for text."""
    if is_prose(run):
        return ""
    letters = _NOT_LETTERS.sub("", run.rpartition(",")[2].replace("-", "+").replace("_", "/"))
    try:
        plain = base64.b64decode(letters[: len(letters) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return ""
    if kind := looks_like(plain):
        return kind
    try:
        plain[:-4].decode()
    except UnicodeDecodeError as error:
        if error.start < len(plain) - 8:
            return "binary"
    msg = "what is encoded in a text of it is too long to be looked at as it comes"
    raise UnreadableBody(msg)
