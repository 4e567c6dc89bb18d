"""What the database of a log may hold beside its entries: tables, constants, no row too many."""

import sqlite3
from typing import Final

from gatekeeper.exchange import Seq
from gatekeeper.journal.note import VerificationKey
from gatekeeper.journal.store import SCHEMA, USER_VERSION

NEWEST: Final = "(SELECT max(size) FROM checkpoint)"
STRAYS: Final = {
    "entry": f"seq < :start OR seq >= {NEWEST}",
    "body": f"seq < :start OR seq >= {NEWEST}",
    "tile": f"level < 0 OR level > 6 OR n < :start >> (8 * (level + 1)) OR n >= {NEWEST}"
    f" OR (n + 1) << (8 * (level + 1)) > {NEWEST}",
    "checkpoint": "size <= :start",
}
"""By table, which rows no checkpoint of the segment covers."""


class Broken(ValueError):
    """The log is not what it should be; `seq` names the entry, where one is to blame."""

    def __init__(self, problem: str, seq: int | None = None) -> None:
        super().__init__(problem)
        self.seq = None if seq is None else Seq(seq)


def check_schema(database: sqlite3.Connection) -> None:
    """Compare the tables with the format's, and let SQLite check itself; raises Broken."""
    objects = database.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    expected = {("table", name, _squeezed(sql)) for name, sql in SCHEMA.items()}
    if len(objects) != len(expected) or {(kind, name, _squeezed(str(sql))) for kind, name, sql in objects} != expected:
        msg = "the schema is not the format's"
        raise Broken(msg)
    if database.execute("PRAGMA user_version").fetchone() != (USER_VERSION,):
        msg = f"user_version is not {USER_VERSION}"
        raise Broken(msg)
    found = database.execute("PRAGMA integrity_check(1)").fetchone()
    if found != ("ok",):
        msg = printable(f"SQLite's integrity check fails: {found[0] if found else None}")
        raise Broken(msg)


def check_meta(meta: dict[str, str], key: VerificationKey, start: int) -> None:
    """Compare `meta` with the only one that a segment which begins at `start` may have; raises Broken."""
    expected = {"format": "1", "origin": key.origin, "vkey": key.text(), "start": str(start)}
    carried = {"carry", "carried"} if start else set()
    if {name: meta.get(name) for name in expected} != expected or meta.keys() != expected.keys() | carried:
        msg = "meta names another key, origin, format or segment than this verifier checks"
        raise Broken(msg)


def check_strays(database: sqlite3.Connection, start: int) -> None:
    """See that no row stands that no checkpoint covers; raises Broken.

    Each question is one statement, so that beside a running writer nothing comes in between.
    """
    for table, condition in STRAYS.items():
        (count,) = database.execute(
            f"SELECT count(*) FROM {table} WHERE {condition}",  # noqa: S608 - constants
            {"start": start},
        ).fetchone()
        if count:
            msg = f"the table {table} has {count} rows that no checkpoint covers"
            raise Broken(msg)


def printable(text: str) -> str:
    """Give foreign text in one line that a terminal can be shown."""
    return "".join(char if char.isprintable() else "?" for char in text)[:500]


def _squeezed(sql: str) -> str:
    return "".join(sql.split())
