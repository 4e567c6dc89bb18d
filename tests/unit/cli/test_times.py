"""Times and sizes as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.cli.times import show_instant, show_moment, show_offset, show_size


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        (0, "1970-01-01 00:00:00.000Z"),
        (1_800_000_000_999_999, "2027-01-15 08:00:00.999Z"),
        (-1, "1969-12-31 23:59:59.999Z"),
        (1 << 62, f"{1 << 62}µs"),
    ],
)
def test_instants(instant: int, shown: str) -> None:
    assert show_instant(instant) == shown


def test_moments_have_no_fraction() -> None:
    assert show_moment(1_800_000_000_999_999) == "2027-01-15 08:00:00Z"


@given(st.integers(0, 1 << 52), st.integers(0, 1 << 52))
def test_a_later_instant_never_shows_earlier(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    assert show_instant(earlier) <= show_instant(later)


@pytest.mark.parametrize(
    ("offset", "shown"),
    [
        (0, "+0.000s"),
        (12_345, "+0.012s"),
        (59_999_999, "+59.999s"),
        (60_000_000, "+1:00.000"),
        (3_600_000_000, "+1:00:00.000"),
        (90_061_001_000, "+25:01:01.001"),
        (-12_000, "-0.012s"),
    ],
)
def test_offsets(offset: int, shown: str) -> None:
    assert show_offset(offset) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2_500_000_000, "2500.0 MB")],
)
def test_sizes(size: int, shown: str) -> None:
    assert show_size(size) == shown
