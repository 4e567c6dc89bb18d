"""Runs of the gateway: when it was down, whether it ended in order, and whether its clock made sense."""

from dataclasses import dataclass
from typing import Final

import msgspec

from gatekeeper.evidence.exceptions import Exceptions, Kind
from gatekeeper.evidence.sheets import Sheets
from gatekeeper.exchange import Instant
from gatekeeper.journal import CloseData, Entry, OpenData
from gatekeeper.journal.entries import SealData
from gatekeeper.replay.export.values import MICROSECONDS, iso_time

STALLED: Final = 1000
"""Entries in a row with one time: the clock stood still, or was set back, and the log held its last time."""


class RunFigures(msgspec.Struct, frozen=True, kw_only=True):
    """`down` is µs between the end of a run and the next one's beginning."""

    runs: int
    crashes: int
    down: int
    versions: tuple[str, ...]


@dataclass(slots=True)
class Runs:
    """Follows `open`, `close` and `seal`, and the times of all entries."""

    sheets: Sheets
    exceptions: Exceptions
    runs: int = 0
    crashes: int = 0
    down: int = 0
    _last: Entry | None = None
    _level: int = 0
    _versions: dict[str, None] | None = None

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        self._look_at_time(entry)
        match entry.data:
            case OpenData() as data:
                self._begin(entry, data)
            case CloseData() | SealData():
                self.sheets.write("clock", _moment(entry, self._since(entry)))
            case _:
                pass
        self._last = entry

    def figures(self) -> RunFigures:
        """Sum up."""
        return RunFigures(runs=self.runs, crashes=self.crashes, down=self.down, versions=tuple(self._versions or {}))

    def _begin(self, entry: Entry, data: OpenData) -> None:
        self.runs += 1
        self._versions = {**(self._versions or {}), data.version: None}
        self.sheets.write("clock", _moment(entry, self._since(entry)))
        last = self._last
        if last is None or isinstance(last.data, SealData):
            return
        in_order = isinstance(last.data, CloseData)
        pause = entry.time - last.time
        self.down += pause
        kind = "stopped" if in_order else "crashed"
        cells = (
            str(last.seq),
            str(entry.seq),
            iso_time(last.time),
            iso_time(entry.time),
            kind,
            str(pause // MICROSECONDS),
        )
        self.sheets.write("gaps", cells)
        if not in_order:
            self.crashes += 1
            self.exceptions.add(
                Kind.CRASH, entry, "the run before it did not end in order; up to 250 ms of streams may be lost"
            )

    def _look_at_time(self, entry: Entry) -> None:
        if self._last is None or entry.time > self._last.time:
            self._level = 0
            return
        self._level += 1
        if self._level == STALLED:
            self.exceptions.add(Kind.CLOCK, entry, f"{STALLED} entries in a row bear one time: the clock was set back")

    def _since(self, entry: Entry) -> int:
        return entry.time - self._last.time if self._last is not None else 0


def _moment(entry: Entry, since: int) -> tuple[str, ...]:
    return str(entry.seq), iso_time(Instant(entry.time)), entry.kind, str(since)
