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
ASKED = Asked(
    digest=Digest("d"), iss="i", sub="s", rule="r", require=(), excluded=None, break_glass=(), tool=None, seen="v"
)
APPROVAL = Approval(id=ApprovalId("apr-aaaaaaaaaa"), asked=ASKED, request="f", created=NOW, expires=EXPIRES)


def woken(state: State, prepare: Callable[[list[Waiter]], None] = list) -> tuple[int | None, list[End | None]]:
    """Bring an approval in a state before three waiters; says who was chosen, and how each was woken."""

    async def story() -> tuple[int | None, list[End | None]]:
        waiters = [Waiter(ExchangeId(str(number)), asyncio.Event()) for number in range(3)]
        prepare(waiters)
        case = Case(msgspec.structs.replace(APPROVAL, state=state), MATTER, waiters=waiters)
        chosen = case.choose()
        assert (chosen is not None) == any(waiter.chosen for waiter in waiters)
        case.wake()
        case.wake()
        ends = [waiter.end.result() if waiter.end.done() else None for waiter in waiters]
        return None if chosen is None else waiters.index(chosen), ends

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("state", "chosen", "end"),
    [
        (State.PENDING, None, None),
        (State.APPROVED, 0, None),
        (State.DENIED, None, End.DENIED),
        (State.EXPIRED, None, End.EXPIRED),
        (State.USED, None, End.USED_BY_OTHER),
        (State.LAPSED, None, End.EXPIRED),
        (State.WITHDRAWN, None, End.WITHDRAWN),
        (State.GRANTED, None, End.GRANTED),
    ],
)
def test_each_state_chooses_or_wakes_whom_it_concerns(state: State, chosen: int | None, end: End | None) -> None:
    assert woken(state) == (chosen, [end] * 3)


def test_one_whose_client_has_just_left_is_passed_over() -> None:
    assert woken(State.APPROVED, lambda waiters: waiters[0].gone.set())[0] == 1


def test_one_that_was_woken_before_is_neither_chosen_nor_woken_again() -> None:
    assert woken(State.APPROVED, lambda waiters: waiters[0].finish(End.SHUT_DOWN))[0] == 1
    assert woken(State.DENIED, lambda waiters: waiters[0].finish(End.SHUT_DOWN))[1][0] is End.SHUT_DOWN


def test_where_nobody_is_there_nobody_is_chosen() -> None:
    def all_gone(waiters: list[Waiter]) -> None:
        for waiter in waiters:
            waiter.gone.set()

    assert woken(State.APPROVED, all_gone) == (None, [None] * 3)
