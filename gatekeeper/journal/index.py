"""`index.db`: what makes a journal quick to look things up in. No evidence: it is made from leaves and bodies, at will.

A record is a call, or an entry that belongs to no call. `entries` leads from each entry to its record, `facets` from
models, tools and findings, `texts` from words. It holds what was decrypted, so it is as private as `keys.db`.
"""

import contextlib
import re
import sqlite3
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, Self

import sqlite_utils

from gatekeeper.exchange import SessionId
from gatekeeper.journal.files import BUSY_TIMEOUT, open_database

VERSION: Final = "2"
"""Of the tables below; an index of another version is made anew."""

PAUSE: Final = 0.01
"""Seconds until the WAL is tried again."""

MEMORY: Final = ":memory:"
CACHE_KIB: Final = 65_536

# Merging costs more the larger a level has grown; a build ends with few segments, and so does each search then.
_TEXTS: Final = (
    "CREATE VIRTUAL TABLE texts USING fts5(said, words, tokenize = 'unicode61 remove_diacritics 2')",
    "INSERT INTO texts(texts, rank) VALUES ('automerge', 8)",
)
SECURE_FTS: Final = sqlite3.sqlite_version_info >= (3, 42)
"""Whether FTS5 can take a deleted row's words out at once; before, all of it is written anew."""

_COLUMNS: Final = {
    "records": {
        "id": int, "last": int, "type": str, "exchange": str, "session": str, "issuer": str, "subject": str,
        "workflow": str, "method": str, "url": str, "host": str, "dialect": str, "model": str, "action": str,
        "rule": str, "status": int, "reason": str, "approval": str, "held": int, "denied": int, "found": int,
        "began": int, "ended": int, "tokens": int,
    },
    "entries": {"seq": int, "record": int, "type": str, "time": int},
    "sessions": {
        "session": str, "issuer": str, "subject": str, "workflow": str, "first": int, "last": int, "began": int,
        "ended": int, "calls": int, "held": int, "denied": int, "found": int, "tokens": int,
    },
}  # fmt: skip
_KEYS: Final = {"records": "id", "entries": "seq", "sessions": "session"}
_FACETS: Final = (
    "CREATE TABLE facets (kind TEXT, value TEXT, record INTEGER, count INTEGER, PRIMARY KEY (kind, value, record))"
    " WITHOUT ROWID"
)
_STATE: Final = "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
_INDEXES: Final = (
    ("records", "subject"), ("records", "host"), ("records", "rule"), ("records", "model"), ("records", "session"),
    ("records", "exchange"), ("records", "type"), ("entries", "record"), ("sessions", "last"), ("sessions", "subject"),
)  # fmt: skip
_TIME: Final = r"strftime('%Y-%m-%d %H:%M:%S', \1 / 1000000, 'unixepoch') || 'Z'"
_TIMED: Final = re.compile(r"TIME\((\w+)\)")
_VIEWS: Final = {
    "calls": """
        SELECT id AS seq, TIME(began) AS began, subject, workflow, method, url, model,
            action || coalesce(' by ' || rule, '') AS verdict, status, reason,
            CASE held WHEN 1 THEN 'held' ELSE '' END AS held, found, tokens, (ended - began) / 1000 AS took_ms,
            exchange, session
        FROM records WHERE type = 'call'""",
    "other_entries": """
        SELECT id AS seq, TIME(began) AS time, type, subject, host, reason, approval
        FROM records WHERE type <> 'call'""",
    "all_entries": """
        SELECT seq, TIME(time) AS time, entries.type AS type, records.subject AS subject,
            records.method AS method, records.url AS url, record AS call_seq
        FROM entries JOIN records ON records.id = entries.record""",
    "findings": """
        SELECT value AS entity, count, record AS seq, TIME(began) AS time, subject, method, url
        FROM facets JOIN records ON records.id = facets.record WHERE kind = 'finding'""",
    "people_and_sessions": """
        SELECT session, subject, issuer, workflow, TIME(began) AS began,
            (ended - began) / 1000000 AS took_s, calls, held, denied, found, tokens,
            first AS first_seq, last AS last_seq
        FROM sessions""",
}


class Index:
    """An open `index.db`, or one in memory where the folder can't be written."""

    def __init__(self, database: sqlite3.Connection, *, kept: bool) -> None:
        self.database = database
        self.kept = kept

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open it for going on with, or begin it; one that is damaged or of another version is made anew.

        Raises OSError where it can't be written.
        """
        try:
            return cls._opened(path)
        except sqlite3.DatabaseError:
            remove(path)
            return cls._opened(path)

    @classmethod
    def in_memory(cls) -> Self:
        """Make one that is gone with this process."""
        index = cls(sqlite3.connect(MEMORY, isolation_level=None), kept=False)
        index._create()
        return index

    @classmethod
    def _opened(cls, path: Path) -> Self:
        index = cls(open_database(path), kept=True)
        index.database.execute("PRAGMA secure_delete=1")
        index.database.execute("PRAGMA synchronous=NORMAL")  # what a power loss takes is made again
        index.database.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        with index.writing():
            if index.database.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
                index._create()
        if index.state().get("version") != VERSION:
            index.close()
            remove(path)
            return cls._opened(path)
        return index

    def _create(self) -> None:
        # sqlite-utils would commit after each step; two processes may begin an index at once.
        sql = sqlite_utils.Database(self.database).create_table_sql
        tables = [sql(name, columns, pk=_KEYS[name]) for name, columns in _COLUMNS.items()]
        indexes = [f"CREATE INDEX {table}_{column} ON {table} ({column})" for table, column in _INDEXES]
        views = [
            f"CREATE VIEW {name} AS {_TIMED.sub(_TIME, ' '.join(query.split()))}" for name, query in _VIEWS.items()
        ]
        for statement in (*tables, _FACETS, _STATE, *_TEXTS, *indexes, *views):
            self.database.execute(statement)
        if SECURE_FTS:
            self.database.execute("INSERT INTO texts(texts, rank) VALUES ('secure-delete', 1)")
        self.put(version=VERSION, next="0")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one that writes: BEGIN IMMEDIATE … COMMIT, or ROLLBACK."""
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.database.execute("COMMIT")
        except BaseException:
            if self.database.in_transaction:
                self.database.execute("ROLLBACK")
            raise

    def state(self) -> dict[str, str]:
        """Give what it knows of itself."""
        return dict(self.database.execute("SELECT key, value FROM state"))

    def put(self, **values: str) -> None:
        """Keep something about itself."""
        self.database.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", list(values.items()))

    @property
    def next(self) -> int:
        """The first entry that is not in it yet."""
        return int(self.state()["next"])

    def clear(self) -> None:
        """Begin anew, inside `writing`."""
        for table in (*_COLUMNS, "facets", "texts", "state"):
            self.database.execute(f"DELETE FROM {table}")
        self.put(version=VERSION, next="0")

    def close(self) -> None:
        """Close it."""
        self.database.close()


def forget(folder: Path, sessions: Collection[SessionId]) -> None:
    """Delete what the index of a journal's folder holds of sessions' bodies, so that no file has it any more.

    To be called once their keys are gone. Waits for whoever is building the index. Raises sqlite3.Error, or
    TimeoutError where a reader keeps the old pages in use.
    """
    path = folder / "index.db"
    if not sessions or not path.exists():
        return
    with contextlib.closing(open_database(path)) as database:
        index = Index(database, kept=True)
        database.execute("PRAGMA secure_delete=1")
        with index.writing():
            forgotten = forget_texts(index, sessions)
        if forgotten and not SECURE_FTS:
            database.execute("INSERT INTO texts(texts) VALUES ('optimize')")
        # SQLite waits for readers here, but not for who takes the WAL in meanwhile, as after two erasures at once.
        end = time.monotonic() + BUSY_TIMEOUT
        while (busy := database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]) and time.monotonic() < end:
            time.sleep(PAUSE)
        if busy:
            msg = f"{path}: is being read for longer than {BUSY_TIMEOUT:.0f} s, so what was erased is not out of it yet"
            raise TimeoutError(msg)


def forget_texts(index: Index, sessions: Collection[SessionId]) -> int:
    """Delete the words of sessions, inside `writing`; gives how many entries had some."""
    return sum(
        index.database.execute(
            "DELETE FROM texts WHERE rowid IN (SELECT seq FROM entries JOIN records ON records.id = entries.record"
            " WHERE session = ?)",
            [session],
        ).rowcount
        for session in sessions
    )


def remove(path: Path) -> None:
    """Remove the index with what stands beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
