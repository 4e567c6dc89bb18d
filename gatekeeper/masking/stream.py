"""Streamed answers, masked event by event: what could still grow into a finding is held back, nothing else.

The bytes that leave depend on the bytes that came, never on how they were split; the text that a client
joins depends on the text that came, never on how it was split over events.
"""

import re
from typing import Final, Protocol

from gatekeeper.exchange import Finding
from gatekeeper.masking.event_stream import EventStream
from gatekeeper.masking.masker import Masker
from gatekeeper.masking.pseudonyms import Book
from gatekeeper.masking.streams.amazon import AmazonFraming
from gatekeeper.masking.streams.array import ArrayFraming
from gatekeeper.masking.streams.frames import EventFraming, Framing, LineFraming


class StreamMasker(Protocol):
    """Masks an answer as it comes. Raises UnreadableBody for what can't be read: then nothing more may be sent."""

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        """Take bytes from upstream and give those that may go to the client; none where all is held back."""
        ...

    def finish(self) -> tuple[bytes, ...]:
        """Give the rest; called once, at the end of the stream."""
        ...

    def take_recorded(self) -> bytes:
        """Give what is to be recorded since the last call: what was sent, but nothing kept clear."""
        ...

    def take_events(self) -> tuple[bytes, ...]:
        """Give the data of the events that say more than a piece of text: unmasked, and never to be stored."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far."""
        ...

    @property
    def uninspected(self) -> str | None:
        """Why a part of it could not be inspected; None where all was."""
        ...

    @property
    def said_all(self) -> bool:
        """Whether the event has come that ends the answer; a client may leave on it."""
        ...


_LINES: Final = re.compile(r"[^/]+/(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines|stream\+json)")


def stream_masker(
    masker: Masker, media: str, book: Book | None = None, *, asked: bool = False, unread: bool = False
) -> StreamMasker | None:
    """Give the masker for a kind of stream; None where the answer must be read whole.

    `book` has what the request's pseudonyms stand for. `asked`: the request asked for a stream, so that a JSON
    array's elements are its events. `unread`: what can't be inspected may pass.
    """
    framing = _framing(media.partition(";")[0].strip().lower(), asked=asked)
    if framing is None:
        return None
    return EventStream(masker.answer_scanner, masker.responses(book), framing, unread=unread)


def _framing(kind: str, *, asked: bool) -> Framing | None:
    if kind == "text/event-stream":
        return EventFraming()
    if kind == "application/vnd.amazon.eventstream":
        return AmazonFraming()
    if _LINES.fullmatch(kind):
        return LineFraming()
    return ArrayFraming() if asked and kind == "application/json" else None
