"""Cuts a stream into the blocks of its events, and writes blocks: what all framings share, and the two of text."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import msgspec

from gatekeeper.masking.events import Payload, Place, read_events
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.splitter import EVENT_LIMIT, EventSplitter


class Block(msgspec.Struct, frozen=True):
    """One event as it came, and the text in which its data stands.

    `margin`: what else is in it, and can't be changed. `alone`: no event like it may be added.
    """

    raw: bytes
    text: str
    margin: str = ""
    alone: bool = False


class Framing(Protocol):
    """One way to put events into a stream of bytes. Raises UnreadableBody for what isn't framed like that."""

    def feed(self, data: bytes) -> Iterator[Block]:
        """Give the blocks that are complete."""
        ...

    def rest(self) -> Iterator[Block]:
        """Give what is left at the end of the stream."""
        ...

    def read(self, block: Block) -> tuple[Payload | None, Sequence[Place]]:
        """Find the data in a block's text, and the places besides it where text may stand."""
        ...

    def sealed(self, block: Block, text: str) -> bytes:
        """Write a block with another text."""
        ...

    def another(self, block: Block, name: str, data: str) -> bytes:
        """Write a further block like this one; `name` is its event's, where its kind has names."""
        ...

    def plain(self, text: str) -> str:
        """Write text that is no JSON as data."""
        ...


def decoded(raw: bytes) -> str:
    """Decode UTF-8, the one encoding of event streams and of JSON; raises UnreadableBody."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise UnreadableBody(_NOT_UTF8) from None  # the cause holds the body


_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_NOT_UTF8: Final = "it is not UTF-8 text"


class EventFraming:
    """Server-sent events (WHATWG HTML §9.2.6), whatever ends their lines."""

    __slots__ = ("_splitter",)

    def __init__(self) -> None:
        self._splitter = EventSplitter()

    def feed(self, data: bytes) -> Iterator[Block]:
        """Give the blocks that are complete, with the line ends after them."""
        for raw in self._splitter.feed(data):
            yield Block(raw, decoded(raw))

    def rest(self) -> Iterator[Block]:
        """Give an event that has no end, and give it one: lenient clients read it, and another may follow."""
        if raw := self._splitter.rest():
            raw += b"\n\n" if raw.strip() else b""
            yield Block(raw, decoded(raw))

    def read(self, block: Block) -> tuple[Payload | None, Sequence[Place]]:
        """Find data, comments and other fields."""
        payloads, others = read_events(block.text)
        return (payloads[0] if payloads else None), others

    def sealed(self, block: Block, text: str) -> bytes:  # noqa: ARG002 - the protocol's signature
        """Write a block with another text."""
        return text.encode("utf-8", "replace")

    def another(self, block: Block, name: str, data: str) -> bytes:  # noqa: ARG002 - the protocol's signature
        """Write a further event."""
        return (f"event: {name}\ndata: {data}\n\n" if name else f"data: {data}\n\n").encode("utf-8", "replace")

    def plain(self, text: str) -> str:
        """Write each line of a text as a line of data."""
        return "\ndata: ".join(_LINE_END.split(text))


class LineFraming:
    """JSON lines: each is an event."""

    __slots__ = ("_buffer", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[Block]:
        """Give the lines that are complete."""
        if not self._buffer and 0 <= data.find(b"\n") == len(data) - 1:
            yield Block(data, decoded(data))
            return
        self._buffer += data
        at = 0
        while (end := self._buffer.find(b"\n", max(at, self._searched))) >= 0:
            raw = bytes(self._buffer[at : end + 1])
            at = end + 1
            yield Block(raw, decoded(raw))
        del self._buffer[:at]
        self._searched = len(self._buffer)
        check_size(len(self._buffer))

    def rest(self) -> Iterator[Block]:
        """Give a last line that has no end, and give it one, since another may follow."""
        if raw := bytes(self._buffer):
            yield Block(raw + b"\n", decoded(raw) + "\n")

    def read(self, block: Block) -> tuple[Payload | None, Sequence[Place]]:
        """Find the line without the space around it."""
        start = len(block.text) - len(block.text.lstrip("\ufeff \t\r\n"))
        end = len(block.text.rstrip())
        return (Payload("", ((start, end),)) if start < end else None), ()

    def sealed(self, block: Block, text: str) -> bytes:  # noqa: ARG002 - the protocol's signature
        """Write a block with another text."""
        return text.encode("utf-8", "replace")

    def another(self, block: Block, name: str, data: str) -> bytes:  # noqa: ARG002 - the protocol's signature
        """Write a further line."""
        return f"{data}\n".encode("utf-8", "replace")

    def plain(self, text: str) -> str:
        """Write a text in one line."""
        return _LINE_END.sub(" ", text)


def check_size(size: int) -> None:
    """Raise UnreadableBody for an event that is not complete at its limit."""
    if size > EVENT_LIMIT:
        msg = f"an event of it is larger than {EVENT_LIMIT} bytes"
        raise UnreadableBody(msg)
