"""How fast a replay goes by: as fast as it is read, or in its own time, and where it waits for a key."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import click
import msgspec

from gatekeeper.journal.entries import RequestData, ResponseData
from gatekeeper.replay import StepKind
from gatekeeper.replay.export.values import MICROSECONDS

if TYPE_CHECKING:
    from gatekeeper.replay import Step

PAUSES: Final = ("hold", "deny", "mask")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """`speed` 2 is twice as fast as it was, None without waiting; `idle_max` is in seconds; `step`: a key for each."""

    speed: float | None = None
    idle_max: float | None = None
    step: bool = False
    pause_on: frozenset[str] = frozenset()

    def wait(self, before: int, at: int) -> float:
        """Give the seconds between two steps, which happened at these µs."""
        if self.speed is None:
            return 0.0
        seconds = max(0, at - before) / MICROSECONDS
        if self.idle_max is not None:
            seconds = min(seconds, self.idle_max)
        return seconds / self.speed

    def stops_after(self, step: "Step") -> bool:
        """Whether a key is waited for once a step was shown."""
        return self.step or any(_is(what, step) for what in self.pause_on)


def paced(steps: "Iterable[Step]", pace: Pace) -> "Iterator[Step]":
    """Give steps when they are due; after one that is to be looked at, wait for a key."""
    before: int | None = None
    for step in steps:
        time.sleep(pace.wait(step.at if before is None else before, step.at))
        before = step.at
        yield step
        if pace.stops_after(step):
            click.pause(info=click.style("  — any key goes on —", dim=True), err=True)


def _is(what: str, step: "Step") -> bool:
    data = step.entry.data
    match what:
        case "hold":
            return step.kind is StepKind.HOLD
        case "deny":
            by_rule = step.kind is StepKind.VERDICT and isinstance(data, RequestData) and data.verdict.action == "deny"
            return by_rule or step.kind in {StepKind.DENY, StepKind.EXPIRE, StepKind.REFUSED}
        case _:
            findings = data.findings if isinstance(data, RequestData | ResponseData) else {}
            return bool(findings) and step.kind is not StepKind.VERDICT
