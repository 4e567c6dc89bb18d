"""Cuts connections whose head or body drips: no hook of mitmproxy fires before a head is complete."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from mitmproxy.connection import Client

from gatekeeper.gateway.http1 import Limits, arrived, servers

PERIOD: Final = 1.0
"""Seconds between two sweeps."""


async def sweep(clients: Callable[[], Iterable[Client]], limits: Limits, cut: Callable[[Client], None]) -> None:
    """Look over the open connections until cancelled; `cut` records and ends one."""
    while True:
        await asyncio.sleep(PERIOD)
        for client in too_slow(list(clients()), limits):
            cut(client)


def too_slow(clients: Iterable[Client], limits: Limits) -> set[Client]:
    """Give the clients whose head or body drips, and those that have sent no head at all in time."""
    steady, wall = time.monotonic(), time.time()
    slow = {client for client in clients if client not in arrived and wall - client.timestamp_start > limits.seconds}
    for server in [*servers]:
        client = server.context.client
        never_began = client in slow and server.progress.since is not None
        if never_began or server.progress.too_slow(steady, limits, body=server.request is not None):
            server.progress.end()
            server.overdue = True
            slow.add(client)
    return slow
