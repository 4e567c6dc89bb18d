"""Streamed answers, masked event by event: what could still grow into a finding is held back, nothing else.

The bytes that leave depend on the bytes that came, never on how they were split; the text that a client
joins depends on the text that came, never on how it was split over events.
"""

from typing import Protocol

from gatekeeper.exchange import DialectName, Finding
from gatekeeper.masking.chat_stream import ChatStream
from gatekeeper.masking.masker import Masker


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
        """Give the JSON of the events that were complete since the last call, unmasked: never to be stored."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far."""
        ...


def stream_masker(masker: Masker, dialect: DialectName, media: str) -> StreamMasker | None:
    """Give the masker for a kind of stream; None where the answer must be read whole."""
    kind = media.partition(";")[0].strip().lower()
    if dialect is DialectName.OPENAI and kind == "text/event-stream":
        return ChatStream(masker)
    return None
