"""The recorder: the process that alone holds the journal's key, and parses nothing that comes from outside.

It is told what to write by the gateway that has started it, over a socket pair whose descriptor is its one argument,
and ends when that is closed: in order after a last batch, as after a crash without one.
"""

import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from gatekeeper.exchange import Receipt, now
from gatekeeper.journal.draft import JournalDown
from gatekeeper.journal.files import PLAIN_LIMIT, FolderTaken
from gatekeeper.journal.intake import Answer, Waiting
from gatekeeper.journal.start import Opened
from gatekeeper.journal.wire import Batch, Began, Begin, Frames, Message, News, Refused, to_frame
from gatekeeper.journal.writer import Writer, open_log

READ: Final = 1 << 20
"""Bytes of one read."""

LOCK_PATIENCE: Final = 2.0
"""Seconds for the recorder of a gateway that was killed just before to see that, and let the folder go."""


class Ticket:
    """The number of who waits at the other end, in the place of a future."""

    __slots__ = ("_number", "_outbox", "_settled")

    def __init__(self, number: int, outbox: "Outbox") -> None:
        self._number, self._outbox, self._settled = number, outbox, False

    def done(self) -> bool:
        """Whether the other end was told."""
        return self._settled

    def set_result(self, result: object) -> None:
        """Tell the other end."""
        self._settled = True
        if isinstance(result, Receipt):
            self._outbox.news.receipts.append((self._number, result.seq, result.leaf, result.time))
        else:
            self._outbox.news.notes.append((self._number, str(result)))

    def set_exception(self, exception: Exception) -> None:
        """Tell the other end."""
        self._settled = True
        self._outbox.news.failures.append((self._number, type(exception).__name__, str(exception)))


class Outbox:
    """Tells the gateway. Where that is gone, nobody is told."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.news = News()

    def settle(self, answers: Sequence[Answer[Any] | None], call: Callable[[], object]) -> None:
        """Say what the call says, and all that was not said yet."""
        with self._lock:
            if answers:
                call()
            news, self.news = self.news, News()
            send(self._connection, news)

    def committed(self, seconds: float) -> None:
        """Say it with what comes next."""
        with self._lock:
            self.news.commits.append(seconds)

    def anchored(self, note: str) -> None:
        """Say it with what comes next."""
        with self._lock:
            self.news.anchored.append(note)

    def rotated(self, vkey: str) -> None:
        """Say it with what comes next."""
        with self._lock:
            self.news.vkeys.append(vkey)

    def failed(self, why: str) -> None:
        """Say it with what comes next."""
        with self._lock:
            self.news.failed = why


class Inbox:
    """What the gateway sends."""

    def __init__(self, connection: socket.socket, outbox: Outbox) -> None:
        self._connection, self._outbox = connection, outbox
        self._frames = Frames()
        self._asked: list[Answer[str]] = []
        self.closed = False
        connection.setblocking(False)  # noqa: FBT003 - its name says what

    @property
    def drained(self) -> bool:
        """Whether it is closed; all was taken by then."""
        return self.closed

    def first(self) -> Begin | None:
        """Wait for what is said first; None where the gateway is gone already."""
        while not self.closed:
            for message in self._read(None):
                if isinstance(message, Begin):
                    return message
        return None

    def take(self, patience: float | None) -> list[Waiting]:
        """Wait at most `patience` seconds, and give what has come."""
        waiting: list[Waiting] = []
        for message in self._read(patience):
            if isinstance(message, Batch):
                self._asked += [Ticket(number, self._outbox) for number in message.asked]
                waiting += [
                    Waiting(draft, None if number is None else Ticket(number, self._outbox))
                    for number, draft in message.drafts
                ]
                self.closed = self.closed or message.last
        return waiting

    def asked(self) -> list[Answer[str]]:
        """Give who asks for an anchor now."""
        asked, self._asked = self._asked, []
        return asked

    def fail(self, why: str) -> list[Waiting]:  # noqa: ARG002 - the gateway is told by the outbox
        """Take nothing any more."""
        self.closed = True
        return []

    def _read(self, patience: float | None) -> list[Message]:
        """Wait for a whole message, and give what there is by then; none where patience runs out."""
        until = None if patience is None else time.monotonic() + patience
        messages: list[Message] = []
        while not messages and not self.closed:
            rest = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._connection], [], [], rest)[0]:
                break
            messages = self._read_what_is_there()
        return messages

    def _read_what_is_there(self) -> list[Message]:
        """Read up to a bound: what is left stays where the other end sees that it does."""
        messages: list[Message] = []
        size = 0
        while size < PLAIN_LIMIT:
            try:
                data = self._connection.recv(READ)
            except BlockingIOError:
                break
            except ConnectionError:
                data = b""
            if not data:
                self.closed = True
                break
            size += len(data)
            messages += self._frames.feed(data)
        return messages


def send(connection: socket.socket, message: Message) -> None:
    """Send all of a message, and wait for that; where the gateway is gone nobody is told."""
    rest = memoryview(to_frame(message))
    while rest:
        try:
            rest = rest[connection.send(rest) :]
        except BlockingIOError:
            select.select([], [connection], [])
        except ConnectionError:
            return


def main() -> None:
    """Record until the gateway is gone, or says that all was said."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the gateway ends in order, and what it still records is recorded
    connection = socket.socket(fileno=int(sys.argv[1]))
    outbox = Outbox(connection)
    inbox = Inbox(connection, outbox)
    begin = inbox.first()
    if begin is None:
        return
    try:
        opened = _open(begin)
    except JournalDown as error:
        send(connection, Refused(str(error)))
        return
    send(connection, Began(opened.vkey, opened.note, opened.keys.digest_key, opened.warnings))
    Writer(opened, inbox, outbox, now, begin.limits).run()
    for thread in threading.enumerate():  # what is erased from the index
        if thread is not threading.current_thread():
            thread.join()
    connection.close()


def _open(begin: Begin) -> Opened:
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return open_log(Path(begin.folder), Path(begin.keys), begin.origin, begin.opening, now)
        except FolderTaken:
            if time.monotonic() >= deadline:
                raise
            time.sleep(LOCK_PATIENCE / 40)


if __name__ == "__main__":
    main()
