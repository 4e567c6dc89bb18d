"""What other callers of a running gateway notice while an issuer misbehaves; for the page of `benchmarks/identity.py`.

Four connections call a model, one call after the other, with tokens of an issuer that is well. Meanwhile strangers ask
for tunnels, 100 a second, with tokens of another issuer and keys that nobody knows: so the gateway fetches the
issuer's keys. It is another one each time, since it is asked at most once a minute, and it is down, silent, drips,
never ends, answers with as many keys as may be, with other keys than before, or well. The server of the issuers,
upstream and load are processes of their own.
"""

import asyncio
import base64
import contextlib
import itertools
import ssl
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from issuer_pages import Page, drips, is_down, is_silent, large, never_ends, others, well
from load import WARM_UP, Job, Measured, work
from machine import cpu_seconds
from proxies import Running, gateway
from throughput import process
from tokens import token
from upstream import make_certificates, serve
from workload import Scenario

ROUNDS: Final = 3
SECONDS: Final = 1.5
CONNECTIONS: Final = 4
STRANGERS: Final = 100
"""Tunnels that strangers ask for in a second."""

PAGES: Final[dict[str, Page]] = {
    "answers well": well,
    "is down": is_down,
    "is silent": is_silent,
    "drips": drips,
    "never ends": never_ends,
    "answers with 100 keys": large,
    "has other keys": others,
}
QUIET: Final = "no strangers"


def provide(certificate: Path, told: Connection) -> None:
    """Serve keys well until told to misbehave; then as the first part of the path says."""
    pages = dict(enumerate(PAGES.values()))
    asked: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if told.poll():
                told.recv()
                asked.append(1)
            await (pages[int(head.split(b"/")[1])] if asked else well)(writer)
        writer.close()

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def _issuer(kind: int, round_: int) -> str:
    return f"https://issuer.example/{kind}/{round_}"


def _config(port: int) -> str:
    names = [(kind, round_) for kind in range(len(PAGES)) for round_ in range(ROUNDS)]
    tables = [
        f'[[identity.issuers]]\nissuer = "{_issuer(*name)}"\njwks = "https://localhost:{port}/{name[0]}/{name[1]}"'
        for name in names
    ]
    own = '[[identity.issuers]]\nissuer = "https://gatekeeper.local"\njwks = "data/issuer.jwks.json"'
    rule = '[[rules]]\nname = "models"\nhosts = ["localhost"]\naction = "allow"'
    return "\n".join([own, *tables, rule])


@dataclass(frozen=True)
class Sample:
    """The other traffic: how long each call took, in ms, and the gateway's processor time for it, in ms a call."""

    latencies: list[float]
    cpu: float


def neighbours(folder: Path) -> Iterator[str]:
    """Measure; gives the lines of a table."""
    _, leaf = make_certificates(folder)
    with (
        process(serve, leaf) as (_up, upstream),
        process(provide, leaf) as (_issuers, told),
        process(work) as (_, jobs),
    ):
        port, keys = upstream.recv(), told.recv()
        with gateway(folder, port, rules=_config(keys)) as target:
            told.send("misbehave")
            samples = asyncio.run(_measure(target, jobs, port))
        jobs.send(None)
    good = _p99(samples["answers well"])
    for name, taken in samples.items():
        calls = [latency for one in taken for latency in one.latencies]
        cpu = statistics.median(one.cpu for one in taken)
        yield f"| {name} | {statistics.median(calls):.2f} | {_p99(taken):.2f} | {_p99(taken) / good:.2f}x | {cpu:.2f} |"


def _p99(taken: Sequence[Sample]) -> float:
    calls = sorted(latency for one in taken for latency in one.latencies)
    return calls[int(len(calls) * 0.99)]


async def _measure(target: Running, jobs: Connection, port: int) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {QUIET: [], **{name: [] for name in PAGES}}
    for round_ in range(ROUNDS):
        for kind, name in enumerate(PAGES):
            strangers = asyncio.create_task(_strangers(target.route.port, port, _issuer(kind, round_)))
            samples[name].append(await _sample(target, jobs, port))
            strangers.cancel()
            await asyncio.wait([strangers])
        samples[QUIET].append(await _sample(target, jobs, port))
    return samples


async def _sample(target: Running, jobs: Connection, port: int) -> Sample:
    def ask() -> Measured:
        jobs.send(Job(target.route, Scenario.SMALL, CONNECTIONS, SECONDS, port))
        answer = jobs.recv()
        assert isinstance(answer, Measured), answer
        return answer

    used = cpu_seconds(target.pid)
    latencies = (await asyncio.to_thread(ask)).latencies
    used = (cpu_seconds(target.pid) - used) * SECONDS / (SECONDS + WARM_UP)
    return Sample([latency * 1000 for latency in latencies], used * 1000 / len(latencies))


async def _strangers(gateway_port: int, port: int, issuer: str) -> None:
    """Ask for tunnels with tokens whose key nobody knows; each is refused."""
    made = [token("EdDSA", number, f"unknown-{number}", issuer) for number in range(STRANGERS)]

    async def knock(stranger: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway_port)
        value = base64.b64encode(f"workload:{stranger}".encode()).decode()
        target = f"localhost:{port}"
        writer.write(
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {value}\r\n\r\n".encode()
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 407 ")
        writer.close()

    async with asyncio.TaskGroup() as knocking:
        for stranger in itertools.cycle(made):
            knocking.create_task(knock(stranger))
            await asyncio.sleep(1 / STRANGERS)


def table(lines: Sequence[str]) -> list[str]:
    """Put a head above the lines."""
    return [
        "| | p50, ms | p99, ms | p99 to an issuer that answers well | CPU ms a call |",
        "| --- | ---: | ---: | ---: | ---: |",
        *lines,
    ]
