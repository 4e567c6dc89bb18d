"""`/metrics` on the admin socket, for Prometheus: what the journal has counted and how things stand.

Labels are words of our own (kinds, actions, reasons, detectors, names of sinks): no subject, host, address or text.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, override

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekeeper import VERSION
from gatekeeper.gateway.health import Health
from gatekeeper.journal.anchoring import AnchorState
from gatekeeper.journal.tally import BUCKETS, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics(Collector):
    """Gives all metrics at each scrape; nothing is counted on the way of a call that the journal doesn't count."""

    def __init__(self, tally: Tally, health: Callable[[], Health], held: Callable[[], int]) -> None:
        self._tally = tally
        self._health = health
        self._held = held
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def route(self) -> Route:
        """Give the route."""
        return Route("/metrics", self._scrape)

    async def _scrape(self, _request: Request) -> Response:
        return Response(generate_latest(self._registry), headers={"content-type": CONTENT_TYPE})

    @override
    def collect(self) -> Iterable[Metric]:
        yield from self._counted()
        yield from self._standing()

    def _counted(self) -> Iterator[Metric]:
        tally = self._tally
        yield _counter("entries", "Entries handed to the journal.", ["kind"], tally.entries)
        yield _counter("requests", "Calls by the action of their verdict.", ["action"], tally.requests)
        yield _counter("refused", "What was refused before it became a call.", ["reason"], tally.refused)
        yield _counter("responses", "Answers, by whom and of which class.", ["by", "status"], tally.responses)
        yield _counter("errors", "Calls that broke.", ["reason", "side"], tally.errors)
        yield _counter("findings", "What detectors found.", ["side", "entity"], tally.findings)
        yield _counter("decisions", "Reviewers' decisions.", [], {(): tally.decisions})
        yield _counter("body_bytes", "Bytes of masked bodies, before compression.", [], {(): tally.body_bytes})
        bounds = [*map(str, BUCKETS), "+Inf"]
        buckets = [*zip(bounds, map(float, itertools.accumulate(tally.commits)), strict=True)]
        commits = HistogramMetricFamily("gatekeeper_journal_commit_seconds", "Commits of the journal, fsync included.")
        commits.add_metric([], buckets, sum_value=tally.commit_seconds)
        yield commits

    def _standing(self) -> Iterator[Metric]:
        health = self._health()
        yield _gauge("up", "1: it records and its port is open.", float(health.well))
        yield _gauge("journal_up", "1: the journal records.", float(health.journal is None))
        yield _gauge("held_calls", "Calls that wait for reviewers.", float(self._held()))
        yield _gauge("disk_free_bytes", "Room on the journal's disk.", float(health.free))
        yield _gauge("journal_wal_bytes", "The journal's WAL; it grows under a long reader.", float(health.wal))
        yield _gauge("disk_low", "1: no new call begins, for want of room.", float(health.disk_low))
        yield _gauge("reload_refused", "1: the last reload changed nothing.", float(health.refused is not None))
        info = GaugeMetricFamily(
            "gatekeeper_build", "Version, and the configuration in force.", labels=["version", "config"]
        )
        info.add_metric([VERSION, health.config[:12]], 1)
        yield info
        yield from _anchors(health.anchors)


def _anchors(states: Iterable[AnchorState]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "gatekeeper_anchor_waiting", "Checkpoints that a sink has not taken yet.", labels=["sink"]
    )
    failing = GaugeMetricFamily("gatekeeper_anchor_failing", "1: the last delivery failed.", labels=["sink"])
    size = GaugeMetricFamily(
        "gatekeeper_anchor_size", "Entries under the last checkpoint that was taken.", labels=["sink"]
    )
    for state in states:
        waiting.add_metric([state.name], state.waiting)
        failing.add_metric([state.name], float(state.problem is not None))
        size.add_metric([state.name], state.size or 0)
    yield from (waiting, failing, size)


def _counter(name: str, text: str, labels: list[str], counts: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(f"gatekeeper_{name}", text, labels=labels)
    for key, count in list(counts.items()):
        family.add_metric([key] if isinstance(key, str) else list(key), count)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"gatekeeper_{name}", text, value=value)
