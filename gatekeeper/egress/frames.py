"""HTTP/2 frames as they come, counted: what costs the sender nothing and the receiver something is rationed. Pure.

Rapid resets (CVE-2023-44487), floods of SETTINGS, PING, PRIORITY, empty DATA and WINDOW_UPDATE
(CVE-2019-9511 to 9518), and CONTINUATION without end (CVE-2024-27316) are all of that kind.
"""

import enum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 §3.4
HEAD: Final = 9
"""Bytes of a frame's head (RFC 9113 §4.1)."""

LONGEST: Final = 1 << 17
"""Bytes of a frame's payload, as mitmproxy's settings allow."""

BURST: Final = 200.0
REFILL: Final = 20.0
"""Rationed frames at once, and further ones a second. A client that pings needs one in ten seconds."""


class Kind(enum.IntEnum):
    """Types of frames (RFC 9113 §6)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
_COSTS: Final = {Kind.HEADERS: 0.0, Kind.DATA: 0.0, Kind.SETTINGS: 4.0, Kind.WINDOW_UPDATE: 0.02}


class Flood(Exception):
    """More frames of a kind than any use has."""


class FrameMeter:
    """Reads frame heads out of one direction of a connection, in pieces of any size."""

    def __init__(self, head_limit: int, *, preface: bool) -> None:
        """Take the bytes that a header block may have, and whether a client's preface comes first."""
        self._head_limit = head_limit
        self._skip = len(PREFACE) if preface else 0
        self._partial = bytearray()
        self._in_data = False
        self._left = BURST
        self._since: float | None = None
        self.block = 0
        """Bytes of a header block that has begun and not ended."""

    @property
    def waiting(self) -> bool:
        """Whether a header block, a frame's head, or a frame that is no data is incomplete."""
        return bool(self.block or self._partial or (self._skip and not self._in_data))

    def feed(self, data: bytes, now: float) -> None:
        """Count what `data` holds, at `now` seconds on a clock that only goes forward; raises Flood."""
        at = min(self._skip, len(data))
        self._skip -= at
        while at < len(data):
            taken = data[at : at + HEAD - len(self._partial)]
            self._partial += taken
            at += len(taken)
            if len(self._partial) < HEAD:
                return
            length = int.from_bytes(self._partial[:3])
            self._count(self._partial[3], self._partial[4], length, now)
            self._partial.clear()
            skipped = min(length, len(data) - at)
            at += skipped
            self._skip = length - skipped

    def _count(self, kind: int, flags: int, length: int, now: float) -> None:
        if length > LONGEST:
            msg = "a frame larger than the settings allow"
            raise Flood(msg)
        self._in_data = kind == Kind.DATA
        if kind in {Kind.HEADERS, Kind.CONTINUATION, Kind.PUSH_PROMISE}:
            self.block += length + 1
            if self.block > self._head_limit:
                msg = "a header block without end"
                raise Flood(msg)
            if flags & END_HEADERS:
                self.block = 0
        empty = kind == Kind.DATA and not length and not flags & END_STREAM
        self._spend(1.0 if empty else _COSTS.get(Kind(kind), 1.0) if kind in Kind else 1.0, now)

    def _spend(self, cost: float, now: float) -> None:
        if not cost:
            return
        if self._since is not None:
            self._left = min(BURST, self._left + (now - self._since) * REFILL)
        self._since = now
        self._left -= cost
        if self._left < 0:
            msg = "more control frames than any use has"
            raise Flood(msg)
