"""The journal with its writer in a process of its own (`recorder`): it takes nothing from the event loop's time.

A writer in a thread shares the interpreter's lock with the loop, and both wait for it at each step (decision 0049).
"""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final, cast, override

from gatekeeper.exchange import DigestKey, Instant, Receipt, Seq
from gatekeeper.journal.draft import Encoded, JournalDown
from gatekeeper.journal.intake import Answer, Intake, give, refuse
from gatekeeper.journal.journal import Journal, Told
from gatekeeper.journal.opening import Opening
from gatekeeper.journal.wire import Batch, Began, Begin, Frames, News, Refused, to_frame
from gatekeeper.journal.writer import Limits

UNSENT: Final = 8 << 20
"""Bytes that wait to be taken by the recorder; what comes on top waits in the intake, which is bounded."""

KEPT: Final = ("PATH", "PYTHON", "LD_", "LANG", "LC_", "TZ", "MALLOC_")
"""Beginnings of the names of environment variables that the recorder gets. The others may hold secrets."""

_EXCEPTIONS: Final = {kind.__name__: kind for kind in (LookupError, TimeoutError)}


async def open_process(
    folder: Path,
    keys: Path,
    origin: str,
    opening: Opening,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
) -> Journal:
    """Open the journal in `folder`, or begin it, as `Journal.open` does; its writer is a process.

    Raises JournalDown, one line: what, where, what to do.
    """
    here, there = socket.socketpair()
    with there:
        try:
            process = _start(there.fileno())
        except OSError as error:
            here.close()
            msg = f"{folder}: the journal's recorder could not be started: {error.strerror}"
            raise JournalDown(msg) from error
    loop = asyncio.get_running_loop()
    _, line = await loop.create_unix_connection(lambda: _Line(folder, process), sock=here)
    try:
        return await line.begin(Begin(str(folder), str(keys), origin, opening, limits))
    except BaseException:
        await line.hang_up()
        raise


def _start(descriptor: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-P", "-m", "gatekeeper.journal.recorder", str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # else who reads the gateway's would wait for the recorder too
        env={name: value for name, value in os.environ.items() if name.startswith(KEPT)},
        process_group=0,  # Ctrl-C on a terminal is for the gateway, which ends in order
    )


class _Line(asyncio.Protocol):
    """The gateway's end of the socket pair."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self._folder, self._process = folder, process
        self._frames = Frames()
        self._numbers = 0
        self._receipts: dict[int, Answer[Receipt]] = {}
        self._notes: dict[int, Answer[str]] = {}
        self._paused = False
        self._gone = asyncio.Event()
        self._began: asyncio.Future[Began | Refused] = asyncio.get_running_loop().create_future()
        self._intake = _Outgoing(self)
        self._told = Told("", "")  # until it has begun

    async def begin(self, begin: Begin) -> Journal:
        """Give the journal, once it is open; raises JournalDown."""
        self._transport.write(to_frame(begin))
        began = await self._began
        if isinstance(began, Refused):
            raise JournalDown(began.why)
        self._told = Told(began.vkey, began.note)
        key = DigestKey(began.digest_key)
        return Journal(self._folder, key, self._intake, self._told, self.ended, began.warnings)

    async def ended(self) -> None:
        """Wait until the recorder is gone."""
        await self._gone.wait()
        await asyncio.get_running_loop().run_in_executor(None, self._process.wait)

    async def hang_up(self) -> None:
        """Have the recorder end, with nothing more said."""
        self._intake.closed = True
        self._transport.close()
        await self.ended()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of a socket
        self._transport.set_write_buffer_limits(high=UNSENT)

    @override
    def data_received(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            if isinstance(message, News):
                self._take(message)
            elif isinstance(message, Began | Refused):
                give(self._began, message)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        never = f"{self._folder}: the journal's recorder could not be started; what it said stands above"
        give(self._began, Refused(never))
        if self._intake.failed is None and not (self._intake.closed and not self._receipts):
            self._fail(f"{self._folder}: the journal's recorder has ended, though nobody told it to; start again")
        self._gone.set()

    @override
    def pause_writing(self) -> None:
        self._paused = True

    @override
    def resume_writing(self) -> None:
        self._paused = False
        self.send()

    def send(self) -> None:
        """Send what is queued, unless the recorder has more than enough to take."""
        if self._paused or self._transport.is_closing():
            return
        try:
            frame = self._batch()
        except Exception as error:  # noqa: BLE001 - whatever it is: what was collected would be lost in silence
            self._fail(f"{self._folder}: the journal's recorder can't be told: {type(error).__name__}; start again")
            self._transport.close()
            return
        if frame is not None:
            self._transport.write(frame)

    def _batch(self) -> bytes | None:
        drafts: list[tuple[int | None, Encoded]] = []
        for waiting in self._intake.collect():
            number = None
            if waiting.future is not None:
                number = self._next()
                self._receipts[number] = waiting.future
            drafts.append((number, waiting.draft))
        asked = {self._next(): answer for answer in self._intake.asked()}
        self._notes |= asked
        last = self._intake.drained
        return to_frame(Batch(drafts, list(asked), last)) if drafts or asked or last else None

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _take(self, news: News) -> None:
        told = self._told
        for seconds in news.commits:
            told.committed(seconds)
        for note in news.anchored:
            told.anchored(note)
        for vkey in news.vkeys:
            told.rotated(vkey)
        for number, seq, leaf, time in news.receipts:
            give(self._receipts.pop(number), Receipt(Seq(seq), leaf, Instant(time)))
        for number, note in news.notes:
            give(self._notes.pop(number), note)
        for number, kind, text in news.failures:
            refuse(
                self._receipts.pop(number, None) or self._notes.pop(number), _EXCEPTIONS.get(kind, JournalDown)(text)
            )
        if news.failed is not None:
            self._fail(news.failed)

    def _fail(self, why: str) -> None:
        self._told.failed(why)
        waiting = [waiting.future for waiting in self._intake.fail(why)]
        answers = [*waiting, *self._receipts.values(), *self._notes.values(), *self._intake.asked()]
        self._receipts.clear()
        self._notes.clear()
        for answer in answers:
            refuse(answer, JournalDown(why))


class _Outgoing(Intake):
    """The intake whose drafts are sent, where a thread would be woken."""

    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    @override
    def poke(self) -> None:
        self._line.send()
