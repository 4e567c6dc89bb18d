"""Approvals in SQLite: masked data only, so that they outlive the process. What is read back is believed of nobody.

Several desks may share one file. A row is changed only by who has seen its newest version (`swap`), so one approval
can't be used by two; and each sees what the others have changed (`changed`).
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
from sqlite_utils import Database
from sqlite_utils.db import NotFoundError

from gatekeeper.approvals.history import PastDecision
from gatekeeper.approvals.hold import Matter
from gatekeeper.approvals.lifecycle import Approval, ApprovalId
from gatekeeper.exchange import Instant, Message
from gatekeeper.journal.draft import JournalDown

_TABLE: Final = "approvals"
_COLUMNS: Final = {"id": str, "version": int, "approval": str, "matter": str, "view": str}
_HISTORY: Final = "history"
_PAST: Final = {
    "approval": str, "iss": str, "sub": str, "rule": str, "reviewer": str, "verdict": str, "scope": str,
    "reason": str, "asked": int, "decided": int,
}  # fmt: skip
_GRANTS: Final = "grants"
_COUNTS: Final = {"seq": int, "used": int, "ended": int}
_BUSY: Final = 5000
"""ms that a desk waits for another one's transaction."""


class Stored(msgspec.Struct, frozen=True):
    """A row, read back."""

    version: int
    approval: Approval
    matter: Matter
    view: Message


class Store:
    """Owns `approvals.db`; one thread of its own does all that touches it, in the order of the calls.

    What can't be stored raises JournalDown: an approval that would not survive must not release anything.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="approvals-db")
        self._database: Database

    async def open(self) -> None:
        """Open or make the file, 0600. Raises OSError or JournalDown with a text for people."""
        try:
            await self._run(self._open)
        except BaseException:
            self._thread.shutdown()
            raise

    async def load(self) -> list[Stored]:
        """Read all rows; raises ValueError for one that can't be read."""
        return await self.changed(0)

    async def changed(self, since: int) -> list[Stored]:
        """Read the rows whose version is later, in the order of their change; raises ValueError as `load`."""
        return await self._run(lambda: self._changed(since))

    async def touched(self) -> int:
        """Give a number that is another one once another connection has written (`PRAGMA data_version`)."""
        found: int = await self._run(lambda: self._database.execute("PRAGMA data_version").fetchone()[0])
        return found

    async def add(self, approval: Approval, matter: Matter, view: Message) -> int:
        """Store a new approval with all that reviewers see; gives its version."""
        row = {"id": approval.id, "approval": _text(approval), "matter": _text(matter), "view": _text(view)}

        def insert() -> int:
            with self._transaction():
                version = self._next()
                self._database.table(_TABLE).insert(row | {"version": version})
            return version

        return await self._run(insert)

    async def swap(self, approval: Approval, seen: int) -> int | None:
        """Store where an approval stands now, if nobody has changed it since version `seen`; gives the new version."""
        text = _text(approval)

        def update() -> int | None:
            with self._transaction():
                version = self._next()
                done = self._database.execute(
                    f"UPDATE {_TABLE} SET approval = ?, version = ? WHERE id = ? AND version = ?",  # noqa: S608
                    [text, version, approval.id, seen],
                )
                return version if done.rowcount else None

        return await self._run(update)

    async def get(self, approval: ApprovalId) -> Stored:
        """Read one row; JournalDown where it is gone, ValueError as `load`."""
        return self._read(await self._run(lambda: self._database.table(_TABLE).get(approval)))

    async def drop(self, approvals: Iterable[ApprovalId]) -> None:
        """Remove approvals that are long over; the journal keeps what happened."""
        rows = [(approval,) for approval in approvals]
        await self._run(lambda: self._drop(rows))

    async def begin_grant(self, seq: int, used: int) -> None:
        """Count a grant's uses from so many on; what is counted already stays where it is more."""
        query = (
            f"INSERT INTO {_GRANTS} VALUES (?, ?, 0) ON CONFLICT (seq) DO UPDATE SET used = max(used, excluded.used)"  # noqa: S608 - a constant
        )
        await self._run(lambda: self._database.execute(query, [seq, used]))

    async def use_grant(self, seq: int, uses: int | None) -> bool:
        """Count one more use, durably; false where it is used up or was ended."""
        query = f"UPDATE {_GRANTS} SET used = used + 1 WHERE seq = ? AND NOT ended AND used < coalesce(?, used + 1)"  # noqa: S608
        return bool(await self._run(lambda: self._database.execute(query, [seq, uses]).rowcount))

    async def end_grant(self, seq: int) -> None:
        """Let no desk use a grant any more."""
        await self._run(lambda: self._database.execute(f"UPDATE {_GRANTS} SET ended = 1 WHERE seq = ?", [seq]))  # noqa: S608

    async def grant_uses(self) -> dict[int, int]:
        """Give how often each grant was used."""
        return dict(await self._run(lambda: self._database.execute(f"SELECT seq, used FROM {_GRANTS}").fetchall()))  # noqa: S608

    async def remember(self, past: PastDecision) -> None:
        """Keep a decision for `past` and `history`: to be shown, and believed of nobody."""
        row = msgspec.structs.asdict(past)
        await self._run(lambda: self._database.table(_HISTORY).insert(row))

    async def past(self, since: Instant, iss: str = "", sub: str = "", rule: str = "") -> list[PastDecision]:
        """Give the decisions since then, latest first; those on one subject's calls under one rule, where named."""
        where = "decided >= ?" + (" AND iss = ? AND sub = ? AND rule = ?" if rule else "")
        arguments = [since, iss, sub, rule] if rule else [since]

        def read() -> list[dict[str, object]]:
            return list(self._database.table(_HISTORY).rows_where(where, arguments, order_by="decided desc"))

        return [msgspec.convert(row, PastDecision) for row in await self._run(read)]

    async def forget(self, before: Instant) -> None:
        """Remove decisions from the history that were made before."""
        await self._run(lambda: self._database.table(_HISTORY).delete_where("decided < ?", [before]))

    async def close(self) -> None:
        """Close the file, and end the thread."""
        await self._run(self._database.close)
        self._thread.shutdown()

    async def _run[T](self, work: Callable[[], T]) -> T:
        def guarded() -> T:
            try:
                return work()
            except (sqlite3.Error, NotFoundError) as error:
                msg = f"{self._path}: approvals can't be kept: {error}"
                raise JournalDown(msg) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.fchmod(handle, 0o600)  # SQLite gives -wal and -shm the same mode
        finally:
            os.close(handle)
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            self._database = Database(connection, strict=True)
            self._database.execute(f"PRAGMA busy_timeout = {_BUSY}")
            self._database.execute("PRAGMA journal_mode = WAL")
            # "Used" must be on the disk before the release is: a crash in between must not make it usable again.
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA secure_delete = ON")
            with self._transaction():
                self._create()
        except BaseException:
            connection.close()
            raise

    def _create(self) -> None:
        self._database.table(_TABLE).create(_COLUMNS, pk="id", not_null=_COLUMNS.keys(), if_not_exists=True)
        self._database.table(_HISTORY).create(_PAST, not_null=_PAST.keys(), if_not_exists=True)
        self._database.table(_GRANTS).create(_COUNTS, pk="seq", not_null=_COUNTS.keys(), if_not_exists=True)
        self._database.execute("CREATE TABLE IF NOT EXISTS counter (n INTEGER NOT NULL) STRICT")
        self._database.execute("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter)")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _next(self) -> int:
        """Draw the next version; a row that is removed takes none back."""
        version: int = self._database.execute("UPDATE counter SET n = n + 1 RETURNING n").fetchone()[0]
        return version

    def _changed(self, since: int) -> list[Stored]:
        rows = self._database.table(_TABLE).rows_where("version > ?", [since], order_by="version")
        return [self._read(row) for row in rows]

    def _read(self, row: dict[str, str | int]) -> Stored:
        try:
            return Stored(
                int(row["version"]),
                msgspec.json.decode(str(row["approval"]), type=Approval),
                msgspec.json.decode(str(row["matter"]), type=Matter),
                msgspec.json.decode(str(row["view"]), type=Message),
            )
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            msg = f"{self._path}: a row can't be read; move the file away, and open approvals are asked for again"
            raise ValueError(msg) from error

    def _drop(self, rows: list[tuple[ApprovalId]]) -> None:
        with self._transaction():
            self._database.conn.executemany(f"DELETE FROM {_TABLE} WHERE id = ?", rows)  # noqa: S608 - a constant


def _text(value: Approval | Matter | Message) -> str:
    return msgspec.json.encode(value).decode()
