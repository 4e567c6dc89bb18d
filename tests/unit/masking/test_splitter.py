import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.splitter import EVENT_LIMIT, EventSplitter


def blocks(*pieces: bytes) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    found = [block for piece in pieces for block in splitter.feed(piece)]
    return found, splitter.rest()


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (b"a\n\nb\n\n", ([b"a\n\n", b"b\n\n"], b"")),
        (b"a\r\n\r\nb", ([b"a\r\n\r\n"], b"b")),
        (b"a\r\rb", ([b"a\r\r"], b"b")),
        (b"a\r\r", ([], b"a\r\r")),
        (b"a\n\r\nb\r\n\nc", ([b"a\n\r\n", b"b\r\n\n"], b"c")),
        (b"a\nb\r\nc\rd", ([], b"a\nb\r\nc\rd")),
        (b"\n\n\n", ([b"\n\n"], b"\n")),
    ],
)
def test_events_end_at_an_empty_line_of_any_kind(data: bytes, result: tuple[list[bytes], bytes]) -> None:
    assert blocks(data) == result


@given(st.text(alphabet="a\r\n", max_size=30).map(str.encode), st.lists(st.integers(0, 30), max_size=6))
def test_how_the_bytes_come_makes_no_difference(data: bytes, places: list[int]) -> None:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    pieces = [data[start:end] for start, end in itertools.pairwise(ends)]

    found, rest = blocks(*pieces)

    assert (found, rest) == blocks(data)
    assert b"".join(found) + rest == data


def test_an_event_without_end_is_refused_at_the_limit() -> None:
    splitter = EventSplitter()
    list(splitter.feed(b"x" * EVENT_LIMIT))

    with pytest.raises(UnreadableBody):
        list(splitter.feed(b"x"))
