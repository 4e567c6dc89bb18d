"""Records what was refused before it became an exchange; a flood of equal refusals can't fill the disk.

The first of a kind is written at once. Equal ones within the minute are counted, and written as one
entry when the minute is over (JOURNAL.md, `refused`).
"""

import asyncio
from collections import Counter
from typing import Final

import msgspec

from gatekeeper.exchange import Reason, Receipt
from gatekeeper.journal.draft import Draft, Recorder
from gatekeeper.journal.entries import RefusedData

WINDOW: Final = 60.0
"""Seconds within which equal refusals are one entry."""

MOST_KINDS: Final = 1000
"""Different refusals in one window; what is beyond is counted under its reason alone."""


class RefusedCall(msgspec.Struct, frozen=True):
    """What makes two refusals equal. `subject` is a claim, never an identity; `peer` an address without port."""

    reason: Reason
    peer: str
    subject: str | None = None
    target: str | None = None


class RefusalLog:
    """Aggregates refusals and hands them to the journal."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._repeats: Counter[RefusedCall] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def submit(self, call: RefusedCall) -> asyncio.Future[Receipt] | None:
        """Record one refusal. The first of a window gives a future as `Recorder.submit` does; a repeat is counted."""
        if call not in self._repeats and len(self._repeats) >= MOST_KINDS:
            call = RefusedCall(reason=call.reason, peer="")
        if call in self._repeats:
            self._repeats[call] += 1
            return None
        self._repeats[call] = 0
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WINDOW, self.flush)
        return self._recorder.submit(_draft(call, 1))

    def flush(self) -> None:
        """Write the counts of the window that ends; called by its timer, and before the journal closes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        repeats, self._repeats = self._repeats, Counter()
        for call, count in repeats.items():
            if count:
                self._recorder.submit(_draft(call, count))


def _draft(call: RefusedCall, count: int) -> Draft:
    return Draft(
        data=RefusedData(
            reason=call.reason.value, subject=call.subject, peer=call.peer, target=call.target, count=count
        )
    )
