"""The desk's pen and clock: what it says becomes an entry, and its time never runs backwards."""

from gatekeeper.approvals.hold import Hold
from gatekeeper.exchange import Clock, Instant, Reason, Receipt
from gatekeeper.journal.draft import Draft, Recorder
from gatekeeper.journal.entries import Data
from gatekeeper.journal.refusals import RefusalLog, RefusedCall


class Ledger:
    """Writes to the journal, and knows the latest instant that it has seen."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._latest = Instant(0)
        self._refusals = RefusalLog(recorder)

    def now(self) -> Instant:
        """Give the time. A clock that was set back must not make an approval live longer."""
        self._latest = max(self._latest, self._clock())
        return self._latest

    async def write(self, data: Data, ask: Hold | None = None) -> Receipt:
        """Record an entry, of the exchange that asks where one does; raises JournalDown."""
        draft = Draft(data) if ask is None else Draft(data, exchange=ask.exchange, session=ask.session)
        receipt = await self._recorder.submit(draft)
        self._latest = max(self._latest, receipt.time)
        return receipt

    async def refuse(self, reason: Reason, peer: str, reviewer: str | None, approval: str | None) -> None:
        """Record a decision that did not count; equal ones within a minute are one entry. Raises JournalDown."""
        call = RefusedCall(reason=reason, peer=peer, subject=reviewer, target=approval)
        if (written := self._refusals.submit(call)) is not None:
            await written

    def close(self) -> None:
        """Write what is counted."""
        self._refusals.flush()
