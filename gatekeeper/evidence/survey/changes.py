"""What was changed and looked at beside the traffic: configurations, keys, erasures, backups, locks, reading."""

from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import UNSET

from gatekeeper.evidence.sheets import Sheets
from gatekeeper.exchange import Seq
from gatekeeper.journal import Entry, OpenData
from gatekeeper.journal.entries import AdminData, AdminEvent, ConfigData, EraseData, ReadData, SealData
from gatekeeper.replay.export.values import iso_time

BACKUPS: Final = frozenset({AdminEvent.BACKUP, AdminEvent.RESTORE})


class ChangeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and the configurations that were in force, by digest, in order."""

    configs: tuple[str, ...]
    erasures: int
    backups: int
    admin: int
    key_changes: int
    reads: int


@dataclass(slots=True)
class Changes:
    """Follows what is not traffic.

    `config_entries` are those that carry a configuration, one for each digest; `signers` says from which entry on
    which text of allowed_signers was in force.
    """

    sheets: Sheets
    config_entries: dict[str, Entry] = field(default_factory=dict)
    signers: list[tuple[Seq, str]] = field(default_factory=list)
    erasures: int = 0
    backups: int = 0
    admin: int = 0
    key_changes: int = 0
    reads: int = 0
    _vkey: str = ""

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        match entry.data:
            case OpenData() as data:
                self._config(entry, data.config, data.version, "start")
                self.signers.append((entry.seq, data.signers))
                if data.vkey != self._vkey:
                    self._key(entry, "signing key", "", data.vkey)
                    self.key_changes += bool(self._vkey)
                    self._vkey = data.vkey
            case ConfigData() as data:
                self._config(entry, data.config, "", data.by)
                self.signers.append((entry.seq, data.signers))
            case SealData() as data if data.vkey is not UNSET:
                self._key(entry, "next signing key, signed by the old", "", data.vkey)
            case EraseData() as data:
                self.erasures += 1
                self._key(entry, f"erase: {data.why}", data.by, f"session {data.session}, {len(data.keys)} keys")
            case AdminData() as data:
                self.admin += 1
                self.backups += data.event in BACKUPS
                detail = " ".join(f"{name}={value}" for name, value in sorted(data.detail.items()))
                self._key(entry, data.event.value, data.by, detail)
            case ReadData() as data:
                self.reads += 1
                self.sheets.write("access", (*_place(entry), data.by, data.range, data.command))
            case _:
                pass

    def figures(self) -> ChangeFigures:
        """Sum up."""
        return ChangeFigures(
            configs=tuple(self.config_entries),
            erasures=self.erasures,
            backups=self.backups,
            admin=self.admin,
            key_changes=self.key_changes,
            reads=self.reads,
        )

    def _config(self, entry: Entry, digest: str, version: str, by: str) -> None:
        self.config_entries.setdefault(digest, entry)
        self.sheets.write("config_changes", (*_place(entry), entry.kind, digest, version, by))

    def _key(self, entry: Entry, event: str, by: str, detail: str) -> None:
        self.sheets.write("key_events", (*_place(entry), event, by, detail))


def _place(entry: Entry) -> tuple[str, str]:
    return str(entry.seq), iso_time(entry.time)
