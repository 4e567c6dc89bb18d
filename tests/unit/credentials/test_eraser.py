import itertools

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.credentials import Eraser

SECRETS = [b"Bearer abab-abac-1", b"abab-abac-1"]


@given(
    st.lists(st.sampled_from([*SECRETS, b"abab-", b"Bearer ", b"a", b"x", b"-abac-1"]), max_size=12).map(b"".join),
    st.lists(st.integers(0, 120), max_size=20),
)
def test_a_secret_in_pieces_is_taken_out_and_nothing_else_is_lost(data: bytes, places: list[int]) -> None:
    eraser = Eraser(SECRETS)
    ends = [0, *sorted(min(place, len(data)) for place in places), len(data)]

    given_on = b"".join(eraser.feed(data[a:b]) for a, b in itertools.pairwise(ends)) + eraser.rest()

    assert given_on == Eraser(SECRETS).whole(data)
    assert SECRETS[1] not in given_on


def test_it_does_not_show_what_it_takes_out() -> None:
    assert repr(Eraser(SECRETS)) == "Eraser(‹secret›)"
