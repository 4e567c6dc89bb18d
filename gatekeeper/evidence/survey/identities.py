"""Who called: each verified workload, what it did, and what was refused before anybody was known."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gatekeeper.evidence.sheets import Sheets
from gatekeeper.journal import Entry, RefusedData, RequestData
from gatekeeper.replay.export.values import iso_time

TOKENS_COUNTED: Final = 10_000
HOSTS_SHOWN: Final = 20


class RefusalFigures(msgspec.Struct, frozen=True):
    """What was refused before it became an exchange, by reason."""

    total: int
    by_reason: dict[str, int]


@dataclass(slots=True)
class _Workload:
    first: int
    last: int
    groups: set[str]
    calls: int = 0
    denied: int = 0
    held: int = 0
    tokens: set[str] = field(default_factory=set)
    hosts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Identities:
    """Follows `request` and `refused` entries; memory is bounded by the number of workloads."""

    sheets: Sheets
    refused: Counter[str] = field(default_factory=Counter)
    _workloads: dict[tuple[str, str, str], _Workload] = field(default_factory=dict)

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        match entry.data:
            case RequestData() as data:
                self._call(entry, data)
            case RefusedData() as data:
                self.refused[data.reason] += data.count
                cells = (data.reason, "", data.subject or "", data.peer, "", data.target or "", str(data.count))
                self.sheets.write("denials", (str(entry.seq), iso_time(entry.time), "refused", *cells))
            case _:
                pass

    def finish(self) -> int:
        """Write the sheet, and give the number of workloads."""
        for (issuer, subject, workflow), one in sorted(self._workloads.items()):
            hosts = " ".join(f"{host}={count}" for host, count in one.hosts.most_common(HOSTS_SHOWN))
            cells = (
                issuer, subject, workflow, " ".join(sorted(one.groups)), iso_time(one.first), iso_time(one.last),
                str(one.calls), str(one.denied), str(one.held), str(len(one.tokens)), hosts,
            )  # fmt: skip
            self.sheets.write("identities", cells)
        return len(self._workloads)

    def refusals(self) -> RefusalFigures:
        """Sum up what was refused."""
        return RefusalFigures(self.refused.total(), dict(sorted(self.refused.items())))

    def _call(self, entry: Entry, data: RequestData) -> None:
        key = data.subject.iss, data.subject.sub, data.subject.workflow or ""
        one = self._workloads.setdefault(key, _Workload(entry.time, entry.time, set()))
        one.last = entry.time
        one.groups.update(data.subject.groups)
        one.calls += 1
        one.denied += data.verdict.action == "deny"
        one.held += data.verdict.action == "hold"
        one.hosts[data.target.host] += 1
        if len(one.tokens) < TOKENS_COUNTED:
            one.tokens.add(data.subject.token)
