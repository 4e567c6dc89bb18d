import pytest
from forgery import INSTANT

from gatekeeper.exchange import Instant
from gatekeeper.identity.freshness import LONGEST_LIFE, MINUTE, SHORTEST_LIFE, USUAL_LIFE, Freshness
from gatekeeper.identity.token import SECOND

HOUR = 3600 * SECOND
NEW = Freshness(stale_limit=2 * HOUR)


def later(seconds: float) -> Instant:
    return Instant(INSTANT + int(seconds * SECOND))


def test_keys_that_were_never_had_are_due_at_once_and_serve_nobody() -> None:
    assert NEW.is_due(INSTANT)
    assert NEW.until <= INSTANT
    assert not NEW.is_stale(INSTANT)


@pytest.mark.parametrize(
    ("max_age", "life"),
    [(None, USUAL_LIFE), (0, SHORTEST_LIFE), (1, SHORTEST_LIFE), (1800, 1800 * SECOND), (10**9, LONGEST_LIFE)],
)
def test_keys_are_due_at_half_of_a_bounded_life(max_age: int | None, life: int) -> None:
    state = NEW.succeeded(INSTANT, max_age)
    assert not state.is_due(Instant(INSTANT + life // 2 - 1))
    assert state.is_due(Instant(INSTANT + life // 2))
    assert not state.is_stale(Instant(INSTANT + life - 1))
    assert state.is_stale(Instant(INSTANT + life))
    assert state.until == INSTANT + life + 2 * HOUR


def test_each_failure_doubles_the_pause_up_to_a_minute() -> None:
    state, pauses = NEW, []
    for _ in range(80):
        state = state.failed(INSTANT)
        pauses.append((state.due - INSTANT) // SECOND)
    assert pauses[:6] == [5, 10, 20, 40, 60, 60]
    assert set(pauses[5:]) == {60}


def test_a_failure_takes_nothing_from_the_keys_at_hand() -> None:
    had = NEW.succeeded(INSTANT, 3600)
    assert had.failed(later(1800)).until == had.until


def test_a_success_ends_the_pauses() -> None:
    state = NEW.failed(INSTANT).failed(INSTANT).succeeded(INSTANT, 3600).failed(INSTANT)
    assert state.due == later(5)


def test_an_unknown_key_asks_once_a_minute() -> None:
    state = NEW.succeeded(INSTANT, 3600)
    assert state.may_seek(INSTANT)
    state = state.sought_at(INSTANT)
    assert not state.may_seek(Instant(INSTANT + MINUTE - 1))
    assert state.may_seek(Instant(INSTANT + MINUTE))
    assert state.may_seek(later(-1))  # the clock was set back


def test_an_unknown_key_does_not_shorten_the_pause_after_a_failure() -> None:
    state = NEW.succeeded(INSTANT, 3600).failed(later(1800))
    assert not state.may_seek(later(1804))
    assert state.may_seek(later(1805))
