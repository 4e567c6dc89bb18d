"""Exceptions: what in a period was not as it should be, each with who is to look at it."""

import enum
from collections import Counter
from dataclasses import dataclass, field

from gatekeeper.evidence.sheets import Sheets
from gatekeeper.journal import Entry
from gatekeeper.replay.export.values import iso_time

type Owners = dict[str, tuple[str, ...]]
"""Subject: who owns the workload, as the configuration has it."""


class Kind(enum.Enum):
    """The kinds, as `controls.toml` names them."""

    CRASH = "crash"
    TRUNCATED = "truncated"
    UNINSPECTED = "uninspected"
    OWNER_UNKNOWN = "owner-unknown"
    OWNER_DECIDED = "owner-decided"
    BREAK_GLASS = "break-glass"
    RESCAN = "rescan"
    RECONCILIATION = "reconciliation"
    CLOCK = "clock"


@dataclass(slots=True)
class Exceptions:
    """Counts exceptions by kind, and lists each."""

    sheets: Sheets
    owners: Owners
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: Kind, entry: Entry | None, what: str, subject: str = "") -> None:
        """Note one; `entry` is where it shows, `subject` whose workload it is about."""
        self.counts[kind.value] += 1
        owner = " ".join(self.owners.get(subject, ())) if subject else ""
        place = (str(entry.seq), iso_time(entry.time)) if entry is not None else ("", "")
        self.sheets.write("exceptions", (kind.value, *place, subject, owner or "unassigned", what))
