"""How long a peer may take and how much it may send, and who is asked: all that speaks on an open connection."""

import time
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakSet

import msgspec
from mitmproxy.connection import Client
from mitmproxy.proxy import context

from gatekeeper.exchange import Reason

type Report = Callable[[context.Context, Reason], None]
"""Records a refusal that no hook sees."""

SLOWEST_BODY: Final = 1024
"""Bytes of a body that must come in each `header_timeout`; slower is a drip."""


class Limits(msgspec.Struct, frozen=True):
    """`header_bytes` before a head is complete; `seconds` until it must be; `idle` of silence from an upstream.

    `message_bytes` is the largest message of a WebSocket.
    """

    header_bytes: int
    seconds: float
    idle: float = 660
    message_bytes: int = 32 << 20


class Progress:
    """Whether a peer that has begun a head or a body goes on with it."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.received = 0

    def begin(self) -> None:
        """Start the clock, unless it runs."""
        if self.since is None:
            self.since, self.received = time.monotonic(), 0

    def end(self) -> None:
        """Stop the clock: the head or the body is complete."""
        self.since = None

    def too_slow(self, now: float, limits: Limits, *, body: bool) -> bool:
        """Tell whether the time is over; a body that came fast enough gets another period."""
        if self.since is None or now - self.since < limits.seconds:
            return False
        if body and self.received >= SLOWEST_BODY:
            self.since, self.received = now, 0
            return False
        return True


class Served(Protocol):
    """The side of a client connection: HTTP/1 or HTTP/2."""

    context: context.Context

    @property
    def waiting(self) -> bool:
        """Whether a head has yet to come, or to be completed."""
        ...

    @property
    def answering(self) -> bool:
        """Whether an answer is still to be handed to the connection."""
        ...

    def too_slow(self, now: float, limits: Limits) -> bool:
        """Tell whether a head or a body drips."""
        ...

    def give_up(self) -> None:
        """Note that the sweep cuts this connection."""
        ...


class Asked(Protocol):
    """The side of an upstream connection. `head` runs while a head is incomplete; `silence` since the last event."""

    context: context.Context
    head: Progress
    silence: Progress


servers: WeakSet[Served] = WeakSet()
"""Of all open client connections, for the sweep."""


clients: WeakSet[Asked] = WeakSet()
"""Of all upstream connections, for the sweep."""


arrived: WeakSet[Client] = WeakSet()
"""The clients that have sent the head of a first request, for the sweep; what only opens a tunnel has not."""
