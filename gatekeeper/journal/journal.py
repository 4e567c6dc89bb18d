"""The journal as the gateway holds it: what is handed in on the event loop, and what its writer has said.

The writer is elsewhere: in a thread (`Journal.open`), or in a process of its own (`process.open_process`).
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from gatekeeper.exchange import Clock, DigestKey, Instant, Receipt, SessionId, now
from gatekeeper.journal.disk import wal_bytes
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.entries import EraseData, SealData
from gatekeeper.journal.files import JournalFiles
from gatekeeper.journal.intake import Answer, Intake
from gatekeeper.journal.opening import Opening
from gatekeeper.journal.segments import Segments
from gatekeeper.journal.standing import Standing, read_standing
from gatekeeper.journal.tally import Tally
from gatekeeper.journal.writer import Limits, Writer, open_log

logger = logging.getLogger(__name__)

NEW_KEY: Final = "new"
"""What a draft of `seal` says in the place of the next key, where the writer is to make one."""


class Told:
    """What the writer has said so far. `on_anchor` gets each note that is anchored, where the writer says so."""

    def __init__(self, vkey: str, anchored: str) -> None:
        self.vkey = vkey
        self.note = anchored
        self.on_anchor: Callable[[str], None] | None = None
        self.tally = Tally()

    def committed(self, seconds: float) -> None:
        """Take note of how long a commit took."""
        self.tally.committed(seconds)

    def anchored(self, note: str) -> None:
        """Take note of the newest checkpoint that was anchored."""
        self.note = note
        if self.on_anchor is not None:
            self.on_anchor(note)

    def rotated(self, vkey: str) -> None:
        """Take note of the key that signs from here on."""
        self.vkey = vkey

    def failed(self, why: str) -> None:
        """Say that nothing is written any more."""
        logger.error("%s; nothing passes until then", why)


class FromThread(Told):
    """What a writer in a thread of this process says."""

    def settle(self, answers: Sequence[Answer[Any] | None], call: Callable[[], object]) -> None:
        """Wake the event loop once for the whole group."""
        loop = next((answer.get_loop() for answer in answers if isinstance(answer, asyncio.Future)), None)
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(call)


class Journal:
    """Implements `Recorder`. `ended` returns once the writer has let the folder go; `warnings` are logged."""

    def __init__(
        self,
        folder: Path,
        digest_key: DigestKey,
        intake: Intake,
        told: Told,
        ended: Callable[[], Awaitable[None]],
        warnings: Sequence[str],
    ) -> None:
        for warning in warnings:
            logger.warning("%s: %s", folder, warning)
        self._files = JournalFiles(folder)
        self._intake, self._told, self._ended = intake, told, ended
        self.digest_key = digest_key

    @classmethod
    def open(
        cls,
        folder: Path,
        keys: Path,
        origin: str,
        opening: Opening,
        clock: Clock = now,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
    ) -> Self:
        """Open the journal in `folder`, or begin it; keys stand in the folder `keys`. Its writer is a thread.

        Raises JournalDown, one line: what, where, what to do.
        """
        opened = open_log(folder, keys, origin, opening, clock)
        intake, told = Intake(), FromThread(opened.vkey, opened.note)
        writer = Writer(opened, intake, told, clock, limits)
        thread = threading.Thread(target=writer.run, name="journal", daemon=True)
        thread.start()

        async def ended() -> None:
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

        return cls(folder, opened.keys.digest_key, intake, told, ended, opened.warnings)

    @property
    def failed(self) -> str | None:
        """Why nothing passes any more; None while it records."""
        return self._intake.failed

    @property
    def vkey(self) -> str:
        """The key that signs, in C2SP's form; another once it was rotated."""
        return self._told.vkey

    @property
    def anchored(self) -> str:
        """The note that was anchored last."""
        return self._told.note

    @property
    def tally(self) -> Tally:
        """What was handed in since the start."""
        return self._told.tally

    @property
    def wal(self) -> int:
        """The bytes of the write-ahead log: it grows while somebody reads in one long transaction."""
        return wal_bytes(self._files.log)

    def on_anchor(self, call: Callable[[str], None]) -> None:
        """Have each note that is anchored from now on handed over; it may be called in another thread."""
        self._told.on_anchor = call

    def submit(self, draft: Draft) -> asyncio.Future[Receipt]:
        """Queue a draft; see `Recorder.submit`."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._intake.put(draft, future)
        self.tally.count(draft)
        return future

    def erase(self, session: SessionId, by: str, why: str) -> asyncio.Future[Receipt]:
        """Destroy a session's keys, after the entry that says so; resolves once no copy of them is left in any file.

        Raises through the future: LookupError where the session has no key, TimeoutError where a reader of `keys.db`
        keeps its WAL, which the next start then empties.
        """
        return self.submit(Draft(data=EraseData(session=session, keys=(), by=by, why=why)))

    def seal(self, *, rotate: bool = False) -> asyncio.Future[Receipt]:
        """End the segment, and go on in a new one; with `rotate` under a new key, which the old one signs for.

        Resolves with the receipt of the `seal` entry once the new segment has begun.
        """
        return self.submit(Draft(data=SealData(vkey=NEW_KEY if rotate else msgspec.UNSET)))

    def anchor(self) -> asyncio.Future[str]:
        """Anchor the newest checkpoint now; resolves with its note."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        try:
            self._intake.ask(future)
        except JournalDown as error:
            future.set_exception(error)
        return future

    def standing_since(self, time: Instant) -> Standing:
        """Give what was released and granted from `time` on."""
        with contextlib.closing(Segments.open(self._files.folder)) as segments:
            first = segments.first_since(time)
            return read_standing(lambda kind: segments.of_kind(kind, first))

    async def close(self) -> None:
        """Write what is queued, then `close` and its checkpoint; anchor it and let the folder go.

        What is still open is marked truncated. Raises JournalDown where that could not be recorded.
        """
        if not self._intake.closed:
            self._intake.close(asyncio.get_running_loop().create_future())
        await self._ended()
        if self.failed is not None:
            raise JournalDown(self.failed)
