"""Cuts a stream of bytes into the blocks of its events (WHATWG HTML §9.2.6), however the bytes come."""

import re
from collections.abc import Iterator
from typing import Final

from gatekeeper.masking.faults import UnreadableBody

EVENT_LIMIT: Final = 8 << 20
"""Bytes of one event; a delta has some hundreds, the last event of an answer repeats all of it."""

# Two line ends, each of any kind; of a CR at the end of what came it isn't known yet whether an LF belongs to it.
_EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r(?=[^\n]))(?:\r\n|\n|\r(?=[^\n]))")
_LONGEST_END: Final = 4


class EventSplitter:
    """Holds what is not a complete event yet."""

    __slots__ = ("_buffer", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the blocks that are complete, with the line ends after them; raises UnreadableBody."""
        if not self._buffer and 0 < data.find(b"\n\n") == len(data) - 2 and b"\r" not in data:
            yield data  # one event as it was sent
            return
        self._buffer += data
        at = 0
        while end := _EVENT_END.search(self._buffer, max(at, self._searched)):
            yield bytes(self._buffer[at : end.end()])
            at = end.end()
        del self._buffer[:at]
        self._searched = max(0, len(self._buffer) - _LONGEST_END)
        if len(self._buffer) > EVENT_LIMIT:
            msg = f"an event of it is larger than {EVENT_LIMIT} bytes"
            raise UnreadableBody(msg)

    def rest(self) -> bytes:
        """Give what has no end."""
        return bytes(self._buffer)
