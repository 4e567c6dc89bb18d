"""One pass over a period's entries: every figure, and every sheet, without holding more than what is open."""

from collections.abc import Iterable

import msgspec

from gatekeeper.evidence.exceptions import Exceptions
from gatekeeper.evidence.samples import Sampler
from gatekeeper.evidence.sheets import Sheets
from gatekeeper.evidence.survey.changes import ChangeFigures, Changes
from gatekeeper.evidence.survey.holds import HoldFigures, Holds
from gatekeeper.evidence.survey.identities import Identities, RefusalFigures
from gatekeeper.evidence.survey.rescan import Rescan, RescanFigures
from gatekeeper.evidence.survey.runs import RunFigures, Runs
from gatekeeper.evidence.survey.traffic import Traffic, TrafficFigures
from gatekeeper.exchange import Instant
from gatekeeper.journal import Entry

__all__ = ["Rescan", "Survey", "Surveyed"]


class Surveyed(msgspec.Struct, frozen=True, kw_only=True):
    """What the pass found."""

    entries: int
    runs: RunFigures
    traffic: TrafficFigures
    holds: HoldFigures
    workloads: int
    refusals: RefusalFigures
    changes: ChangeFigures
    rescan: RescanFigures

    def present(self) -> frozenset[str]:
        """Name the sections that hold something, as `controls.toml` calls them."""
        held = {
            "population": self.traffic.calls,
            "identities": self.workloads,
            "refusals": self.refusals.total,
            "holds": self.holds.holds,
            "masking": self.traffic.calls,
            "policy": len(self.changes.configs),
            "config": len(self.changes.configs),
            "keys": self.runs.runs,
            "erasures": self.changes.erasures,
            "backups": self.changes.backups,
            "access": self.changes.reads,
            "clock": self.runs.runs,
        }
        return frozenset(name for name, count in held.items() if count)


class Survey:
    """Takes entries one by one; entries at `stop` or later only end what began before it."""

    def __init__(self, sheets: Sheets, exceptions: Exceptions, sampler: Sampler, stop: Instant, rescan: Rescan) -> None:
        self.traffic = Traffic(sheets, exceptions, sampler, stop)
        self.changes = Changes(sheets)
        self._stop, self._rescan, self._entries = stop, rescan, 0
        self._runs, self._holds = Runs(sheets, exceptions), Holds(sheets, exceptions, stop)
        self._identities = Identities(sheets)

    def take_all(self, entries: Iterable[Entry]) -> None:
        """Take entries in order."""
        for entry in entries:
            self.traffic.take(entry)
            self._holds.take(entry)
            if entry.time < self._stop:
                self._entries += 1
                self._runs.take(entry)
                self._identities.take(entry)
                self.changes.take(entry)
                self._rescan.take(entry)

    def finish(self) -> Surveyed:
        """Write what waits for the end, and sum up."""
        return Surveyed(
            entries=self._entries,
            runs=self._runs.figures(),
            traffic=self.traffic.finish(),
            holds=self._holds.finish(),
            workloads=self._identities.finish(),
            refusals=self._identities.refusals(),
            changes=self.changes.figures(),
            rescan=self._rescan.figures(),
        )
