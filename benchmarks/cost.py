"""Where a call's CPU time goes: microseconds a call in the threads of mitmdump, a bare Master and the gateway.

    uv run python benchmarks/cost.py [SCENARIO] [--connections 1] [--rounds 5]

CPU time depends far less than wall time on what else the machine does, so this shows changes of a few percent. The bare
Master serves through mitmproxy's layers alone: what would be left without the gateway's own work and without stock
addons. `first thread` runs the event loop; in the gateway, the others are the journal's writer and a pool's.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Final

from load import WARM_UP, Job
from machine import thread_seconds
from proxies import Running, bare
from throughput import Bench, ask, standing
from workload import Scenario

MICRO: Final = 1e6


def main() -> None:
    """Measure, and print a line for each target."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", nargs="?", default="small", choices=[one.name.lower() for one in Scenario])
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    scenario = Scenario[arguments.scenario.upper()]
    with tempfile.TemporaryDirectory() as name, standing(Path(name), [scenario], bare) as bench:
        costs: dict[str, list[tuple[float, float, float]]] = {}
        for number in range(arguments.rounds):
            turn = number % len(bench.targets)
            for target in (*bench.targets[turn:], *bench.targets[:turn]):
                job = Job(target.route, scenario, arguments.connections, arguments.seconds, bench.upstream_port)
                if target.route.proxied:
                    costs.setdefault(target.name, []).append(_cost(bench, target, job))
    print(f"{scenario.title}, {arguments.connections} connections: µs of CPU a call, calls/s (medians)")
    for target, rounds in costs.items():
        loop, others, rate = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{target:12} first thread {loop:7.0f}   others {others:7.0f}   {rate:6.0f}/s")


def _cost(bench: Bench, target: Running, job: Job) -> tuple[float, float, float]:
    before = thread_seconds(target.pid)
    measured = ask(bench, job)
    used = {thread: time - before.get(thread, 0.0) for thread, time in thread_seconds(target.pid).items()}
    calls = len(measured.latencies)
    scale = MICRO / calls * job.seconds / (job.seconds + WARM_UP)
    loop = used.pop(target.pid)
    return loop * scale, sum(used.values()) * scale, calls / measured.elapsed


if __name__ == "__main__":
    main()
