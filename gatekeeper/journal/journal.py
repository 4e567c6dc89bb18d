"""The one writer: a thread that owns the database and commits groups of drafts durably."""

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from gatekeeper.exchange import Clock, DigestKey, Receipt, now
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.files import append_file, replace_file
from gatekeeper.journal.intake import Intake, Waiting
from gatekeeper.journal.start import Opened, Opening, open_files

logger = logging.getLogger(__name__)

HEAD_QUIET: Final = 0.005
"""Seconds without drafts after which the newest note is written to `head`."""

HEAD_LAG: Final = 0.05
"""Seconds that `head` may be behind while drafts keep coming: its rename costs more than a commit (decision 0012)."""

ANCHOR_EVERY: Final = 60.0
"""Seconds for which the newest checkpoint may stand without being anchored."""


class Journal:
    """Implements `Recorder`. Made by `open`; everything but `submit` and `close` happens in its thread."""

    def __init__(self, opened: Opened, clock: Clock) -> None:
        self._files, self._lock = opened.files, opened.lock
        self._store, self._keys, self._growth = opened.store, opened.keys, opened.growth
        self._clock = clock
        self.vkey = opened.vkey
        self.digest_key: DigestKey = opened.keys.digest_key
        self.released = opened.released
        self._intake = Intake()
        self._note = opened.note
        self._head, self._head_at = opened.note, time.monotonic()
        self._anchored = opened.note
        self._anchored_at = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, folder: Path, keys: Path, origin: str, opening: Opening, clock: Clock = now) -> Self:
        """Open the journal in `folder`, or begin it; keys stand in the folder `keys`.

        Raises JournalDown, one line: what, where, what to do.
        """
        try:
            opened = open_files(folder, keys, origin, opening, clock)
        except (OSError, sqlite3.Error) as error:
            msg = f"{folder}: the journal can't be opened: {_cause(error)}"
            raise JournalDown(msg) from error
        for warning in opened.warnings:
            logger.warning("%s: %s", folder, warning)
        return cls(opened, clock)

    @property
    def failed(self) -> str | None:
        """Why nothing passes any more; None while it records."""
        return self._intake.failed

    def submit(self, draft: Draft) -> asyncio.Future[Receipt]:
        """Queue a draft; see `Recorder.submit`."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._intake.put(draft, future)
        return future

    async def close(self) -> None:
        """Write what is queued, then `close` and its checkpoint; anchor it and let the folder go.

        What is still open is marked truncated. Raises JournalDown where that could not be recorded.
        """
        loop = asyncio.get_running_loop()
        if not self._intake.closed:
            self._intake.close(loop.create_future())
        await loop.run_in_executor(None, self._thread.join)
        if self.failed is not None:
            raise JournalDown(self.failed)

    def _work(self) -> None:
        group: list[Waiting] = []
        try:
            while not self._intake.drained:
                group = self._intake.take(self._patience())
                if group:
                    self._commit(group)
                if not group or time.monotonic() - self._head_at >= HEAD_LAG:
                    self._write_head()
                if self._until_anchor() == 0:
                    self._anchor()
            self._write_head()
            self._anchor()
            self._store.empty_wal()
            self._keys.empty_wal()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be recorded after it
            self._fail(error, group)
        finally:
            self._release()

    def _patience(self) -> float | None:
        """Give the seconds to wait for drafts before there is something else to do; None where there is nothing."""
        return HEAD_QUIET if self._note != self._head else self._until_anchor()

    def _until_anchor(self) -> float | None:
        """Give the seconds until the newest checkpoint has to be anchored; None where it is."""
        if self._note == self._anchored:
            return None
        return max(0.0, self._anchored_at + ANCHOR_EVERY - time.monotonic())

    def _commit(self, group: list[Waiting]) -> None:
        drafts = [draft for draft, _ in group]
        self._keys.provide({draft.session for draft in drafts if draft.bodied and draft.session is not None})
        grown = self._growth.add(drafts, self._clock(), self._keys.key_of)
        self._store.commit(grown.group)
        self._note = grown.group.note

        def resolve() -> None:
            for (_, future), receipt in zip(group, grown.receipts, strict=True):
                if future is not None and not future.done():
                    future.set_result(receipt)

        _on_loop(group, resolve)

    def _write_head(self) -> None:
        self._head_at = time.monotonic()
        if self._note != self._head:
            replace_file(self._files.head, self._note.encode())
            self._head = self._note

    def _anchor(self) -> None:
        """Append the newest checkpoint to the anchors; it is kept from then on."""
        self._anchored_at = time.monotonic()
        if self._note == self._anchored:
            return
        append_file(self._files.anchors, f"{self._note}\n".encode())
        self._growth.keep_newest()
        self._anchored = self._note

    def _fail(self, error: Exception, group: list[Waiting]) -> None:
        why = f"{self._files.folder}: the journal can't be written: {_cause(error)}; mend that and start again"
        logger.error("%s; nothing passes until then", why)
        waiting = [*group, *self._intake.fail(why)]

        def refuse() -> None:
            for _, future in waiting:
                if future is not None and not future.done():
                    future.set_exception(JournalDown(why))

        _on_loop(waiting, refuse)

    def _release(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._lock)
            stack.callback(self._store.close)
            stack.callback(self._keys.close)


def _on_loop(group: list[Waiting], call: Callable[[], None]) -> None:
    """Wake the event loop once for the whole group."""
    loop = next((future.get_loop() for _, future in group if future is not None), None)
    if loop is not None and not loop.is_closed():
        loop.call_soon_threadsafe(call)


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if isinstance(error, (sqlite3.Error, JournalDown)) else type(error).__name__
