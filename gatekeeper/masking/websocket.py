"""WebSocket messages (RFC 6455 §5.4): each is looked at whole, its fragments joined, as what it looks like."""

from typing import Final

import msgspec

from gatekeeper.exchange import Finding, Message
from gatekeeper.masking.faults import BodyTooLarge
from gatekeeper.masking.masker import Masker
from gatekeeper.masking.pseudonyms import Book

_TEXT: Final = "text/plain; charset=utf-8"
_BINARY: Final = "application/octet-stream"


class MaskedMessage(msgspec.Struct, frozen=True):
    """A message to send, its record, and what was found. `uninspected`: why it could not be looked into."""

    sent: bytes
    recorded: bytes
    findings: tuple[Finding, ...]
    uninspected: str | None


def mask_message(
    masker: Masker, content: bytes, *, upward: bool, text: bool, limit: int, book: Book | None = None
) -> MaskedMessage:
    """Mask one complete message, which goes `upward` to the upstream or down to the client.

    `limit` is in bytes. Raises BodyTooLarge, and UnreadableBody for a text that is no UTF-8 or takes too much work.
    Whether an uninspected message may pass is the caller's to decide, by the rule of its exchange.
    """
    if len(content) > limit:
        msg = f"it is a message of more than {limit} bytes"
        raise BodyTooLarge(msg)
    headers = (("content-type", _TEXT if text else _BINARY),)
    message = Message(status=0 if upward else 101, headers=headers, body=content)
    inspected = masker.inspect(message)
    sent = inspected.upstream(book) if upward else inspected.to_client(book)
    return MaskedMessage(sent.body, inspected.recorded(book).body, inspected.findings, inspected.uninspected)


class Fragments:
    """Joins the fragments of a message, within a limit in bytes."""

    __slots__ = ("_limit", "_parts", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, content: bytes, *, final: bool) -> bytes | None:
        """Take a fragment; gives the message once it is complete. Raises BodyTooLarge."""
        self._size += len(content)
        if self._size > self._limit:
            msg = f"it is a message of more than {self._limit} bytes"
            raise BodyTooLarge(msg)
        self._parts.append(content)
        if not final:
            return None
        whole = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return whole
