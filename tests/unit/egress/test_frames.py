import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.egress.frames import BURST, END_HEADERS, LONGEST, PREFACE, REFILL, Flood, FrameMeter, Kind


def frame(kind: int, length: int = 0, flags: int = 0) -> bytes:
    return length.to_bytes(3) + bytes([kind, flags]) + (1).to_bytes(4) + bytes(length)


def test_ordinary_traffic_costs_nothing() -> None:
    meter = FrameMeter(4096, preface=True)
    meter.feed(PREFACE + frame(Kind.SETTINGS, 6), 0)
    for _ in range(10_000):
        meter.feed(frame(Kind.HEADERS, 100, END_HEADERS) + frame(Kind.DATA, 1000), 0)


@pytest.mark.parametrize("kind", [Kind.PING, Kind.PRIORITY, Kind.RST_STREAM, Kind.GOAWAY, 0xFA])
def test_control_frames_are_rationed_and_time_gives_new_ones(kind: int) -> None:
    meter = FrameMeter(4096, preface=False)
    meter.feed(frame(kind) * int(BURST), 0)
    with pytest.raises(Flood):
        meter.feed(frame(kind), 0)
    meter = FrameMeter(4096, preface=False)
    for second in range(1000):
        meter.feed(frame(kind) * int(REFILL), second)


def test_empty_data_is_rationed_unless_it_ends_a_stream() -> None:
    FrameMeter(4096, preface=False).feed(frame(Kind.DATA, 0, 1) * 1000, 0)
    with pytest.raises(Flood):
        FrameMeter(4096, preface=False).feed(frame(Kind.DATA) * 1000, 0)


def test_a_header_block_has_its_size_over_all_its_frames() -> None:
    meter = FrameMeter(1000, preface=False)
    meter.feed(frame(Kind.HEADERS, 400) + frame(Kind.CONTINUATION, 400, END_HEADERS), 0)
    assert not meter.waiting
    meter.feed(frame(Kind.HEADERS, 400) + frame(Kind.CONTINUATION, 400), 0)
    assert meter.waiting
    with pytest.raises(Flood):
        meter.feed(frame(Kind.CONTINUATION, 400, END_HEADERS), 0)


def test_empty_continuations_end_too() -> None:
    with pytest.raises(Flood):
        FrameMeter(1000, preface=False).feed(frame(Kind.HEADERS) + frame(Kind.CONTINUATION) * 2000, 0)


def test_a_frame_has_its_length() -> None:
    with pytest.raises(Flood):
        FrameMeter(1000, preface=False).feed((LONGEST + 1).to_bytes(3) + b"\0\0\0\0\0\1", 0)
    with pytest.raises(Flood):
        FrameMeter(1000, preface=False).feed(b"HTTP/1.1 200 OK\r\n", 0)


BYTES = PREFACE + frame(Kind.SETTINGS, 6) + frame(Kind.HEADERS, 30, END_HEADERS) + frame(Kind.PING, 8) * 300


@given(st.lists(st.integers(1, len(BYTES) - 1), unique=True, max_size=20))
def test_it_does_not_matter_how_the_bytes_are_split(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(BYTES)]

    def feed() -> None:
        meter = FrameMeter(4096, preface=True)
        for start, end in itertools.pairwise(at):
            meter.feed(BYTES[start:end], 0)

    with pytest.raises(Flood):
        feed()


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_bytes_are_counted_or_refused(pieces: list[bytes]) -> None:
    meter = FrameMeter(4096, preface=False)
    try:
        for piece in pieces:
            meter.feed(piece, 0)
    except Flood:
        pass
