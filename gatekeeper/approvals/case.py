"""An approval and the calls that wait for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from gatekeeper.approvals.hold import Matter
from gatekeeper.approvals.lifecycle import ENDS, Approval, End, State
from gatekeeper.exchange import ExchangeId
from gatekeeper.journal.draft import JournalDown


@dataclass(eq=False, slots=True)
class Waiter:
    """One held exchange; `end` is resolved once. `chosen` while it is being written down that the approval is its."""

    exchange: ExchangeId
    gone: asyncio.Event
    chosen: bool = False
    end: asyncio.Future[End] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def finish(self, end: End) -> None:
        """Wake it up; the first end stays."""
        if not self.end.done():
            self.end.set_result(end)

    def fail(self, error: BaseException) -> None:
        """Wake it up with an error; the first end stays."""
        if not self.end.done():
            self.end.set_exception(error)


@dataclass(eq=False, slots=True)
class Case:
    """One approval on the desk. `approval` changes under `lock` only; `version` is its row's, 0 before it has one."""

    approval: Approval
    matter: Matter
    version: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiters: list[Waiter] = field(default_factory=list)

    def choose(self) -> Waiter | None:
        """Take the oldest call whose client is still there, where the approval can be used."""
        if self.approval.state is not State.APPROVED:
            return None
        for waiter in self.waiters:
            if not waiter.end.done() and not waiter.gone.is_set():
                waiter.chosen = True
                return waiter
        return None

    @contextlib.asynccontextmanager
    async def failing(self) -> AsyncIterator[None]:
        """Let nobody wait on for what can't be written down any more."""
        try:
            yield
        except JournalDown as error:
            for waiter in self.waiters:
                waiter.fail(error)
            raise

    def wake(self) -> None:
        """Tell the calls that wait what the approval's state means for them."""
        end = ENDS[self.approval.state]
        if end is not None:
            for waiter in self.waiters:
                waiter.finish(end)
