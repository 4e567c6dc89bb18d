"""A desk that goes on under other terms: other keys, other groups, while calls are held and decisions under way."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from reviewing import ALICE, BOB, Recording, SigningKey, Station, a_hold, a_rule, allowed_signers, decided, held

from gatekeeper.approvals import DecisionRefused, Desk, Refused, Released
from gatekeeper.approvals.gate import Gate
from gatekeeper.exchange import Reason
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.entries import CloseData

type Keys = dict[str, SigningKey]

MARK = Draft(CloseData())
"""Stands for the `config` entry."""


async def reload(station: Station, desk: Desk, signers: str, **changes: object) -> None:
    config = msgspec.structs.replace(station.config, **changes)
    await desk.reload(config, signers, lambda: _mark(station.recording))


def _mark(recording: Recording) -> None:
    recording.submit(MARK)


def test_a_key_that_was_taken_out_decides_no_more_and_one_that_came_in_does(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        await reload(station, desk, allowed_signers({BOB: keys[BOB]}))
        (view,) = desk.pending()
        with pytest.raises(DecisionRefused):
            await decided(desk, view, ALICE, keys[ALICE])
        await decided(desk, view, BOB, keys[BOB])
        assert isinstance(await call, Released)
        await desk.close()

    asyncio.run(story())


def test_what_a_key_had_approved_before_it_was_taken_out_counts_no_more(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        rule = a_rule(quorum=2)
        call = await held(desk, a_hold(rule=rule))
        (view,) = desk.pending()
        await decided(desk, view, ALICE, keys[ALICE])
        await reload(station, desk, allowed_signers({BOB: keys[BOB]}))
        outcome = await decided(desk, desk.pending()[0], BOB, keys[BOB])
        assert (outcome.state, outcome.approved) == ("pending", 1)
        assert not call.done()
        await desk.close()
        await call

    asyncio.run(story())


def test_who_was_asked_by_terms_that_changed_is_asked_anew(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        old = desk.pending()[0]
        await reload(station, desk, allowed_signers(keys), groups={"finance": (BOB,)})
        outcome = await call
        assert isinstance(outcome, Refused)
        assert (outcome.reason, station.recording.kinds()) == (
            Reason.APPROVAL_EXPIRED,
            ["hold", "close", "withdraw", "abandon"],
        )
        with pytest.raises(DecisionRefused, match="no approval"):
            await decided(desk, old, BOB, keys[BOB])
        again = await held(desk, a_hold(2))
        (view,) = desk.pending()
        assert view.id != old.id
        await decided(desk, view, BOB, keys[BOB])
        assert isinstance(await again, Released)
        await desk.close()

    asyncio.run(story())


def test_a_decision_that_is_under_way_stands_before_the_record_of_the_new_keys(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        deciding = asyncio.create_task(decided(desk, desk.pending()[0], ALICE, keys[ALICE]))
        while not desk._terms._inside:  # noqa: ASYNC110 - its signature is being checked
            await asyncio.sleep(0.001)
        await reload(station, desk, allowed_signers({BOB: keys[BOB]}))
        await deciding
        assert isinstance(await call, Released)
        assert station.recording.kinds().index("decision") < station.recording.kinds().index("close")
        await desk.close()

    asyncio.run(story())


def test_where_the_new_terms_cant_be_recorded_the_old_ones_hold(station: Station, keys: Keys) -> None:
    def down() -> None:
        raise JournalDown("the disk is full")

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        with pytest.raises(JournalDown):
            await desk.reload(station.config, "", down)
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        assert isinstance(await call, Released)
        await desk.close()

    asyncio.run(story())


def test_the_one_alone_waits_for_those_inside_and_keeps_others_out() -> None:
    async def story() -> None:
        gate, order = Gate(), list[str]()

        async def inside(name: str, leave: asyncio.Event) -> None:
            async with gate.among_others():
                order.append(name)
                await leave.wait()

        async def alone(then: Callable[[], None]) -> None:
            async with gate.alone():
                then()

        leave = asyncio.Event()
        first, second = (asyncio.create_task(inside(name, leave)) for name in "ab")
        await asyncio.sleep(0)
        one = asyncio.create_task(alone(lambda: order.append("alone")))
        await asyncio.sleep(0)
        late = asyncio.create_task(inside("late", leave))
        await asyncio.sleep(0.01)
        assert order == ["a", "b"]
        leave.set()
        await asyncio.gather(first, second, one, late)
        assert order == ["a", "b", "alone", "late"]

    asyncio.run(story())
