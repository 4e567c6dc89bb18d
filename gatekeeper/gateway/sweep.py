"""Cuts connections that drip or are silent, on both sides: no hook of mitmproxy fires before a head is complete."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from mitmproxy.connection import Client
from mitmproxy.proxy.context import Context

from gatekeeper.gateway.limits import Limits, arrived, clients, servers

PERIOD: Final = 1.0
"""Seconds between two sweeps."""


async def sweep(
    connected: Callable[[], Iterable[Client]],
    limits: Limits,
    cut: Callable[[Client], None],
    cut_upstream: Callable[[Context], None],
) -> None:
    """Look over the open connections until cancelled; `cut` and `cut_upstream` record and end one."""
    while True:
        await asyncio.sleep(PERIOD)
        for context in silent(limits):
            cut_upstream(context)
        for client in too_slow(list(connected()), limits):
            cut(client)


def silent(limits: Limits) -> list[Context]:
    """Give the contexts of upstream connections whose head drips, or that say nothing for too long."""
    now = time.monotonic()
    slow: list[Context] = []
    for client in [*clients]:
        since = client.silence.since
        if client.head.too_slow(now, limits, body=False) or (since is not None and now - since >= limits.idle):
            client.head.end()
            client.silence.end()
            slow.append(client.context)
    return slow


def too_slow(clients: Iterable[Client], limits: Limits) -> set[Client]:
    """Give the clients whose head or body drips, and those that have sent no first request in time.

    So a tunnel in which nothing comes is closed too: of what waits for the upstream to speak first.
    """
    steady, wall = time.monotonic(), time.time()
    slow = {client for client in clients if client not in arrived and wall - client.timestamp_start > limits.seconds}
    for server in [*servers]:
        client = server.context.client
        if server.too_slow(steady, limits) or (client in slow and server.waiting):
            server.give_up()
            slow.add(client)
    return slow
