"""Lanes: each in order, each on its own, tried again with growing pauses, bounded, and honest about what is wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gatekeeper.journal import anchoring as module
from gatekeeper.journal.anchoring import LONGEST_PAUSE, Anchoring, SinkFailed


@dataclass
class Taking:
    """A sink that keeps what it takes, and fails as often as it is told."""

    failures: int = 0
    taken: list[str] = field(default_factory=list)
    wait: asyncio.Event | None = None

    async def send(self, note: str) -> None:
        if self.wait is not None:
            await self.wait.wait()
        if self.failures:
            self.failures -= 1
            msg = "the endpoint answered 500"
            raise SinkFailed(msg)
        self.taken.append(note)


class Broken:
    async def send(self, _note: str) -> None:
        raise ZeroDivisionError


def note(size: int) -> str:
    return f"origin\n{size}\nroot=\n\n— origin signature\n"


async def until(reached: Callable[[], bool]) -> None:
    while not reached():  # noqa: ASYNC110 - nothing to wait on
        await asyncio.sleep(0)


def tell(sinks: dict[str, module.Sink], story: Callable[[Anchoring], Awaitable[None]]) -> list[float]:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async def run() -> None:
        anchoring = Anchoring(sinks, sleep=pause)
        anchoring.start()
        await story(anchoring)
        await anchoring.close(0.05)

    asyncio.run(asyncio.wait_for(run(), 30))
    return pauses


def test_all_sinks_take_all_notes_in_order() -> None:
    one, two = Taking(), Taking()

    async def story(anchoring: Anchoring) -> None:
        for size in range(1, 6):
            anchoring.offer(note(size))
        await anchoring.settle(5)
        assert [(state.name, state.size, state.waiting) for state in anchoring.states()] == [("a", 5, 0), ("b", 5, 0)]

    tell({"a": one, "b": two}, story)
    assert one.taken == two.taken == [note(size) for size in range(1, 6)]


def test_a_failure_is_tried_again_after_pauses_that_grow_and_have_an_end() -> None:
    sink = Taking(failures=10)

    async def story(anchoring: Anchoring) -> None:
        anchoring.offer(note(1))
        await anchoring.settle(5)
        assert anchoring.states()[0].problem is None

    pauses = tell({"a": sink}, story)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert max(pauses) == LONGEST_PAUSE
    assert sink.taken == [note(1)]


def test_one_that_hangs_holds_no_other_up_and_is_shown() -> None:
    stuck, well = Taking(wait=asyncio.Event()), Taking()

    async def story(anchoring: Anchoring) -> None:
        anchoring.offer(note(1))
        anchoring.offer(note(2))
        await until(lambda: len(well.taken) == 2)
        states = {state.name: state for state in anchoring.states()}
        assert (states["stuck"].waiting, states["stuck"].size, states["well"].size) == (2, None, 2)

    tell({"stuck": stuck, "well": well}, story)


def test_what_fails_says_why_while_it_fails() -> None:
    async def story(anchoring: Anchoring) -> None:
        anchoring.offer(note(1))
        await until(lambda: anchoring.states()[0].problem is not None)
        assert anchoring.states()[0].problem == "the endpoint answered 500"

    tell({"a": Taking(failures=10**6)}, story)


def test_what_waits_is_bounded_and_the_newest_stays() -> None:
    sink = Taking(wait=asyncio.Event())

    async def story(anchoring: Anchoring) -> None:
        for size in range(1, 3 * module.MOST_PENDING):
            anchoring.offer(note(size))
        assert anchoring.states()[0].waiting == module.MOST_PENDING
        assert sink.wait is not None
        sink.wait.set()
        await anchoring.settle(5)

    tell({"a": sink}, story)
    assert sink.taken[-1] == note(3 * module.MOST_PENDING - 1)


def test_the_same_note_is_offered_once() -> None:
    sink = Taking(wait=asyncio.Event())

    async def story(anchoring: Anchoring) -> None:
        anchoring.offer(note(1))
        anchoring.offer(note(1))
        assert anchoring.states()[0].waiting == 1

    tell({"a": sink}, story)


def test_a_fault_of_ours_ends_its_lane_alone_and_is_shown() -> None:
    well = Taking()

    async def story(anchoring: Anchoring) -> None:
        anchoring.offer(note(1))
        await until(lambda: bool(well.taken) and anchoring.states()[0].problem is not None)
        assert anchoring.states()[0].problem == "stopped: ZeroDivisionError"

    async def run() -> None:
        anchoring = Anchoring({"broken": Broken(), "well": well})
        anchoring.start()
        await story(anchoring)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_without_sinks_there_is_nothing_to_wait_for() -> None:
    async def story(anchoring: Anchoring) -> None:
        anchoring.offer(note(1))
        await anchoring.settle(5)
        assert anchoring.states() == ()

    tell({}, story)
