"""Whether decisions count: the pure checks and the cryptographic one, for the first time and again before release."""

from gatekeeper.approvals.keygen import Verifier
from gatekeeper.approvals.lifecycle import Approval, Decision, State
from gatekeeper.approvals.statement import admit_key, admit_statement, grant_limits
from gatekeeper.exchange import Instant, Receipt, Seq
from gatekeeper.journal.statement import DecisionRefused, parse_statement


class Proof:
    """Believes signatures and nothing else.

    `origin` is the journal's: a decision for another gateway is none here. A grant lasts `longest_grant` at most.
    """

    def __init__(self, verifier: Verifier, origin: str, longest_grant: float) -> None:
        self._verifier = verifier
        self.origin = origin
        self._longest_grant = round(longest_grant * 1_000_000)

    async def signature(self, statement: str, signature: str, reviewer: str, at: Instant) -> str:
        """Check a signature alone; gives the hex of the key. Raises DecisionRefused."""
        return await self._verifier(statement, signature, reviewer, at)

    async def decision(self, approval: Approval, statement: str, signature: str, at: Instant, seq: Seq) -> Decision:
        """Check one decision on an approval that does not have it yet; raises DecisionRefused."""
        stated = parse_statement(statement.encode())
        admit_statement(stated, approval, self.origin, at, self._longest_grant)
        key = await self._verifier(statement, signature, stated.reviewer, at)
        admit_key(key, approval)
        return Decision(
            reviewer=stated.reviewer,
            answer=stated.verdict,
            reason=stated.reason,
            scope=stated.scope,
            limits=grant_limits(stated),
            statement=statement,
            signature=signature,
            key=key,
            signed=stated.time,
            recorded=at,
            seq=seq,
        )

    async def recount(self, approval: Approval) -> Approval:
        """Count its decisions from nothing but statements and signatures.

        A decision that fails counts for nothing, as if it had never been stored.
        """
        counted = approval.bare()
        for claimed in approval.decisions:
            try:
                decision = await self.decision(
                    counted, claimed.statement, claimed.signature, claimed.recorded, claimed.seq
                )
            except DecisionRefused:
                continue
            counted = counted.decided(decision)
        return counted

    async def believed(self, approval: Approval, now: Instant) -> Approval:
        """Give a stored approval as far as it can be proven.

        What was used, withdrawn or granted stays so: none of the three releases anything. The rest is counted.
        """
        if approval.used_by is not None:
            return approval.spent(approval.used_by, now)
        if approval.state in {State.WITHDRAWN, State.GRANTED}:
            return approval
        return await self.recount(approval)

    async def counted(self, approval: Approval, decision: Decision, receipt: Receipt) -> Approval:
        """Add a decision that has been recorded; raises DecisionRefused if it came too late for its entry's time."""
        proven = await self.decision(approval, decision.statement, decision.signature, receipt.time, receipt.seq)
        return (await self.recount(approval)).decided(proven)
