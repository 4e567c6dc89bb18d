"""Requests per second, p50 and p99 of the gateway beside stock mitmdump, on the same work, in one run.

    uv run python benchmarks/throughput.py            # writes benchmarks/results/throughput.md
    uv run python benchmarks/throughput.py --quick    # a shorter look; writes nothing

Upstream and load are processes of their own. In each round every target is measured, in turn, and the
turn changes from round to round, so that what else the machine does meets all of them alike.
"""

import argparse
import contextlib
import multiprocessing
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from load import WARM_UP, Job, Measured, Route, work
from machine import busy_seconds, cpu_seconds, facts
from proxies import Running, gateway, mitmdump
from report import Sample, table, write
from upstream import make_certificates, serve
from workload import Scenario, is_masked

type Peer = Callable[[Path], contextlib.AbstractContextManager[Running]]


@dataclass(frozen=True)
class Bench:
    """What stands while measurements are taken."""

    jobs: Connection
    targets: tuple[Running, ...]
    upstream_port: int
    pids: tuple[int, ...]


def main() -> int:
    """Run the benchmark."""
    arguments = _arguments()
    scenarios = [Scenario[name.upper()] for name in arguments.only] or list(Scenario)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name, standing(Path(name), scenarios) as bench:
        folder = Path(name)
        samples: list[Sample] = []
        for scenario in scenarios:
            for connections in arguments.connections:
                samples += _compare(bench, scenario, connections, arguments.rounds, arguments.seconds)
                print("\n".join(table(samples, scenario, connections)), flush=True)
        described = [*facts(folder, [sample.others for sample in samples]), _journal(folder)]
        print("\n".join(described))
        if not arguments.quick:
            write(Path(__file__).with_name("results") / "throughput.md", samples, described, sys.argv[1:])
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.7 s, nothing written")
    parser.add_argument("--rounds", type=int, help="how often each target is measured (5)")
    parser.add_argument("--seconds", type=float, help="length of one measurement (2)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument(
        "--only", nargs="+", default=[], choices=[scenario.name.lower() for scenario in Scenario], metavar="SCENARIO"
    )
    parser.add_argument("--folder", type=Path, help="where the journal is written: a real disk (the temporary folder)")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (0.7 if arguments.quick else 2.0)
    return arguments


@contextlib.contextmanager
def standing(folder: Path, scenarios: Sequence[Scenario], *more: Peer) -> Iterator[Bench]:
    """Start everything, and see that each target answers, and the gateway masks, before anything is measured."""
    root, leaf = make_certificates(folder)
    with contextlib.ExitStack() as stack:
        upstream, told = stack.enter_context(process(serve, leaf))
        port: int = told.recv()
        loader, jobs = stack.enter_context(process(work))
        stock, own = stack.enter_context(mitmdump(folder)), stack.enter_context(gateway(folder, port))
        others = [stack.enter_context(peer(folder)) for peer in more]
        direct = Running("direct", Route(port, str(root), proxied=False), upstream.pid or 0)
        pids = tuple({each.pid or 0 for each in (upstream, loader)} | {stock.pid, own.pid})
        bench = Bench(jobs, (direct, stock, *others, own), port, pids)
        for target in bench.targets:
            for scenario in scenarios:
                answer = ask(bench, Job(target.route, scenario, 1, 0.05, port)).last
                masked = is_masked(answer)
                assert masked == (target is own), f"{target.name}, {scenario.title}: masked: {masked}"
        yield bench
        jobs.send(None)


@contextlib.contextmanager
def process(run: Any, *arguments: object) -> Iterator[tuple[BaseProcess, Connection]]:
    """Run a function in a process of its own, with one end of a pipe as its last argument."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    started = context.Process(target=run, args=(*arguments, there), daemon=True)
    started.start()
    try:
        yield started, here
    finally:
        started.terminate()
        started.join()


def _compare(bench: Bench, scenario: Scenario, connections: int, rounds: int, seconds: float) -> list[Sample]:
    samples: list[Sample] = []
    for number in range(rounds):
        turn = number % len(bench.targets)
        for target in (*bench.targets[turn:], *bench.targets[:turn]):
            # Without a proxy there is no peer to compare, only a floor to know: once will do.
            if target.name == "direct" and number:
                continue
            job = Job(target.route, scenario, connections, seconds, bench.upstream_port)
            samples.append(_sample(bench, target, job, number))
    return samples


def _sample(bench: Bench, target: Running, job: Job, number: int) -> Sample:
    begin, busy, own, used = time.perf_counter(), busy_seconds(), _used(bench.pids), cpu_seconds(target.pid)
    measured = ask(bench, job)
    used, own, busy = cpu_seconds(target.pid) - used, _used(bench.pids) - own, busy_seconds() - busy
    wall, calls = time.perf_counter() - begin, len(measured.latencies)
    latencies = sorted(measured.latencies)
    return Sample(
        scenario=job.scenario,
        connections=job.connections,
        target=target.name,
        round=number,
        rate=calls / measured.elapsed,
        p50=statistics.median(latencies) * 1000,
        p99=latencies[int(len(latencies) * 0.99)] * 1000,
        cpu=used * 1000 / calls * job.seconds / (job.seconds + WARM_UP),
        others=max(0.0, busy - own) / wall / (multiprocessing.cpu_count()),
    )


def ask(bench: Bench, job: Job) -> Measured:
    """Have one measurement taken; raises TypeError with what went wrong."""
    bench.jobs.send(job)
    answer = bench.jobs.recv()
    if not isinstance(answer, Measured):
        msg = f"{job.scenario.title}, port {job.route.port}: {answer}"
        raise TypeError(msg)
    return answer


def _used(pids: Sequence[int]) -> float:
    return sum(map(cpu_seconds, pids))


def _journal(folder: Path) -> str:
    """Say how much the gateway recorded meanwhile: the proof that its journal was on."""
    database = sqlite3.connect(f"file:{folder}/data/journal/journal.db?mode=ro", uri=True)
    (entries,) = database.execute("SELECT count(*) FROM entry").fetchone()
    database.close()
    return f"the gateway's journal holds {entries:,} entries of this run, each durable before its call went on"


if __name__ == "__main__":
    sys.exit(main())
