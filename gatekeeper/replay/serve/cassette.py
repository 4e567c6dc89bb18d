"""A recording that answers: each recorded call once, and what departs from it is named. Pure.

Calls that are alike are answered in the order of their recording. Between calls that are not alike the
order is free, since programs run calls beside each other.
"""

import difflib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gatekeeper.replay.calls import Call
from gatekeeper.replay.difference import likeness_differences
from gatekeeper.replay.likeness import Likeness, likeness

COMPARED: Final = 4000
"""Characters of two bodies that are compared to find the nearest: enough to tell, and quick."""


class Departure(msgspec.Struct, frozen=True):
    """A request that the recording has no answer for. `nearest` is the number of the recorded call most like it."""

    ordinal: int
    method: str
    url: str
    nearest: int | None
    seq: int | None
    differences: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Say it in a line."""
        asked = f"request {self.ordinal} ({self.method} {self.url}) is not in the recording"
        if self.nearest is None:
            return asked
        why = "; ".join(self.differences) or "it was answered as often as it was recorded"
        return f"{asked}; nearest is call {self.nearest} (entry {self.seq}): {why}"


@dataclass(slots=True)
class Cassette:
    """The calls of a session, asked one after another."""

    departures: list[Departure] = field(default_factory=list)
    asked: int = 0
    served: int = 0
    _by_likeness: dict[Likeness, deque[Call]] = field(default_factory=dict)
    _all: dict[Likeness, Call] = field(default_factory=dict)

    @classmethod
    def of(cls, recorded: Iterable[Call]) -> "Cassette":
        """Take the calls of a recording, in the order of their requests."""
        cassette = cls()
        for call in sorted(recorded, key=lambda call: call.number):
            like = likeness(call.request.method, call.request.url, call.asked.data if call.asked else b"")
            cassette._by_likeness.setdefault(like, deque()).append(call)
            cassette._all.setdefault(like, call)
        return cassette

    @property
    def left(self) -> list[Call]:
        """The recorded calls that were not asked for, in order."""
        return sorted((call for calls in self._by_likeness.values() for call in calls), key=lambda call: call.number)

    def answer(self, method: str, url: str, body: bytes) -> Call | Departure:
        """Give the recorded call that a request, masked, repeats; it is used up by that."""
        self.asked += 1
        asked = likeness(method, url, body)
        waiting = self._by_likeness.get(asked)
        if waiting:
            self.served += 1
            return waiting.popleft()
        departure = self._departure(asked, method, url)
        self.departures.append(departure)
        return departure

    def _departure(self, asked: Likeness, method: str, url: str) -> Departure:
        if not self._all:
            return Departure(self.asked, method, url, None, None, ())
        like = max(self._all, key=lambda recorded: _nearness(asked, recorded))
        call = self._all[like]
        return Departure(self.asked, method, url, call.number, call.entry.seq, likeness_differences(asked, like))


def _nearness(asked: Likeness, recorded: Likeness) -> tuple[int, float]:
    shared = (
        (asked.method == recorded.method) + 2 * (asked.address == recorded.address) + (asked.query == recorded.query)
    )
    if asked.body == recorded.body:
        return shared, 1.0
    ratio = difflib.SequenceMatcher(None, asked.body[:COMPARED], recorded.body[:COMPARED], autojunk=False).quick_ratio()
    return shared, ratio
