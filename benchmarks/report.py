"""Turns samples into tables: medians over the rounds, and the ratio with its spread."""

import datetime as dt
import importlib.metadata
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workload import Scenario

HEAD: Final = (
    "| | requests/s | p50 ms | p99 ms | CPU ms/call |",
    "| --- | ---: | ---: | ---: | ---: |",
)


@dataclass(frozen=True)
class Sample:
    """One measurement of one target. `rate` in calls a second; `p50`, `p99`, `cpu` (of the target's process) in ms."""

    scenario: Scenario
    connections: int
    target: str
    round: int
    rate: float
    p50: float
    p99: float
    cpu: float
    others: float


def table(samples: Sequence[Sample], scenario: Scenario, connections: int) -> list[str]:
    """Give the lines of one comparison."""
    of = [sample for sample in samples if (sample.scenario, sample.connections) == (scenario, connections)]
    lines = [f"### {scenario.title}, {connections} connection{'s' if connections > 1 else ''}", "", *HEAD]
    for target in dict.fromkeys(("direct", "mitmdump", "gateway")):
        own = [sample for sample in of if sample.target == target]
        cpu = "" if target == "direct" else f"{_median(own, lambda s: s.cpu):.2f}"
        lines.append(
            f"| {target} | {_median(own, lambda s: s.rate):.0f} | {_median(own, lambda s: s.p50):.2f} "
            f"| {_median(own, lambda s: s.p99):.2f} | {cpu} |"
        )
    rate, cpu = _ratio(of, lambda s: s.rate), _ratio(of, lambda s: s.cpu)
    return [*lines, "", f"Gateway / mitmdump: requests/s **{rate}**, CPU a call {cpu}.", ""]


def write(path: Path, samples: Sequence[Sample], facts: Sequence[str], arguments: Sequence[str]) -> None:
    """Write the page of results."""
    work = dict.fromkeys((sample.scenario, sample.connections) for sample in samples)
    rounds = len({sample.round for sample in samples})
    lines = [
        "# Throughput",
        "",
        "The gateway with everything on (identity as proxy Basic, 20 rules, masking of answers and of the record,",
        "durable journal) beside stock `mitmdump` (its defaults, but for port, folder and the upstream's CA), on the",
        "same work. `direct` is the same load without a proxy. Medians over the rounds of one interleaved run; the",
        "ratio is taken round by round, and stands with its lowest and highest.",
        "",
        "```",
        " ".join(["uv run python benchmarks/throughput.py", *arguments]),
        "```",
        "",
        *(f"* {fact}" for fact in (versions(), *facts)),
        f"* {rounds} rounds, {dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "",
    ]
    for scenario, connections in work:
        lines += table(samples, scenario, connections)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def versions() -> str:
    """Name the versions of what is compared."""
    named = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("gatekeeper-proxy", "mitmproxy"))
    return f"{named}, Python {platform.python_version()}"


def _median(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    return statistics.median(map(of, samples))


def _ratio(samples: Sequence[Sample], of: Callable[[Sample], float]) -> str:
    by_round = {(sample.target, sample.round): of(sample) for sample in samples}
    rounds = {number for _, number in by_round}
    ratios = sorted(by_round["gateway", number] / by_round["mitmdump", number] for number in rounds)
    return f"{statistics.median(ratios):.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f})"
