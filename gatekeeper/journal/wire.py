"""What the gateway and its recorder say to each other on a socket pair: MessagePack, each message after its length."""

import struct
from typing import Final

import msgspec

from gatekeeper.exchange import ExchangeId, SessionId
from gatekeeper.journal.draft import Content, Draft
from gatekeeper.journal.intake import Answer, Waiting
from gatekeeper.journal.leaf import KINDS
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


class Packed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A draft, its data as the canonical JSON that it was checked in; `number` is who waits for it, or none does."""

    number: int | None
    kind: str
    raw: bytes
    exchange: ExchangeId | None
    session: SessionId | None
    content: Content | None


class Batch(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """To the recorder: drafts in order, and who asks for an anchor; `last`: nothing comes after it."""

    drafts: list[Packed]
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

    receipts: list[tuple[int, int, str, int]]
    failures: list[tuple[int, str, str]]
    notes: list[tuple[int, str]]
    commits: list[float]
    anchored: list[str]
    vkeys: list[str]
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
        while len(self._buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            end = at + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            messages.append(_decode(bytes(self._buffer[at + _LENGTH.size : end])))
            at = end
        del self._buffer[:at]
        return messages


def pack(waiting: Waiting, number: int | None) -> Packed:
    """Give what is sent of a draft."""
    draft = waiting.draft
    return Packed(number, draft.data.kind, waiting.raw, draft.exchange, draft.session, draft.content)


def unpack(packed: Packed, answer: "Answer[object] | None") -> Waiting:
    """Give the draft back, with who waits for it."""
    data = msgspec.json.decode(packed.raw, type=KINDS[packed.kind])
    draft = Draft(data=data, exchange=packed.exchange, session=packed.session, content=packed.content)
    return Waiting(draft, packed.raw, answer)
