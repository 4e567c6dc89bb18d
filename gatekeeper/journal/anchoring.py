"""Takes each anchored checkpoint to where the gateway's operator can't change it. It never holds the writer up.

Each sink has a lane of its own: notes go in order, a failure is tried again after a pause that grows, and what can't
be delivered is shown by `gatekeeper status`. `anchors.log` is the writer's own and needs none of this.
"""

import asyncio
import contextlib
import functools
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from gatekeeper.exchange import Clock, Instant, now

logger = logging.getLogger(__name__)

MOST_PENDING: Final = 1000
"""Notes that wait in one lane; of more, the oldest are left out: a later note covers what they covered."""

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
PATIENCE: Final = 30.0
"""Seconds that one delivery may take."""


class SinkFailed(RuntimeError):
    """A note could not be delivered. The text is of our own words and holds nothing that the far side sent."""


class Sink(Protocol):
    """Where notes go."""

    async def send(self, note: str) -> None:
        """Deliver a note for good; raises SinkFailed."""
        ...


class AnchorState(msgspec.Struct, frozen=True, kw_only=True):
    """How a sink is: the size of the last checkpoint it took and when, how many wait, and what is wrong."""

    name: str
    size: int | None
    sent: Instant | None
    waiting: int
    problem: str | None


@dataclass(slots=True)
class _Lane:
    name: str
    sink: Sink
    pending: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_PENDING))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    size: int | None = None
    sent: Instant | None = None
    problem: str | None = None


class Anchoring:
    """The lanes of all sinks. One event loop."""

    def __init__(
        self,
        sinks: Mapping[str, Sink],
        clock: Clock = now,
        sleep: "Callable[[float], asyncio.Future[None]] | None" = None,
    ) -> None:
        self._lanes = [_Lane(name, sink) for name, sink in sinks.items()]
        self._clock = clock
        self._sleep = sleep or asyncio.sleep
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to deliver."""
        for lane in self._lanes:
            lane.idle.set()
            task = asyncio.get_running_loop().create_task(self._deliver(lane))
            task.add_done_callback(functools.partial(_note_end, lane))
            self._tasks.append(task)

    def offer(self, note: str) -> None:
        """Give all sinks a note; on the event loop."""
        for lane in self._lanes:
            if not lane.pending or lane.pending[-1] != note:
                lane.pending.append(note)
                lane.idle.clear()
                lane.news.set()

    def states(self) -> tuple[AnchorState, ...]:
        """Say how all sinks are."""
        return tuple(
            AnchorState(name=lane.name, size=lane.size, sent=lane.sent, waiting=len(lane.pending), problem=lane.problem)
            for lane in self._lanes
        )

    async def settle(self, seconds: float) -> None:
        """Wait until all is delivered, or that long."""
        waiting = [asyncio.ensure_future(lane.idle.wait()) for lane in self._lanes]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=seconds)
            for task in late:
                task.cancel()

    async def close(self, seconds: float) -> None:
        """Deliver what waits, for at most that long, and end."""
        await self.settle(seconds)
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for lane in self._lanes:
            if lane.pending:
                logger.warning("anchor %s: %d checkpoints were not delivered", lane.name, len(lane.pending))

    async def _deliver(self, lane: _Lane) -> None:
        pause = FIRST_PAUSE
        while True:
            await lane.news.wait()
            lane.news.clear()
            while lane.pending:
                note = lane.pending[0]
                problem = await _try(lane.sink, note)
                if problem is not None:
                    if lane.problem is None:
                        logger.error("anchor %s: %s; it is tried again", lane.name, problem)
                    lane.problem = problem
                    await self._sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                    continue
                if lane.problem is not None:
                    logger.info("anchor %s: takes checkpoints again", lane.name)
                pause, lane.problem, lane.sent = FIRST_PAUSE, None, self._clock()
                lane.size = int(note.split("\n", 2)[1])
                if lane.pending[0] is note:
                    lane.pending.popleft()
            lane.idle.set()


async def _try(sink: Sink, note: str) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE):
            await sink.send(note)
    except SinkFailed as error:
        return str(error)
    except TimeoutError:
        return f"gave no answer in {PATIENCE:.0f} s"
    return None


def _note_end(lane: _Lane, ended: "asyncio.Task[None]") -> None:
    """Tell of a fault of ours, which ended a lane for good."""
    if not ended.cancelled() and (error := ended.exception()) is not None:
        lane.problem = f"stopped: {type(error).__name__}"
        logger.error("anchor %s: %s", lane.name, lane.problem)
