"""Tells which session of its subject a call belongs to: by trace, by token, or by time (DESIGN §1)."""

import re
from typing import Final

import msgspec

from gatekeeper.exchange import Instant, SessionId, SessionSource, Subject, session_id
from gatekeeper.identity.token import SECOND

IDLE: Final = 15 * 60 * SECOND
WINDOWS_LIMIT: Final = 10_000

# W3C Trace Context §3.2: version 00 has exactly four fields, later ones may have more; ff and zeros are invalid.
_TRACEPARENT: Final = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)


class _Window(msgspec.Struct):
    start: Instant
    last: Instant


class SessionWindows:
    """Remembers, for subjects without trace and `jti`, when their present window began.

    At most 10,000 of them: beyond, the one that was quiet longest begins a new window with its next call.
    """

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], _Window] = {}

    def session_for(self, subject: Subject, traceparent: str | None, now: Instant) -> SessionId:
        """Name the session of a call; an invalid `traceparent` counts as none."""
        if traceparent is not None and (trace := trace_id(traceparent)):
            return session_id(subject.iss, subject.sub, SessionSource.TRACE, trace)
        if subject.jti is not None:
            return session_id(subject.iss, subject.sub, SessionSource.JTI, subject.jti)
        start = self._start((subject.iss, subject.sub), now)
        return session_id(subject.iss, subject.sub, SessionSource.WINDOW, str(start))

    def _start(self, who: tuple[str, str], now: Instant) -> Instant:
        window = self._windows.pop(who, None)
        if window is None or now - window.last > IDLE:
            window = _Window(start=now, last=now)
        window.last = max(window.last, now)
        self._windows[who] = window  # the end of a dict is what was used last
        if len(self._windows) > WINDOWS_LIMIT:
            del self._windows[next(iter(self._windows))]
        return window.start


def trace_id(traceparent: str) -> str | None:
    """Give the trace id of a valid `traceparent` field, else None."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    return found["trace"]
