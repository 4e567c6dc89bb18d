"""A thousand calls held at once: what they cost the gateway, and other callers; and how soon a decision releases one.

    uv run python benchmarks/holds.py [--write]

* Memory and processor time are those of the gateway's process; idle means that calls are held and nothing else goes on.
* Other traffic is four connections that call a model one call after the other, as fast as they are answered: measured
  without held calls and with them, in turn, and compared round by round.
* A release is timed from the moment that the signed decision is sent to the gateway until the first byte of the call is
  at the upstream: verification by ssh-keygen, three durable entries, and a connection to the upstream are in it. (What
  `approvals approve` does before, a passphrase and a signature, is the reviewer's own.) Decisions come one at a time,
  each when the call before has arrived; then in a row, as fast as one command (`approve --alike`) sends them; then from
  four commands at once, which is faster than calls can be released on two processors: a queue.

`--write` keeps the figures in `benchmarks/results/holds.md`.
"""

import asyncio
import contextlib
import datetime as dt
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, override

from load import WARM_UP, Client, Job, Measured, connect, work
from machine import busy_seconds, cpu_seconds, facts, resident_mb
from proxies import Running, gateway
from report import versions
from throughput import process
from upstream import Answerer, make_certificates
from workload import Scenario, answers, request

from gatekeeper.approvals import ApprovalView
from gatekeeper.cli.admin_client import AdminClient
from gatekeeper.cli.deciding import Choice, statement_for
from gatekeeper.cli.signing import Signer, from_file
from gatekeeper.journal.statement import statement_bytes

CALLS: Final = 1000
CONNECTIONS: Final = 4
ROUNDS: Final = 4
"""An even number: calls are held after the last."""
SECONDS: Final = 2.0
IDLE: Final = 5.0
SINGLE: Final = 200
"""Decisions that come one at a time."""

WAYS: Final = ("one at a time", "in a row", "by four commands at once")

PATH: Final = "/v1/fine_tuning/jobs/"
"""Held by one of the rules that all benchmarks run with."""

LEAD: Final = "lead@example.com"
RESULTS: Final = Path(__file__).parent / "results" / "holds.md"
SETTINGS: Final = (
    f"egress.connections_per_subject={2 * CALLS}",
    f"approvals.max_pending={2 * CALLS}",
    f"approvals.max_per_minute={4 * CALLS}",
)


class Telling(Answerer):
    """Answers as the other one does, and tells when a call that was held has come."""

    def __init__(self, prepared: dict[bytes, list[bytes]], told: Connection) -> None:
        super().__init__(prepared)
        self._told = told

    @override
    def data_received(self, data: bytes) -> None:
        if data.startswith(b"POST " + PATH.encode()):
            self._told.send((data.split(b" ", 2)[1].decode(), time.perf_counter()))
        super().data_received(data)


def serve(certificate: Path, told: Connection) -> None:
    """Serve until the process is ended; tells its port, then of each held call its path and when it came."""

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        prepared = answers()
        small = prepared[Scenario.SMALL.value.encode()]
        prepared |= {f"{PATH}{number}".encode(): small for number in range(CALLS)}
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Telling(prepared, told), "127.0.0.1", 0, ssl=context, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@dataclass(frozen=True)
class Bench:
    """What stands while measurements are taken."""

    told: Connection
    jobs: Connection
    target: Running
    port: int
    socket: Path
    admin: AdminClient
    pids: tuple[int, ...]

    def job(self, seconds: float = SECONDS) -> Job:
        """Give the other traffic."""
        return Job(self.target.route, Scenario.SMALL, CONNECTIONS, seconds, self.port)

    def waiting(self) -> list[ApprovalView]:
        """Give the approvals for which a call waits."""
        return [view for view in self.admin.approvals() if view.state == "pending" and view.waiting]


@dataclass(frozen=True)
class Round:
    """The other traffic without and with held calls: p50 and p99 in ms, processor time in ms a call."""

    without: tuple[float, float, float]
    beside: tuple[float, float, float]


@contextlib.contextmanager
def standing(folder: Path) -> Iterator[tuple[Bench, Signer]]:
    """Start upstream, load and gateway, with a reviewer who has a key."""
    key = folder / "lead"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", LEAD, "-f", key], check=True)  # noqa: S603, S607
    signer = from_file(key)
    (folder / "allowed_signers").write_text(f"{LEAD} {signer.public}\n")
    _, leaf = make_certificates(folder)
    socket = folder / "run" / "gatekeeper.sock"
    with process(serve, leaf) as (upstream, told), process(work) as (loader, jobs):
        port: int = told.recv()
        with gateway(folder, port, *SETTINGS) as target, AdminClient(socket) as admin:
            pids = (upstream.pid or 0, loader.pid or 0, target.pid, os.getpid())
            yield Bench(told, jobs, target, port, socket, admin, pids), signer
        jobs.send(None)


async def hold(bench: Bench) -> list[tuple[Client, "asyncio.Task[bytes]"]]:
    """Make the calls, and come back when all of them wait."""
    context = ssl.create_default_context(cafile=bench.target.route.trusted)
    question = request(Scenario.SMALL).replace(b"{port}", str(bench.port).encode())
    door = asyncio.Semaphore(32)

    async def one(number: int) -> tuple[Client, "asyncio.Task[bytes]"]:
        async with door:
            client = await connect(bench.job(), context)
        asking = client.ask(question.replace(Scenario.SMALL.value.encode(), f"{PATH}{number}".encode()))
        return client, asyncio.create_task(asking)

    calls = await asyncio.gather(*(one(number) for number in range(CALLS)))
    while len(await asyncio.to_thread(bench.waiting)) < CALLS:  # noqa: ASYNC110 - the gateway is asked
        await asyncio.sleep(0.2)
    return calls


async def leave(bench: Bench, calls: "Sequence[tuple[Client, asyncio.Task[bytes]]]") -> None:
    """Let the clients go away; their approvals stay pending, and the same calls join them later."""
    for client, asking in calls:
        asking.cancel()
        client.transport.abort()
    await asyncio.gather(*(asking for _, asking in calls), return_exceptions=True)
    while await asyncio.to_thread(bench.waiting):  # noqa: ASYNC110 - the gateway is asked
        await asyncio.sleep(0.2)


async def others(bench: Bench, seconds: float = SECONDS) -> tuple[float, float, float]:
    """Measure the other traffic."""

    def ask() -> Measured:
        bench.jobs.send(bench.job(seconds))
        answer = bench.jobs.recv()
        assert isinstance(answer, Measured), answer
        return answer

    used = cpu_seconds(bench.target.pid)
    latencies = sorted((await asyncio.to_thread(ask)).latencies)
    used = cpu_seconds(bench.target.pid) - used
    share = seconds / (seconds + WARM_UP)
    return (
        statistics.median(latencies) * 1000,
        latencies[int(len(latencies) * 0.99)] * 1000,
        used * 1000 / len(latencies) * share,
    )


async def release(bench: Bench, signer: Signer) -> list[list[float]]:
    """Decide on all; gives in ms, one at a time, in a row and in a flood, how long each call took to the upstream."""
    views = bench.waiting()
    with ThreadPoolExecutor(2) as pool:
        statements = [statement_bytes(statement_for(view, LEAD, Choice("approve"))) for view in views]
        signed = list(zip(views, statements, pool.map(signer.sign, statements), strict=True))
    sent: dict[str, float] = {}

    def decide(admin: AdminClient, view: ApprovalView, statement: bytes, signature: str) -> None:
        sent[view.url[view.url.index(PATH) :]] = time.perf_counter()
        assert admin.decide(view.id, statement, signature).state == "used"

    def arrived(count: int) -> list[float]:
        came = [bench.told.recv() for _ in range(count)]
        return [(at - sent[path]) * 1000 for path, at in came]

    single: list[float] = []
    for one in signed[:SINGLE]:
        await asyncio.to_thread(decide, bench.admin, *one)
        single += await asyncio.to_thread(arrived, 1)

    async def commands(count: int, part: Sequence[tuple[ApprovalView, bytes, str]]) -> list[float]:
        await asyncio.gather(*(asyncio.to_thread(command, part[start::count]) for start in range(count)))
        return await asyncio.to_thread(arrived, len(part))

    def command(part: Sequence[tuple[ApprovalView, bytes, str]]) -> None:
        with AdminClient(bench.socket) as admin:
            for one in part:
                decide(admin, *one)

    row = await commands(1, signed[SINGLE : 2 * SINGLE])
    return [single, row, await commands(4, signed[2 * SINGLE :])]


async def measure(bench: Bench, signer: Signer) -> tuple[list[str], list[Round], list[list[float]]]:
    """Take all measurements; gives what was found in lines, the rounds, and the releases."""
    pid = bench.target.pid
    await others(bench, 1.0)
    memory = resident_mb(pid)
    calls = await hold(bench)
    grown = resident_mb(pid) - memory
    used = cpu_seconds(pid)
    await asyncio.sleep(IDLE)
    idle = (cpu_seconds(pid) - used) / IDLE
    rounds = []
    for number in range(ROUNDS):
        # Held calls are there when a round begins in even rounds, and come in its middle in odd ones.
        if number % 2:
            without = await others(bench)
            calls = await hold(bench)
            beside = await others(bench)
        else:
            beside = await others(bench)
            await leave(bench, calls)
            without = await others(bench)
        rounds.append(Round(without, beside))
    released = await release(bench, signer)
    answers_ = await asyncio.gather(*(asking for _, asking in calls))
    assert len(answers_) == CALLS
    lines = [
        f"* memory: {grown:.0f} MB more with {CALLS:,} calls held ({memory:.0f} MB before)",
        f"* idle with {CALLS:,} calls held: {idle:.1%} of one processor, over {IDLE:.0f} s",
    ]
    return lines, rounds, released


def report(folder: Path) -> str:
    """Measure, and write it up."""
    with standing(folder) as (bench, signer):
        busy, own, began = busy_seconds(), sum(map(cpu_seconds, bench.pids)), time.perf_counter()
        lines, rounds, released = asyncio.run(measure(bench, signer))
        foreign = busy_seconds() - busy - sum(map(cpu_seconds, bench.pids)) + own
        described = facts(folder, [max(0.0, foreign) / (time.perf_counter() - began) / (os.cpu_count() or 1)])
    return "\n".join(
        [
            "# Held calls", "", *(__doc__ or "").splitlines()[2:], "",
            *(f"* {fact}" for fact in (versions(), *described)),
            f"* {dt.datetime.now(dt.UTC):%Y-%m-%d}", "",
            "## The gateway", "", *lines, "",
            "## Other traffic", "",
            "| | without, ms | beside held calls, ms | ratio, round by round |", "| --- | ---: | ---: | ---: |",
            *(_compared(name, place, rounds) for place, name in enumerate(("p50", "p99", "CPU a call"))), "",
            "## From a decision to the upstream", "",
            "| | releases | p50, ms | p99, ms | slowest, ms |", "| --- | ---: | ---: | ---: | ---: |",
            *(_released(name, times) for name, times in zip(WAYS, released, strict=True)),
            "",
        ]
    )  # fmt: skip


def _compared(name: str, place: int, rounds: Sequence[Round]) -> str:
    without = statistics.median(one.without[place] for one in rounds)
    beside = statistics.median(one.beside[place] for one in rounds)
    ratios = sorted(one.beside[place] / one.without[place] for one in rounds)
    spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return f"| {name} | {without:.2f} | {beside:.2f} | {spread} |"


def _released(name: str, times: Sequence[float]) -> str:
    ordered = sorted(times)
    return (
        f"| {name} | {len(ordered)} | {statistics.median(ordered):.0f} "
        f"| {ordered[int(len(ordered) * 0.99)]:.0f} | {ordered[-1]:.0f} |"
    )


def main() -> None:
    """Print the report, and keep it where asked."""
    with tempfile.TemporaryDirectory() as folder:
        text = report(Path(folder))
    print(text)
    if "--write" in sys.argv:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
