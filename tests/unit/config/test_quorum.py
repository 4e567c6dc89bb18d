"""Seats and people: the matching against trying every order."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import can_seat

PEOPLE = "abcd"


@given(
    st.lists(st.frozensets(st.sampled_from(PEOPLE)), max_size=4),
    st.frozensets(st.sampled_from(PEOPLE)),
)
def test_it_finds_a_seating_where_there_is_one(seats: list[frozenset[str]], people: frozenset[str]) -> None:
    orders = itertools.permutations(sorted(people), len(seats))
    possible = any(all(person in seat for person, seat in zip(order, seats, strict=True)) for order in orders)
    assert can_seat(seats, people) is possible


def test_no_seats_need_nobody() -> None:
    assert can_seat([], [])
