"""The one owner of `journal.db`: its schema, its transactions, and reads of the tree (JOURNAL.md, "Files")."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from gatekeeper.exchange import Instant, canonical_json
from gatekeeper.journal.files import BUSY_TIMEOUT, JournalFiles, open_database, open_for_reading
from gatekeeper.journal.leaf import Entry, decode_leaf, decode_time
from gatekeeper.journal.merkle import Carry, FullTile, Hash, leaf_hash, split_hashes, split_tile

SCHEMA: Final = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "entry": "CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT",
    "body": "CREATE TABLE body (seq INTEGER NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY (seq, part)) STRICT",
    "tile": "CREATE TABLE tile (level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL,"
    " PRIMARY KEY (level, n)) STRICT",
    "checkpoint": "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT",
}
USER_VERSION: Final = 1
PAGE_SIZE: Final = 8192
"""Bytes: ten leaves of a common length in a page. Four of them leave a quarter of one of 4,096 bytes empty."""

WAL_PAGES: Final = 96
"""`wal_autocheckpoint`: a small WAL, so that a crash leaves little to replay, and what takes it in is soon over.

With 256 it was over in 6 ms where 64 appends are in flight, with 1000 in 11; fewer take more CPU (docs/decisions/0043).
"""

SLICE: Final = 1000
"""Rows of one read: a reader that holds a snapshot longer would keep the WAL from being taken in."""


class Group(msgspec.Struct, frozen=True):
    """What one transaction commits."""

    leaves: list[tuple[int, bytes]]
    bodies: list[tuple[int, int, bytes]]
    tiles: list[FullTile]
    size: int
    note: str
    dropped: int | None
    """The size of a checkpoint that is not kept, or None."""


class LogStore:
    """`journal.db`, read or written."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self._cursor = database.cursor()
        self._start: int | None = None

    @classmethod
    def for_writing(cls, files: JournalFiles) -> Self:
        """Open or make the file; a new one has no tables yet."""
        return cls.to_write(files.log)

    @classmethod
    def to_write(cls, path: Path) -> Self:
        """Open or make the file at a path."""
        database = open_database(path, PAGE_SIZE)
        database.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        return cls(database)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open the file at a path for reading; raises FileNotFoundError."""
        return cls(open_for_reading(path))

    @classmethod
    def for_reading(cls, files: JournalFiles) -> Self:
        """Open beside the writer, or in a folder that can't be written; raises FileNotFoundError."""
        return cls(open_for_reading(files.log))

    def create(self, meta: dict[str, str], group: Group) -> None:
        """Write the first transaction: tables, `meta`, `open` and its checkpoint."""
        with self._transaction():
            for statement in SCHEMA.values():
                self.database.execute(statement)
            self.database.execute(f"PRAGMA user_version={USER_VERSION}")
            self.database.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
            self._write(group)

    def commit(self, group: Group) -> None:
        """Write one group durably."""
        with self._transaction():
            self._write(group)

    def is_empty(self) -> bool:
        """Whether the file has no tables: nothing was ever committed to it."""
        (count,) = self.database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return bool(count == 0)

    def meta(self) -> dict[str, str]:
        """Give all of `meta`."""
        return dict(self.database.execute("SELECT key, value FROM meta"))

    def start(self) -> int:
        """Give the seq that this segment begins with."""
        if self._start is None:
            stated = self.meta().get("start", "0")
            self._start = int(stated) if stated.isascii() and stated.isdigit() else 0
        return self._start

    def carry(self) -> Sequence[Sequence[Hash]]:
        """Give, by level, the hashes of the tiles that were not full where this segment begins; raises ValueError."""
        if self.start() == 0:
            return ()
        return read_carry(self.meta().get("carry", ""))

    def size(self) -> int:
        """Give the number of entries, those of earlier segments among them."""
        (last,) = self.database.execute("SELECT max(seq) FROM entry").fetchone()
        return 0 if last is None else int(last) + 1

    def leaf(self, seq: int) -> bytes | None:
        """Give one leaf, or None."""
        row = self.database.execute("SELECT leaf FROM entry WHERE seq = ?", [seq]).fetchone()
        return row[0] if row else None

    def time_of(self, seq: int) -> Instant:
        """Give the time of an entry; raises ValueError where it is not there."""
        return decode_time(self.leaf(seq) or b"")

    def last_opening(self) -> int:
        """Give the seq of the newest `open`, or 0."""
        row = self.database.execute(
            "SELECT seq FROM entry WHERE substr(leaf, -?) = ? ORDER BY seq DESC LIMIT 1", _ending("open")
        ).fetchone()
        return int(row[0]) if row else 0

    def newest_of(self, kinds: Sequence[str], before: int) -> bytes | None:
        """Give the newest leaf of one of some types before an entry, or None."""
        ends = " OR ".join("substr(leaf, -?) = ?" for _ in kinds)
        row = self.database.execute(
            f"SELECT leaf FROM entry WHERE seq < ? AND ({ends}) ORDER BY seq DESC LIMIT 1",  # noqa: S608 - only its length
            [before, *(value for kind in kinds for value in _ending(kind))],
        ).fetchone()
        return row[0] if row else None

    def last_entry(self) -> Entry:
        """Give the newest entry; raises ValueError where there is none that can be read."""
        row = self.database.execute("SELECT leaf FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
        if row is None:
            msg = "the log has no entries"
            raise ValueError(msg)
        return decode_leaf(row[0])

    def leaves(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Give (seq, leaf) in order, in short reads."""
        at = start
        while at < stop:
            rows = self.database.execute(
                "SELECT seq, leaf FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?", [at, stop, SLICE]
            ).fetchall()
            if not rows:
                return
            yield from rows
            at = rows[-1][0] + 1

    def rows(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        """Give (seq, leaf) of [start, stop) in order, all in one read; bytes, unless somebody has changed the file."""
        return self.database.execute(
            "SELECT seq, leaf FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq", [start, stop]
        ).fetchall()

    def bodies(self, start: int, stop: int) -> Iterator[tuple[int, int, bytes]]:
        """Give (seq, part, data) of the entries in [start, stop), in order, one at a time: they may be large."""
        return self.database.execute(
            "SELECT seq, part, data FROM body WHERE seq >= ? AND seq < ? ORDER BY seq, part", [start, stop]
        )

    def parts(self, seq: int) -> list[tuple[int, bytes]]:
        """Give the stored parts of an entry's body, in order."""
        return self.database.execute("SELECT part, data FROM body WHERE seq = ? ORDER BY part", [seq]).fetchall()

    def of_kind(self, kind: str, start: int) -> Iterator[bytes]:
        """Give the leaves of a type from `start` on."""
        query = "SELECT leaf FROM entry WHERE seq >= ? AND substr(leaf, -?) = ?"
        for (leaf,) in self.database.execute(query, [start, *_ending(kind)]):
            yield leaf

    def newest_note(self) -> tuple[int, str] | None:
        """Give size and note of the newest checkpoint."""
        row = self.database.execute("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else None

    def notes(self, start: int, stop: int) -> list[tuple[int, str]]:
        """Give the checkpoints over sizes in [start, stop), smallest first."""
        return self.database.execute(
            "SELECT size, note FROM checkpoint WHERE size >= ? AND size < ? ORDER BY size", [start, stop]
        ).fetchall()

    def tile_row(self, level: int, n: int) -> bytes:
        """Give a tile's hashes as they are stored; nothing where it is missing."""
        row = self.database.execute("SELECT hashes FROM tile WHERE level = ? AND n = ?", [level, n]).fetchone()
        return row[0] if row is not None and isinstance(row[0], bytes) else b""

    def empty_wal(self, patience: float = BUSY_TIMEOUT) -> bool:
        """Take the WAL into the file and truncate it; False where a reader keeps it from that for so many seconds."""
        self.database.execute(f"PRAGMA busy_timeout={round(patience * 1000)}")
        (busy, *_) = self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self.database.execute(f"PRAGMA busy_timeout={round(BUSY_TIMEOUT * 1000)}")
        return not busy

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    def leaf_hashes(self, start: int, stop: int) -> Sequence[Hash]:
        """Give the hashes of the leaves in [start, stop)."""
        return [leaf_hash(leaf) for _, leaf in self.leaves(start, stop)]

    def tile(self, level: int, n: int) -> Sequence[Hash]:
        """Give the hashes of a full tile; raises ValueError where it is missing."""
        return split_tile(self.tile_row(level, n))

    def _write(self, group: Group) -> None:
        cursor = self._cursor
        cursor.executemany("INSERT INTO entry VALUES (?, ?)", group.leaves)
        if group.bodies:
            cursor.executemany("INSERT INTO body VALUES (?, ?, ?)", group.bodies)
        if group.tiles:
            cursor.executemany("INSERT INTO tile VALUES (?, ?, ?)", group.tiles)
        if group.dropped is None:
            cursor.execute("INSERT INTO checkpoint VALUES (?, ?)", [group.size, group.note])
        else:
            newer = "UPDATE checkpoint SET size = ?, note = ? WHERE size = ?"
            cursor.execute(newer, [group.size, group.note, group.dropped])

    def _transaction(self) -> "_Transaction":
        return _Transaction(self.database)


def write_carry(carry: Carry) -> str:
    """Write `meta.carry`: by level, the hex of the hashes of the tile that is not full."""
    return canonical_json([b"".join(row).hex() for row in carry]).decode()


def read_carry(text: str) -> list[Sequence[Hash]]:
    """Read `meta.carry`; raises ValueError."""
    try:
        rows = msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError as error:
        msg = "meta.carry is no array of hex"
        raise ValueError(msg) from error
    return [split_hashes(bytes.fromhex(row)) for row in rows]


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK where something is raised in between."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._database.execute("COMMIT")
        elif self._database.in_transaction:
            self._database.execute("ROLLBACK")


def _ending(kind: str) -> tuple[int, bytes]:
    """Give what every leaf of a type ends with, since its keys are sorted, and the length of that."""
    ending = f',"type":"{kind}","v":1}}'.encode()
    return len(ending), ending
