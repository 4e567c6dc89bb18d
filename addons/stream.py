"""A streamed answer: masked piece by piece, recorded at least every 250 ms, cut off at the first fault.

mitmproxy calls this synchronously, so it submits entries and never awaits them; the `response` hook
waits for the last one. An empty piece in mid-stream would end the chunked body and split the answer,
so a piece that is withheld is left out.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gatekeeper.credentials import Eraser
from gatekeeper.dialects import AnswerReader
from gatekeeper.exchange import Exchange, Reason, Receipt
from gatekeeper.journal import ChunkData, Content, Draft
from gatekeeper.masking import BodyTooLarge, Decoding, Inspected, StreamMasker, UnreadableBody

if TYPE_CHECKING:
    from addons.parts import Parts

logger = logging.getLogger(__name__)

FLUSH_AFTER: Final = 0.25
"""Seconds of a stream that a crash may lose (DESIGN §2, invariant 3)."""

CHUNK_LIMIT: Final = 1 << 18
"""Bytes after which a chunk entry is written although its time has not come."""


class ToolCallRefused(Exception):
    """A streamed answer calls a tool that must not be called without a decision."""


_FAULTS: Final = {
    UnreadableBody: Reason.ANSWER_UNREADABLE,
    BodyTooLarge: Reason.ANSWER_TOO_LARGE,
    ToolCallRefused: Reason.DENIED_BY_RULE,
}


@dataclass(frozen=True, slots=True)
class Incoming:
    """What the upstream sends, with its encodings off and without the secret that it may echo (invariant 8)."""

    decoding: Decoding
    eraser: Eraser | None

    def feed(self, data: bytes) -> bytes:
        """Give what can be read of it."""
        plain = self.decoding.feed(data)
        return self.eraser.feed(plain) if self.eraser else plain

    def rest(self, *, complete: bool) -> bytes:
        """Give what was held back; raises UnreadableBody where an encoding should be `complete` and isn't."""
        if complete:
            self.decoding.finish()
        return self.eraser.rest() if self.eraser else b""


class AnswerStream:
    """What mitmproxy calls with each piece of a streamed answer, and with b"" at its end."""

    def __init__(
        self,
        masker: StreamMasker,
        incoming: Incoming,
        reader: AnswerReader,
        exchange: Exchange,
        parts: "Parts",
        head: Inspected,
        abort: Callable[[], None],
    ) -> None:
        self.masker, self.incoming, self.reader = masker, incoming, reader
        self.exchange, self.parts, self.head = exchange, parts, head
        self.abort = abort
        self.ended = False
        self.complete = False
        self._pending = bytearray()
        self._timeline: list[tuple[int, int]] = []
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writes: list[asyncio.Future[Receipt]] = []

    def __call__(self, data: bytes) -> Sequence[bytes]:
        if self.ended:
            return ()
        try:
            pieces = self.masker.feed(self.incoming.feed(data)) if data else self._rest()
            for payload in self.masker.take_events():
                self.reader.feed(payload)
            self._judge()
            self._keep(self.masker.take_recorded())
            if not data:
                self._end()
        except Exception as error:  # noqa: BLE001 - mitmproxy would hang the client on it; nothing more is sent
            self._fail(error)
            return ()
        return pieces

    def _rest(self) -> Sequence[bytes]:
        # A client that has all of it may leave before the end of the encoding.
        held = self.incoming.rest(complete=not self.masker.said_all)
        return (*self.masker.feed(held), *self.masker.finish())

    async def recorded(self) -> None:
        """Wait until every chunk entry is durable; raises JournalDown."""
        await asyncio.gather(*self._writes)

    def conclude(self) -> bool:
        """Tell whether all of the answer has been passed on; what its last event has ended is ended here too."""
        if self.masker.said_all and not self.ended:
            self(b"")
        return self.complete

    def stop(self) -> None:
        """Write what is pending and stop the timer; the stream ends here, complete or not, and nothing follows."""
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flush()

    def _judge(self) -> None:
        """Cut off a stream in which a tool is called that was not offered, and that a rule holds or denies."""
        calls = self.reader.tool_calls
        if calls and self.parts.policy.judge_tools(self.exchange, calls) is not None:
            msg = "a tool call that a rule holds or denies"
            raise ToolCallRefused(msg)

    def _keep(self, recorded: bytes) -> None:
        if not recorded:
            return
        self._pending += recorded
        self._sent += len(recorded)
        self._timeline.append((self.parts.clock() - self.exchange.received, self._sent))
        if len(self._pending) >= CHUNK_LIMIT:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        try:
            self._flush()
        except Exception as error:  # noqa: BLE001 - a timer's fault would go unseen; the stream is cut
            self._fail(error)

    def _flush(self) -> None:
        if not self._pending:
            return
        content = Content(
            media=self.head.message.header("content-type"),
            data=bytes(self._pending),
            timeline=tuple(self._timeline),
        )
        draft = Draft(
            data=ChunkData(n=self.exchange.chunks),
            exchange=self.exchange.id,
            session=self.exchange.session,
            content=content,
        )
        write = self.parts.journal.submit(draft)
        write.add_done_callback(self._on_written)
        self._writes = [*(w for w in self._writes if not w.done() or w.exception()), write]
        self.exchange.chunks += 1
        self._pending.clear()
        self._timeline.clear()

    def _on_written(self, write: asyncio.Future[Receipt]) -> None:
        if not write.cancelled() and (error := write.exception()) is not None and not self.ended:
            self._fail(error)

    def _end(self) -> None:
        self.stop()
        self.exchange.answer = self.reader.finish()
        self.exchange.answer_uninspected = self.masker.uninspected
        self.exchange.answer_findings = (*self.head.findings, *self.masker.findings)
        self.complete = True

    def _fail(self, error: BaseException) -> None:
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        reasons = (reason for kind, reason in _FAULTS.items() if isinstance(error, kind))
        self.exchange.error = next(reasons, Reason.INTERNAL)
        frame = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
        logger.error("stream cut: %s at %s", type(error).__name__, f"{frame.filename}:{frame.lineno}" if frame else "?")
        self.abort()
