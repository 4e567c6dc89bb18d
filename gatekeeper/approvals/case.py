"""An approval and the calls that wait for it."""

import asyncio
from dataclasses import dataclass, field

from gatekeeper.approvals.hold import Matter
from gatekeeper.approvals.lifecycle import ENDS, Approval, End, State
from gatekeeper.exchange import ExchangeId, Instant


@dataclass(eq=False, slots=True)
class Waiter:
    """One held exchange; `end` is resolved once."""

    exchange: ExchangeId
    gone: asyncio.Event
    end: asyncio.Future[End] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def finish(self, end: End) -> None:
        """Wake it up; the first end stays."""
        if not self.end.done():
            self.end.set_result(end)


@dataclass(eq=False, slots=True)
class Case:
    """One approval on the desk. `approval` changes under `lock` only; `stored` once its row exists."""

    approval: Approval
    matter: Matter
    stored: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiters: list[Waiter] = field(default_factory=list)

    def settle(self, now: Instant) -> None:
        """Wake those whom the approval's state concerns.

        There is no await in it: between looking at APPROVED and marking it USED nobody else can run, so one approval
        releases one exchange. The oldest call whose client is still there gets it.
        """
        self.approval = self.approval.timed(now)
        if self.approval.state is State.APPROVED:
            winner = next((waiter for waiter in self.waiters if not waiter.gone.is_set()), None)
            if winner is None:
                return
            self.approval = self.approval.used(winner.exchange)
            winner.finish(End.RELEASED)
        end = ENDS[self.approval.state]
        if end is not None:
            for waiter in self.waiters:
                waiter.finish(end)
