"""Who of those who wait is woken, and how."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from reviewing import a_hold

from gatekeeper.approvals.case import Case, Waiter
from gatekeeper.approvals.hold import Matter, matter_of
from gatekeeper.approvals.lifecycle import Approval, ApprovalId, Asked, End, State
from gatekeeper.exchange import Digest, ExchangeId, Instant

NOW, EXPIRES = Instant(1), Instant(2)
MATTER: Matter = matter_of(a_hold())
ASKED = Asked(digest=Digest("d"), iss="i", sub="s", rule="r", require=(), excluded=None, seen="v")
APPROVAL = Approval(id=ApprovalId("apr-aaaaaaaaaa"), asked=ASKED, request="f", created=NOW, expires=EXPIRES)


def settled(state: State, prepare: Callable[[list[Waiter]], None] = list, now: Instant = NOW) -> list[End | None]:
    """Settle an approval in a state for three waiters, and say how each was woken."""

    async def story() -> list[End | None]:
        waiters = [Waiter(ExchangeId(str(number)), asyncio.Event()) for number in range(3)]
        prepare(waiters)
        case = Case(msgspec.structs.replace(APPROVAL, state=state), MATTER, waiters=waiters)
        case.settle(now)
        case.settle(now)
        return [waiter.end.result() if waiter.end.done() else None for waiter in waiters]

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        (State.PENDING, [None] * 3),
        (State.APPROVED, [End.RELEASED, End.USED_BY_OTHER, End.USED_BY_OTHER]),
        (State.DENIED, [End.DENIED] * 3),
        (State.EXPIRED, [End.EXPIRED] * 3),
        (State.USED, [End.USED_BY_OTHER] * 3),
        (State.LAPSED, [End.EXPIRED] * 3),
    ],
)
def test_each_state_wakes_whom_it_concerns(state: State, ends: list[End | None]) -> None:
    assert settled(state) == ends


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED])
def test_what_has_run_out_releases_nobody(state: State) -> None:
    assert settled(state, now=EXPIRES) == [End.EXPIRED] * 3


def test_one_whose_client_has_just_left_is_passed_over() -> None:
    assert settled(State.APPROVED, lambda waiters: waiters[0].gone.set())[1] is End.RELEASED


def test_nobody_there_leaves_it_approved() -> None:
    def all_gone(waiters: list[Waiter]) -> None:
        for waiter in waiters:
            waiter.gone.set()

    assert settled(State.APPROVED, all_gone) == [None] * 3


def test_one_that_was_woken_before_is_not_woken_again() -> None:
    assert settled(State.DENIED, lambda waiters: waiters[0].finish(End.SHUT_DOWN))[0] is End.SHUT_DOWN
