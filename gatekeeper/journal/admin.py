"""Finds what was done to the gateway, over all segments of a journal: what is locked is what these entries say."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gatekeeper.exchange import Instant
from gatekeeper.journal.draft import Draft
from gatekeeper.journal.entries import AdminData, AdminEvent
from gatekeeper.journal.files import JournalFiles
from gatekeeper.journal.leaf import decode_leaf
from gatekeeper.journal.store import LogStore

SEGMENTS = "journal-*.db"


def read_admin(folder: Path) -> Iterator[tuple[Instant, AdminData]]:
    """Give the `admin` entries with their times, oldest first; raises ValueError for one that can't be read."""
    files = JournalFiles(folder)
    for log in [*sorted(folder.glob(SEGMENTS)), files.log]:
        with contextlib.closing(LogStore.at(log)) as store:
            for raw in store.of_kind(AdminData.kind, 0):
                entry = decode_leaf(raw)
                if isinstance(entry.data, AdminData):
                    yield Instant(entry.time), entry.data


def still_locked(entries: Iterable[tuple[Instant, AdminData]]) -> list[Draft]:
    """Say again what is locked after these entries, oldest first: a segment begins so, and needs no older one for it.

    `since` in an entry's detail is the time of the one that locked first.
    """
    held: dict[tuple[object, ...], AdminData] = {}
    for time, data in entries:
        lock = tuple(data.detail.get(name) for name in ("what", "value", "issuer"))
        if data.event is AdminEvent.UNLOCK:
            held.pop(lock, None)
        elif data.event in {AdminEvent.LOCK, AdminEvent.REVOCATION} and lock not in held:
            held[lock] = msgspec.structs.replace(data, detail={"since": time, **data.detail})
    return [Draft(data=data) for data in held.values()]
