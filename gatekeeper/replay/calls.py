"""Calls: the entries of one exchange put together, from its request to its end.

What is exported, served again, checked again and compared are calls; `steps` shows the entries one by one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from gatekeeper.exchange import ExchangeId, Instant, SessionId
from gatekeeper.journal import Entry, Reader, Recorded
from gatekeeper.journal.entries import (
    ChunkData,
    DecisionData,
    ErrorData,
    HoldData,
    ReleaseData,
    RequestData,
    ResponseData,
    TruncatedData,
)
from gatekeeper.replay.outcome import Outcome, outcome_of

type End = ResponseData | ErrorData | TruncatedData


class Piece(msgspec.Struct, frozen=True):
    """A piece of a streamed answer as it came: `at` is µs since the request, `data` masked bytes."""

    at: int
    data: bytes


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange. `number` counts from 1 in the order of requests.

    `asked` is the masked request body, `answered` the masked answer, whole also where it was streamed; either is
    None where there is none, or it can't be read (`unread` then says so). `pieces` is how a stream came. `gates`
    are its hold, decisions and their end. `end` is None where the recording stops before it.
    """

    number: int
    entry: Entry
    request: RequestData
    asked: Recorded | None
    gates: tuple[Entry, ...]
    end_entry: Entry | None
    answered: Recorded | None
    pieces: tuple[Piece, ...]
    unread: bool

    @property
    def exchange(self) -> ExchangeId:
        """The exchange's id."""
        return ExchangeId(self.entry.exchange or "")

    @property
    def session(self) -> SessionId | None:
        """The session that it belongs to."""
        return self.entry.session

    @property
    def started(self) -> Instant:
        """When the request came."""
        return self.entry.time

    @property
    def ended(self) -> Instant:
        """When it ended, or began where no end is recorded."""
        return self.end_entry.time if self.end_entry is not None else self.entry.time

    @property
    def end(self) -> End | None:
        """How it ended."""
        data = self.end_entry.data if self.end_entry is not None else None
        return data if isinstance(data, ResponseData | ErrorData | TruncatedData) else None

    @property
    def response(self) -> ResponseData | None:
        """The answer's head, where there is an answer."""
        return self.end if isinstance(self.end, ResponseData) else None

    @property
    def outcome(self) -> Outcome:
        """How it ended, in a word."""
        held = any(isinstance(gate.data, HoldData) for gate in self.gates)
        released = any(isinstance(gate.data, ReleaseData) for gate in self.gates)
        return outcome_of(self.request.verdict.action, self.end, held=held or released, released=released)


@dataclass(slots=True)
class _Open:
    number: int
    entry: Entry
    request: RequestData
    asked: Recorded | None
    unread: bool
    gates: list[Entry] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    media: str = ""


def calls(reader: Reader, entries: Iterable[Entry]) -> Iterator[Call]:
    """Put entries together into calls, each given as it ends; those without an end come last (`in_order`: as begun).

    What belongs to a call that began before the first of `entries` is left out. Holds in memory what is open.
    """
    open_: dict[ExchangeId, _Open] = {}
    waiting: dict[str, list[ExchangeId]] = {}
    number = 0
    for entry in entries:
        match entry.data:
            case RequestData() as data if entry.exchange is not None:
                number += 1
                asked, unread = _content(reader, entry)
                open_[entry.exchange] = _Open(number, entry, data, asked, unread)
            case DecisionData(approval=approval):
                for exchange in waiting.get(approval, ()):
                    if exchange in open_:
                        open_[exchange].gates.append(entry)
            case _ if entry.exchange in open_:
                call = open_[entry.exchange]
                if isinstance(entry.data, HoldData):
                    waiting.setdefault(entry.data.approval, []).append(entry.exchange)
                if (ended := _go_on(reader, call, entry)) is not None:
                    del open_[entry.exchange]
                    yield ended
            case _:
                pass
    yield from (_call(call, None, None, unread=call.unread) for call in open_.values())


def in_order(found: Iterable[Call]) -> Iterator[Call]:
    """Give calls in the order of their requests; holds those that ended before one that began earlier."""
    waiting: dict[int, Call] = {}
    due = 1
    for call in found:
        waiting[call.number] = call
        while due in waiting:
            yield waiting.pop(due)
            due += 1
    yield from (waiting[number] for number in sorted(waiting))


def _go_on(reader: Reader, call: _Open, entry: Entry) -> Call | None:
    match entry.data:
        case ChunkData():
            content, unread = _content(reader, entry)
            call.unread |= unread
            if content is not None:
                call.media = content.media
                call.pieces += _pieces(content, entry.time - call.entry.time)
        case ResponseData() | ErrorData() | TruncatedData():
            answered, unread = _content(reader, entry)
            return _call(call, entry, answered, unread=call.unread or unread)
        case _:
            call.gates.append(entry)
    return None


def _call(call: _Open, end: Entry | None, answered: Recorded | None, *, unread: bool) -> Call:
    if answered is None and call.pieces:
        answered = Recorded(call.media, b"".join(piece.data for piece in call.pieces), None)
    return Call(
        number=call.number,
        entry=call.entry,
        request=call.request,
        asked=call.asked,
        gates=tuple(call.gates),
        end_entry=end,
        answered=answered,
        pieces=tuple(call.pieces),
        unread=unread,
    )


def _pieces(content: Recorded, at: int) -> Iterator[Piece]:
    """Cut a chunk's bytes as its timeline says; its `bytes so far` count over the whole stream."""
    if not content.timeline:
        yield Piece(at, content.data)
        return
    begin, done = content.timeline[-1][1] - len(content.data), 0
    for moment, so_far in content.timeline:
        stop = so_far - begin
        if stop > done:
            yield Piece(moment, content.data[done:stop])
            done = stop


def _content(reader: Reader, entry: Entry) -> tuple[Recorded | None, bool]:
    """Give a body, and whether there is one that can't be read: its key is gone, or it is damaged."""
    try:
        content = reader.content(entry)
    except ValueError:
        return None, True
    return content, content is None and getattr(entry.data, "body", None) is not None
