"""Amazon's event streams (application/vnd.amazon.eventstream), as Bedrock sends them.

A message is: total length, length of the headers, CRC-32 of these two (4 bytes each, big-endian), headers, payload,
CRC-32 of all before. A header is: length of its name, name, type, value. Source: Smithy, "Amazon Event Stream
Specification". The payload of InvokeModelWithResponseStream is JSON that has the model's JSON in base64.
"""

import base64
import binascii
import functools
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from gatekeeper.masking.events import Payload, Place
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.json_source import Json, parse_json
from gatekeeper.masking.splitter import EVENT_LIMIT
from gatekeeper.masking.streams.frames import Block, decoded

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_LEAST: Final = _PRELUDE.size + _CRC.size

# Types of header values that have a fixed size: true, false, byte, short, integer, long, timestamp, UUID.
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES: Final = 6
_STRING: Final = 7

_NAMES: Final = (":event-type", ":exception-type", ":error-code")


class Message(Block, frozen=True):
    """One message: its headers as they came, its strings among them, and the JSON around what is in base64."""

    head: bytes = b""
    headers: Mapping[str, str] = {}
    wrapper: Json = None


class AmazonFraming:
    """Checks and takes apart messages, and writes them again with their checksums."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Block]:
        """Give the messages that are complete."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= _PRELUDE.size:
            size, head_size, crc = _PRELUDE.unpack_from(self._buffer, at)
            if crc != zlib.crc32(self._buffer[at : at + 8]) or not _LEAST + head_size <= size <= EVENT_LIMIT:
                raise _malformed()
            if len(self._buffer) - at < size:
                break
            yield _message(bytes(self._buffer[at : at + size]), head_size)
            at += size
        del self._buffer[:at]

    def rest(self) -> Iterator[Block]:
        """Give nothing: a message that is cut off is none."""
        if self._buffer:
            raise _malformed()
        return iter(())

    def read(self, block: Block) -> tuple[Payload | None, Sequence[Place]]:
        """Give all of the text as the data, and the event's type as its name."""
        name = (
            next((block.headers[name] for name in _NAMES if name in block.headers), "")
            if isinstance(block, Message)
            else ""
        )
        return (Payload(name, ((0, len(block.text)),)) if block.text else None), ()

    def sealed(self, block: Block, text: str) -> bytes:
        """Write a message with another text, and with the checksums of its own."""
        if not isinstance(block, Message):
            raise TypeError
        payload = text.encode("utf-8", "replace")
        if block.wrapper is not None:
            wrapper = {**block.wrapper, "bytes": base64.b64encode(payload).decode()}
            payload = msgspec.json.encode(wrapper)
        size = _LEAST + len(block.head) + len(payload)
        prelude = struct.pack(">II", size, len(block.head))
        message = prelude + _CRC.pack(zlib.crc32(prelude)) + block.head + payload
        return message + _CRC.pack(zlib.crc32(message))

    def another(self, block: Block, name: str, data: str) -> bytes:  # noqa: ARG002 - the headers have the name
        """Write a further message with the same headers."""
        return self.sealed(block, data)

    def plain(self, text: str) -> str:
        """Write a text as it is."""
        return text


def _message(raw: bytes, head_size: int) -> Message:
    if zlib.crc32(raw[: -_CRC.size]) != _CRC.unpack(raw[-_CRC.size :])[0]:
        raise _malformed()
    head = raw[_PRELUDE.size : _PRELUDE.size + head_size]
    text = decoded(raw[_PRELUDE.size + head_size : -_CRC.size])
    headers = dict(_strings(head))
    wrapper: Json = None
    if headers.get(":event-type") == "chunk" and text[:1] == "{":
        wrapper = parse_json(text)
        if isinstance(wrapper.get("bytes"), str):
            text = decoded(_unpacked(wrapper["bytes"]))
        else:
            wrapper = None
    around = [value for key, value in (wrapper or {}).items() if key != "bytes" and isinstance(value, str)]
    margin = "\n".join([*headers.values(), *around])
    return Message(raw, text, margin, head=head, headers=headers, wrapper=wrapper)


def _unpacked(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed() from None  # the cause holds the body


@functools.lru_cache(maxsize=64)
def _strings(head: bytes) -> tuple[tuple[str, str], ...]:
    """Give the headers that are strings; most messages of a stream have the same ones."""
    return tuple(_headers(head))


def _headers(head: bytes) -> Iterator[tuple[str, str]]:
    """Give the headers that are strings, which all that services use are."""
    at = 0
    try:
        while at < len(head):
            name_end = at + 1 + head[at]
            name, kind = head[at + 1 : name_end].decode(), head[name_end]
            at = name_end + 1
            if kind in _SIZES:
                at += _SIZES[kind]
                continue
            if kind not in {_BYTES, _STRING}:
                raise _malformed()
            end = at + 2 + int.from_bytes(head[at : at + 2])
            if kind == _STRING:
                yield name, head[at + 2 : end].decode()
            at = end
    except (IndexError, UnicodeDecodeError):
        raise _malformed() from None
    if at != len(head):
        raise _malformed()


def _malformed() -> UnreadableBody:
    return UnreadableBody("it is not a well-formed Amazon event stream")
