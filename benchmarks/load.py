"""The load: closed-loop HTTP/1.1 clients over CONNECT and TLS, in a process of their own."""

import asyncio
import gc
import ssl
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final, override

from workload import HOST, Scenario, request

WARM_UP: Final = 0.25
"""Seconds before the clock runs."""


@dataclass(frozen=True)
class Route:
    """A way to the upstream: through the proxy at `port`, or straight to it where `proxied` is False."""

    port: int
    trusted: str
    proxied: bool = True
    credential: str = ""


@dataclass(frozen=True)
class Job:
    """One measurement."""

    route: Route
    scenario: Scenario
    connections: int
    seconds: float
    upstream_port: int


@dataclass(frozen=True)
class Measured:
    """What came of it: how long each call took, in seconds, and how long all took together."""

    latencies: list[float]
    elapsed: float
    last: bytes


class Client(asyncio.Protocol):
    """One connection: sends a request, and waits for the whole answer."""

    def __init__(self) -> None:
        self._answer = bytearray()
        self._whole: asyncio.Future[bytes] | None = None
        self._length: int | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(ConnectionError(f"closed after {bytes(self._answer[:300])!r}"))

    @override
    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._length is None:
            head, found, _ = self._answer.partition(b"\r\n\r\n")
            if not found:
                return
            lengths = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            connected = b"chunked" not in head.lower() and not lengths
            self._length = len(head) + 4 + int(lengths or 0) if lengths or connected else -1
        over = self._answer.endswith(b"\r\n0\r\n\r\n") if self._length < 0 else len(self._answer) >= self._length
        if over and self._whole is not None:
            whole, self._whole = self._whole, None
            whole.set_result(bytes(self._answer))

    async def ask(self, question: bytes) -> bytes:
        """Send a request and give its answer; raises ConnectionError for any but 200."""
        self._answer.clear()
        self._length = None
        self._whole = asyncio.get_running_loop().create_future()
        self.transport.write(question)
        answer = await self._whole
        if not answer.startswith(b"HTTP/1.1 200"):
            msg = f"refused: {answer[:300]!r}"
            raise ConnectionError(msg)
        return answer


async def connect(job: Job, context: ssl.SSLContext) -> Client:
    """Open a connection to the upstream, through the proxy where there is one."""
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_connection(Client, "127.0.0.1", job.route.port)
    if job.route.proxied:
        authorization = f"Proxy-Authorization: Basic {job.route.credential}\r\n" if job.route.credential else ""
        name = f"{HOST}:{job.upstream_port}"
        await client.ask(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{authorization}\r\n".encode())
    encrypted = await loop.start_tls(transport, client, context, server_hostname=HOST)
    assert encrypted is not None
    client.transport = encrypted
    return client


async def _measure(job: Job) -> Measured:
    context = ssl.create_default_context(cafile=job.route.trusted)
    question = request(job.scenario).replace(b"{port}", str(job.upstream_port).encode())
    begin = time.perf_counter() + WARM_UP
    end = begin + job.seconds
    latencies: list[float] = []
    last = b""

    async def keep_alive() -> None:
        nonlocal last
        client = await connect(job, context)
        while (before := time.perf_counter()) < end or not latencies:
            last = await client.ask(question)
            if before >= begin:
                latencies.append(time.perf_counter() - before)
        client.transport.abort()

    async def connect_each() -> None:
        nonlocal last
        while (before := time.perf_counter()) < end or not latencies:
            client = await connect(job, context)
            last = await client.ask(question)
            if before >= begin:
                latencies.append(time.perf_counter() - before)
            client.transport.abort()

    one = connect_each if job.scenario is Scenario.CONNECT else keep_alive
    await asyncio.gather(*(one() for _ in range(job.connections)))
    return Measured(latencies, time.perf_counter() - begin, last)


def work(jobs: Connection) -> None:
    """Do jobs until there is none; answers each with a `Measured`, or with the text of what went wrong."""
    gc.disable()
    while (job := jobs.recv()) is not None:
        try:
            jobs.send(asyncio.run(_measure(job)))
        except OSError as error:
            jobs.send(str(error))
