"""Where a call's CPU time goes: microseconds a call in the threads of mitmdump, a bare Master and the gateway.

    uv run python benchmarks/cost.py                  # writes benchmarks/results/cost.md
    uv run python benchmarks/cost.py small --quick    # a shorter look; writes nothing

CPU time depends far less than wall time on what else the machine does, so this shows changes of a few percent. The bare
Master serves through mitmproxy's layers alone, without stock addons and without ours.
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from load import WARM_UP, Job
from machine import thread_seconds
from proxies import Running, bare
from report import versions
from throughput import Bench, ask, standing
from workload import Scenario

MICRO: Final = 1e6

HEAD: Final = """\
# CPU time of a call

Microseconds a call, medians over the rounds of one interleaved run. `event loop` is the first thread; in the gateway
the others are the journal's writer, whose time is mostly the kernel's, and a pool's. `bare Master` is mitmproxy's
layers alone: without its default addons, and without identity, policy, masking and journal.
"""


@dataclass(frozen=True)
class Cost:
    """One measurement of one target: µs a call in its first thread, and in all others."""

    loop: float
    others: float


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = [one.name.lower() for one in Scenario]
    parser.add_argument("scenarios", nargs="*", default=[], metavar="SCENARIO", help=f"of {', '.join(names)}")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--quick", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    scenarios = [Scenario[name.upper()] for name in arguments.scenarios or names]
    lines = [
        HEAD,
        "```",
        " ".join(["uv run python benchmarks/cost.py", *sys.argv[1:]]),
        "```",
        "",
        f"* {versions()}",
        "",
    ]
    with tempfile.TemporaryDirectory() as name, standing(Path(name), scenarios, bare) as bench:
        for scenario in scenarios:
            for connections in arguments.connections:
                costs = _measure(bench, scenario, connections, arguments.rounds, arguments.seconds)
                table = _table(f"{scenario.title}, {connections} connection{'s' * (connections > 1)}", costs)
                print("\n".join(table), flush=True)
                lines += table
    if not arguments.quick:
        (Path(__file__).with_name("results") / "cost.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _measure(bench: Bench, scenario: Scenario, connections: int, rounds: int, seconds: float) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {}
    targets = tuple(target for target in bench.targets if target.route.proxied)
    for number in range(rounds):
        turn = number % len(targets)
        for target in (*targets[turn:], *targets[:turn]):
            job = Job(target.route, scenario, connections, seconds, bench.upstream_port)
            costs.setdefault(target.name, []).append(_cost(bench, target, job))
    return costs


def _cost(bench: Bench, target: Running, job: Job) -> Cost:
    before = thread_seconds(target.pid)
    measured = ask(bench, job)
    used = {thread: time - before.get(thread, 0.0) for thread, time in thread_seconds(target.pid).items()}
    scale = MICRO / len(measured.latencies) * job.seconds / (job.seconds + WARM_UP)
    loop = used.pop(target.pid)
    return Cost(loop * scale, sum(used.values()) * scale)


def _table(title: str, costs: dict[str, list[Cost]]) -> list[str]:
    stock = statistics.median(cost.loop + cost.others for cost in costs["mitmdump"])
    lines = [f"### {title}", "", "| | event loop | others | all / mitmdump |", "| --- | ---: | ---: | ---: |"]
    for target, rounds in costs.items():
        loop, others = (
            statistics.median(cost.loop for cost in rounds),
            statistics.median(cost.others for cost in rounds),
        )
        lines.append(f"| {target} | {loop:.0f} | {others:.0f} | {(loop + others) / stock:.2f}x |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
