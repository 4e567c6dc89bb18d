"""Approvals in SQLite: masked data only, so that they outlive the process. What is read back is believed of nobody."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
from sqlite_utils import Database
from sqlite_utils.db import NotFoundError

from gatekeeper.approvals.hold import Matter
from gatekeeper.approvals.lifecycle import Approval, ApprovalId
from gatekeeper.exchange import Message
from gatekeeper.journal.draft import JournalDown

_TABLE: Final = "approvals"
_COLUMNS: Final = {"id": str, "approval": str, "matter": str, "view": str}


class Stored(msgspec.Struct, frozen=True):
    """A row, read back."""

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
        return await self._run(self._load)

    async def add(self, approval: Approval, matter: Matter, view: Message) -> None:
        """Store a new approval with all that reviewers see."""
        row = {"id": approval.id, "approval": _text(approval), "matter": _text(matter), "view": _text(view)}
        await self._run(lambda: self._database.table(_TABLE).insert(row))

    async def save(self, approval: Approval) -> None:
        """Store where an approval stands now."""
        text = _text(approval)
        await self._run(lambda: self._database.table(_TABLE).update(approval.id, {"approval": text}))

    async def view(self, approval: ApprovalId) -> Message:
        """Read the masked request back."""
        row = await self._run(lambda: self._database.table(_TABLE).get(approval))
        return msgspec.json.decode(row["view"], type=Message)

    async def drop(self, approvals: Iterable[ApprovalId]) -> None:
        """Remove approvals that are long over; the journal keeps what happened."""
        rows = [(approval,) for approval in approvals]
        await self._run(lambda: self._drop(rows))

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
            self._database.execute("PRAGMA journal_mode = WAL")
            # "Used" must be on the disk before the release is: a crash in between must not make it usable again.
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute("PRAGMA secure_delete = ON")
            self._database.table(_TABLE).create(_COLUMNS, pk="id", not_null=_COLUMNS.keys(), if_not_exists=True)
        except BaseException:
            connection.close()
            raise

    def _load(self) -> list[Stored]:
        return [self._read(row) for row in self._database.table(_TABLE).rows]

    def _read(self, row: dict[str, str]) -> Stored:
        try:
            return Stored(
                msgspec.json.decode(row["approval"], type=Approval),
                msgspec.json.decode(row["matter"], type=Matter),
                msgspec.json.decode(row["view"], type=Message),
            )
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            msg = f"{self._path}: a row can't be read; move the file away, and open approvals are asked for again"
            raise ValueError(msg) from error

    def _drop(self, rows: list[tuple[ApprovalId]]) -> None:
        with self._database.conn as connection:
            connection.executemany(f"DELETE FROM {_TABLE} WHERE id = ?", rows)  # noqa: S608 - a constant


def _text(value: Approval | Matter | Message) -> str:
    return msgspec.json.encode(value).decode()
