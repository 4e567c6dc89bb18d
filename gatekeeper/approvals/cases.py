"""The approvals that a desk knows, kept in memory and store alike, and what becomes of them.

Where several desks share one store, each change of an approval is made on the newest that is stored (`swap`), so
between them too one approval releases one exchange.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from gatekeeper.approvals.case import Case
from gatekeeper.approvals.docket import Docket
from gatekeeper.approvals.grants import Grant, GrantBook, standing_grants
from gatekeeper.approvals.hold import Hold, asked_now, seen_hash, view_of
from gatekeeper.approvals.ledger import Ledger
from gatekeeper.approvals.lifecycle import OPEN, Approval, End
from gatekeeper.approvals.proof import Proof
from gatekeeper.approvals.store import Store, Stored
from gatekeeper.config import ApprovalsConfig
from gatekeeper.exchange import ExchangeId
from gatekeeper.journal.draft import JournalDown
from gatekeeper.journal.entries import WithdrawData
from gatekeeper.journal.standing import Given
from gatekeeper.journal.statement import DecisionRefused

PEER: Final = "gateway"
"""Who takes back what nobody asked to have taken back."""


class Cases:
    """Docket, grants and store. `config` and `proof` are those in force, and change together (`under_new_terms`)."""

    def __init__(self, store: Store, ledger: Ledger, proof: Proof, config: ApprovalsConfig) -> None:
        self.store = store
        self.ledger = ledger
        self.proof = proof
        self.config = config
        self.docket = Docket()
        self.grants = GrantBook()
        self._seen = 0

    async def load(self, used: Mapping[str, ExchangeId], given: Iterable[Given]) -> None:
        """Take up what is stored, believing nothing that it says about decisions, and the journal's grants."""
        for grant, uses, revoked in standing_grants(given):
            if self.ledger.now() < grant.until and not revoked and await self._is_proven(grant):
                await self.store.begin_grant(grant.seq, uses)
                self.grants.add(grant)
        await self.catch_up(used)

    async def publish(self, case: Case, ask: Hold) -> bool:
        """Store an approval and show it to reviewers, once its first hold is durable; tells whether it is new."""
        if case.version:
            return False
        case.version = await self.store.add(case.approval, case.matter, view_of(ask))
        self.docket.publish(case)
        if old := self.docket.remove_old(self.ledger.now()):
            await self.store.drop(old)
        return True

    async def settle(self, case: Case) -> None:
        """Use an approval for one that waits, and wake those whom its state concerns; under the case's lock."""
        case.approval = case.approval.timed(self.ledger.now())
        while (winner := case.choose()) is not None:
            used = case.approval.used(winner.exchange, self.ledger.now())
            try:
                if await self.swap(case, used):
                    winner.finish(End.RELEASED)
            except JournalDown as error:
                winner.fail(error)
                raise
            finally:
                winner.chosen = False
        case.wake()

    @contextlib.asynccontextmanager
    async def settling(self, case: Case) -> AsyncIterator[None]:
        """Settle a case after a change to it, also one that came to nothing because another desk was first."""
        try:
            yield
        finally:
            await self.settle(case)

    async def swap(self, case: Case, after: Approval) -> bool:
        """Make a change durable; where another desk was first, take up what that has stored instead."""
        version = await self.store.swap(after, case.version)
        if version is None:
            stored = await self.store.get(case.approval.id)
            case.approval = await self.proof.believed(stored.approval, self.ledger.now())
            case.version = stored.version
            return False
        case.approval, case.version = after, version
        return True

    async def catch_up(self, used: Mapping[str, ExchangeId]) -> None:
        """Take up what stands in the store and was not seen yet, and wake those it concerns."""
        for stored in await self.store.changed(self._seen):
            self._seen = stored.version
            case = self.docket.get(stored.approval.id)
            if case is not None and case.version >= stored.version:
                continue
            approval = await self._taken_up(stored, used)
            if approval is None:
                await self._take_back(stored.approval)
            elif case is None:
                case = Case(approval, stored.matter, version=stored.version)
                self.docket.enter(case)
                self.docket.publish(case)
            else:
                async with case.lock:
                    if case.version < stored.version:
                        case.approval, case.version = approval, stored.version
                        await self.settle(case)

    async def under_new_terms(self, config: ApprovalsConfig, proof: Proof) -> None:
        """Go on with other keys and groups: what was asked on other terms ends, what is decided is proven again."""
        self.config, self.proof = config, proof
        for grant in [*self.grants]:
            if not await self._is_proven(grant):
                self.grants.remove(grant.seq)
        for case in [*self.docket]:
            async with case.lock:
                await self._on_new_terms(case)

    async def _on_new_terms(self, case: Case) -> None:
        if asked_now(case.approval.asked, case.matter, self.config) == case.approval.asked:
            if case.approval.state in OPEN:
                case.approval = await self.proof.recount(case.approval)
                await self.settle(case)
            return
        for waiter in case.waiters:
            waiter.finish(End.TERMS_CHANGED)
        self.docket.remove(case)
        await self._take_back(case.approval)

    async def _taken_up(self, stored: Stored, used: Mapping[str, ExchangeId]) -> Approval | None:
        """Give a stored approval as far as it can be proven; None if it is on other terms than those in force.

        Nobody could join it then, and a decision on terms that its hold doesn't state would be no evidence.
        """
        asked = asked_now(stored.approval.asked, stored.matter, self.config, seen_hash(stored.matter, stored.view))
        if stored.approval.asked != asked:
            return None
        if (user := used.get(stored.approval.id)) is not None:
            return stored.approval.spent(user, self.ledger.now())
        return await self.proof.believed(stored.approval, self.ledger.now())

    async def _take_back(self, approval: Approval) -> None:
        """End an approval on terms that are in force no more: nobody could join it, nothing is released by it."""
        if approval.state in OPEN:
            await self.ledger.write(WithdrawData(approval=approval.id, by=PEER, why="terms changed"))
        await self.store.drop([approval.id])

    async def _is_proven(self, grant: Grant) -> bool:
        with contextlib.suppress(DecisionRefused):
            await self.proof.signature(grant.statement, grant.signature, grant.reviewer, grant.given)
            return True
        return False
