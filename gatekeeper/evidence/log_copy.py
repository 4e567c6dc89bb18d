"""The bundle's copy of the log: leaves and stored parts as they are, in a database that any SQLite opens."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from gatekeeper.journal import Entry, Reader
from gatekeeper.journal.leaf import decode_leaf
from gatekeeper.journal.merkle import Hash

SCHEMA: Final = (
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT",
    "CREATE TABLE body (seq INTEGER, part INTEGER, data BLOB NOT NULL, PRIMARY KEY (seq, part)) STRICT",
    "CREATE TABLE start_peak (n INTEGER PRIMARY KEY, height INTEGER NOT NULL, hash BLOB NOT NULL) STRICT",
)
BATCH: Final = 1000


class LogCopy:
    """Copies while it is read: each entry goes by once."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self._reader = reader
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=OFF")
        for statement in SCHEMA:
            self._database.execute(statement)

    def __enter__(self) -> Self:
        self._database.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._database.execute("COMMIT")
        self._database.close()

    def copy_peaks(self, size: int) -> None:
        """Write the peaks of the tree over the first `size` leaves, left to right: the cut grows from them."""
        rows: list[tuple[int, int, Hash]] = []
        at = 0
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                rows.append((len(rows), height, self._reader.log.subtree(at, at + (1 << height))))
                at += 1 << height
        self._database.executemany("INSERT INTO start_peak VALUES (?, ?, ?)", rows)

    def entries(self, start: int, stop: int) -> Iterator[Entry]:
        """Give the entries in [start, stop) in order, each copied.

        Raises ValueError for one that can't be read, LookupError where one is missing: of such a log nothing is proved.
        """
        for at in range(start, stop, BATCH):
            rows = list(self._reader.log.leaves(at, min(at + BATCH, stop)))
            if [seq for seq, _ in rows] != list(range(at, min(at + BATCH, stop))):
                msg = f"an entry from {at} on is missing; `gatekeeper journal verify` says which"
                raise LookupError(msg)
            self._database.executemany("INSERT INTO entry VALUES (?, ?)", rows)
            for seq, leaf in rows:
                entry = decode_leaf(leaf)
                if getattr(entry.data, "body", None) is not None:
                    parts = [(seq, part, data) for part, data in self._reader.parts(seq)]
                    self._database.executemany("INSERT INTO body VALUES (?, ?, ?)", parts)
                yield entry
