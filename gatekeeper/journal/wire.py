"""What the gateway and its recorder say to each other on a socket pair: MessagePack, each message after its length."""

import struct
from typing import Final

import msgspec

from gatekeeper.journal.draft import Encoded
from gatekeeper.journal.opening import Opening
from gatekeeper.journal.writer import Limits

_LENGTH: Final = struct.Struct(">Q")


class Begin(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """To the recorder, once: which journal to open."""

    folder: str
    keys: str
    origin: str
    opening: Opening
    limits: Limits


class Batch(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """To the recorder: drafts in order, each with who waits for it; who asks for an anchor; whether nothing follows."""

    drafts: list[tuple[int | None, Encoded]]
    asked: list[int]
    last: bool


class Began(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """From the recorder, once: the journal is open."""

    vkey: str
    note: str
    digest_key: bytes
    warnings: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """From the recorder, once: the journal can't be opened."""

    why: str


class News(msgspec.Struct, array_like=True, tag=4):
    """From the recorder: what has become of what it was handed, by number."""

    receipts: list[tuple[int, int, str, int]] = []
    failures: list[tuple[int, str, str]] = []
    notes: list[tuple[int, str]] = []
    commits: list[float] = []
    anchored: list[str] = []
    vkeys: list[str] = []
    failed: str | None = None


type Message = Begin | Batch | Began | Refused | News

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Message).decode


def to_frame(message: Message) -> bytes:
    """Give a message as it goes over the socket."""
    data = _encode(message)
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Puts messages together again from what a socket gives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Give the messages that are whole by now."""
        self._buffer += data
        messages: list[Message] = []
        at = 0
        with memoryview(self._buffer) as view:
            while len(view) - at >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(view, at)
                end = at + _LENGTH.size + length
                if len(view) < end:
                    break
                with view[at + _LENGTH.size : end] as frame:
                    messages.append(_decode(frame))
                at = end
        del self._buffer[:at]
        return messages
