"""Finds what was done to the gateway, over all segments of a journal: what is locked is what these entries say."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gatekeeper.exchange import Instant
from gatekeeper.journal.entries import AdminData
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
