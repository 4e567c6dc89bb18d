"""A JSON array whose elements come one by one: how Gemini streams where no event stream is asked for."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from gatekeeper.masking.events import Payload, Place
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.streams.frames import Block, check_size, decoded

_OUTSIDE: Final = re.compile(rb'["{}\[\]]')
_INSIDE: Final = re.compile(rb'["\\]')
_BETWEEN: Final = " \t\r\n,[\ufeff"
_DEPTHS: Final = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}


class ArrayFraming:
    """Each block is an element of the array with what stands before it; the last one is the closing bracket.

    What is no array is one block, and stays alone.
    """

    __slots__ = ("_array", "_buffer", "_depth", "_ended", "_in_string", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0
        self._in_string = False
        self._array: bool | None = None
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Block]:
        """Give the elements that are complete."""
        self._buffer += data
        if self._array is None and (first := self._buffer.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]):
            self._array = first == b"["
        while self._array and (end := self._element_end()):
            raw = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._scanned = 0
            yield Block(raw, decoded(raw))
        check_size(len(self._buffer))

    def _element_end(self) -> int:
        """Go on to where the element, or the array, ends; 0 where that has not come yet."""
        while self._scanned < len(self._buffer):
            found = (_INSIDE if self._in_string else _OUTSIDE).search(self._buffer, self._scanned)
            if found is None:
                self._scanned = len(self._buffer)
                return 0
            mark = found[0]
            if mark == b"\\":
                if found.end() == len(self._buffer):
                    self._scanned = found.start()
                    return 0
                self._scanned = found.end() + 1
                continue
            self._scanned = found.end()
            if mark == b'"':
                self._in_string = not self._in_string
                continue
            self._depth += _DEPTHS[mark]
            if self._ended or self._depth < 0:
                raise UnreadableBody(_NOT_JSON)
            self._ended = self._depth == 0
            if mark in b"}]" and self._depth <= 1:
                return self._scanned
        return 0

    def rest(self) -> Iterator[Block]:
        """Give what follows the array, which is nothing, or what is no array."""
        raw = bytes(self._buffer)
        if self._array and (raw.strip() or not self._ended):
            raise UnreadableBody(_NOT_JSON)
        if raw:
            yield Block(raw, decoded(raw), alone=True)

    def read(self, block: Block) -> tuple[Payload | None, Sequence[Place]]:
        """Find the element."""
        end = len(block.text.rstrip())
        start = len(block.text) - len(block.text.lstrip(" \t\r\n\ufeff" if block.alone else _BETWEEN))
        if start >= end or block.text[start] == "]":
            return None, ()
        return Payload("", ((start, end),)), ()

    def sealed(self, block: Block, text: str) -> bytes:  # noqa: ARG002 - the protocol's signature
        """Write a block with another text."""
        return text.encode("utf-8", "replace")

    def another(self, block: Block, name: str, data: str) -> bytes:  # noqa: ARG002 - the protocol's signature
        """Write a further element, which never is the first."""
        return f",\r\n{data}".encode("utf-8", "replace")

    def plain(self, text: str) -> str:
        """Write a text as it is."""
        return text


_NOT_JSON: Final = "it is not valid JSON"
