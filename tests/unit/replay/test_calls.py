"""Entries put together into calls."""

from pathlib import Path

from journals import chunk, request, response, write_journal
from recorded import changed

from gatekeeper.journal import Content, Reader
from gatekeeper.replay import Call, calls, in_order
from gatekeeper.replay.calls import Piece
from gatekeeper.replay.outcome import Outcome


def test_a_call_has_its_request_gates_and_end(told: list[Call]) -> None:
    assert [call.number for call in told] == [1, 2, 3, 4]
    assert [call.outcome for call in told] == [Outcome.ALLOWED, Outcome.RELEASED, Outcome.DENIED, Outcome.BROKEN]
    assert [gate.kind for gate in told[1].gates] == ["hold", "decision", "release"]
    assert told[1].asked is not None
    assert told[1].asked.data == b'{"q":"hello"}'


def test_calls_come_as_they_end_and_in_order_as_they_began(reader: Reader) -> None:
    entries = list(reader.entries(0, reader.size))
    assert [call.number for call in calls(reader, entries)] == [3, 1, 2, 4]
    assert [call.number for call in in_order(calls(reader, entries))] == [1, 2, 3, 4]


def test_a_stream_is_whole_and_in_pieces(told: list[Call]) -> None:
    assert told[0].answered is not None
    assert told[0].answered.data == b"data: {}\n\n" * 2
    assert b"".join(piece.data for piece in told[0].pieces) == told[0].answered.data


def test_a_chunk_is_cut_as_its_timeline_says(tmp_path: Path) -> None:
    first = changed(chunk(1, 0), content=Content("text/plain", b"abcdef", ((7, 2), (9, 6))))
    second = changed(chunk(1, 1), content=Content("text/plain", b"ghi", ((20, 7), (21, 7), (30, 9))))
    write_journal(tmp_path, [request(1), first, second, response(1, chunks=2)])
    with Reader(tmp_path / "journal", tmp_path / "keys") as reader:
        (call,) = calls(reader, reader.entries(0, reader.size))
    assert call.pieces == (Piece(7, b"ab"), Piece(9, b"cdef"), Piece(20, b"g"), Piece(30, b"hi"))


def test_without_keys_a_body_is_said_to_be_unread(story: Path) -> None:
    with Reader(story / "journal", None) as reader:
        first, *_ = in_order(calls(reader, reader.entries(0, reader.size)))
    assert first.unread
    assert first.asked is None


def test_what_has_no_end_is_open_and_what_has_no_beginning_left_out(reader: Reader) -> None:
    cut = in_order(calls(reader, reader.entries(2, 10)))
    assert [(call.entry.seq, call.outcome) for call in cut] == [(3, Outcome.OPEN), (5, Outcome.DENIED)]
