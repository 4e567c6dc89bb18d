"""Takes what reviewers sign: decisions, grants, revocations. What does not count is recorded as refused."""

import logging
from collections.abc import Callable

from gatekeeper.approvals.case import Case
from gatekeeper.approvals.cases import Cases
from gatekeeper.approvals.grants import Grant, admit_revocation, grant_of, revocation_of
from gatekeeper.approvals.history import PastDecision
from gatekeeper.approvals.lifecycle import Approval, Decision, State
from gatekeeper.approvals.statement import admit_time
from gatekeeper.exchange import Instant, Seq
from gatekeeper.journal.entries import DecisionData, GrantData, WithdrawData
from gatekeeper.journal.statement import Scope, Statement

logger = logging.getLogger(__name__)


class Deciding:
    """Counts decisions on the cases of a desk."""

    def __init__(self, cases: Cases, ended: Callable[[Case], None]) -> None:
        self._cases = cases
        self._ended = ended

    async def decide(self, case: Case, stated: Statement, statement: str, signature: str) -> Grant | None:
        """Record and count a decision; gives the grant that it completes. Under the case's lock; as `Desk.decide`."""
        ledger, proof = self._cases.ledger, self._cases.proof
        first = await proof.decision(case.approval, statement, signature, ledger.now(), Seq(0))
        if _completes_grant(case.approval, first):
            return await self._grant(case, stated, first)
        data = DecisionData(
            approval=stated.approval, reviewer=stated.reviewer, statement=statement, signature=signature
        )
        receipt = await ledger.write(data)
        if stated.scope is Scope.BREAK_GLASS:
            logger.warning("BREAK GLASS: %s releases %s alone", stated.reviewer, case.approval.id)
        async with self._cases.settling(case):
            while not await self._cases.swap(case, await proof.counted(case.approval, first, receipt)):
                pass  # another desk has changed it: the decision is counted on that, if it still can be
        await self._remember(case.approval, stated, receipt.time)
        if case.approval.state is not State.PENDING:
            self._ended(case)
        return None

    async def spread(self, grant: Grant) -> None:
        """Let a new grant release all that waits and is covered by it."""
        for case in [*self._cases.docket]:
            asked = case.approval.asked
            alike = (asked.iss, asked.sub) == grant.subject and asked.rule == grant.rule
            if not alike or grant.tool not in {None, case.matter.tool}:
                continue
            async with case.lock:
                await self._end_by_grant(case)

    async def withdraw(self, case: Case, by: str, why: str) -> None:
        """Take an approval back; raises ValueError for one that is not pending. Under the case's lock."""
        case.approval.timed(self._cases.ledger.now()).withdrawn()
        await self._cases.ledger.write(WithdrawData(approval=case.approval.id, by=by, why=why))
        async with self._cases.settling(case):
            while not await self._cases.swap(case, case.approval.withdrawn()):
                pass
        self._ended(case)

    async def revoke(self, grant: Grant, stated: Statement, statement: str, signature: str) -> None:
        """End a grant; raises DecisionRefused."""
        cases = self._cases
        admit_revocation(stated, grant, cases.proof.origin)
        now = cases.ledger.now()
        admit_time(stated, now)
        await cases.proof.signature(statement, signature, stated.reviewer, now)
        await cases.ledger.write(revocation_of(grant, stated, statement, signature))
        cases.grants.remove(grant.seq)
        await cases.store.end_grant(grant.seq)

    async def _grant(self, case: Case, stated: Statement, first: Decision) -> Grant:
        asked = case.approval.asked
        data = GrantData(
            subject=(asked.iss, asked.sub),
            rule=asked.rule,
            until=stated.until if isinstance(stated.until, int) else 0,
            uses=stated.uses,
            tool=stated.tool,
            reviewer=stated.reviewer,
            statement=first.statement,
            signature=first.signature,
        )
        receipt = await self._cases.ledger.write(data)
        grant = grant_of(receipt.seq, receipt.leaf, receipt.time, data)
        await self._cases.store.begin_grant(grant.seq, 0)
        self._cases.grants.add(grant)
        await self._end_by_grant(case)
        await self._remember(case.approval, stated, receipt.time)
        return grant

    async def _end_by_grant(self, case: Case) -> None:
        async with self._cases.settling(case):
            while case.approval.timed(self._cases.ledger.now()).state is State.PENDING:
                if await self._cases.swap(case, case.approval.granted()):
                    self._ended(case)
                    break

    async def _remember(self, approval: Approval, stated: Statement, at: Instant) -> None:
        asked = approval.asked
        await self._cases.store.remember(
            PastDecision(
                approval=approval.id,
                iss=asked.iss,
                sub=asked.sub,
                rule=asked.rule,
                reviewer=stated.reviewer,
                verdict=stated.verdict.value,
                scope=stated.scope.value,
                reason=stated.reason,
                asked=approval.created,
                decided=at,
            )
        )


def _completes_grant(approval: Approval, decision: Decision) -> bool:
    """Whether the quorum has now signed grants with the same limits (JOURNAL.md, `grant`)."""
    if decision.limits is None:
        return False
    same = tuple(one for one in approval.decisions if one.limits == decision.limits)
    return approval.met_by((*same, decision))
