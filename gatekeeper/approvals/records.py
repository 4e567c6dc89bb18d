"""What the journal is told of holds and their ends."""

from typing import Final, assert_never

from gatekeeper.approvals.lifecycle import Approval, End
from gatekeeper.exchange import Seq
from gatekeeper.journal.entries import AbandonData, Data, DenyData, ExpireData, HoldData, ReleaseData
from gatekeeper.journal.statement import Answer

RECORDING: Final = 10_000_000
"""µs by which `expires` in the journal is later than the desk's own: what came in time is recorded a little later."""


def release_data(approval: Approval) -> ReleaseData:
    """Say that an exchange may go, and by which decisions."""
    return ReleaseData(digest=approval.asked.digest, approval=approval.id, decisions=_seqs(approval, Answer.APPROVE))


def hold_data(approval: Approval) -> HoldData:
    """Say that an exchange waits for this approval, and on which terms."""
    asked = approval.asked
    return HoldData(
        approval=approval.id,
        of="request",
        rule=asked.rule,
        require=asked.require,
        excluded=asked.excluded,
        expires=approval.expires + RECORDING,
        digest=asked.digest,
    )


def end_data(end: End, approval: Approval) -> Data:
    """Say how a hold ended without a release; raises ValueError for RELEASED."""
    digest = approval.asked.digest
    match end:
        case End.DENIED:
            return DenyData(approval=approval.id, digest=digest, decisions=_seqs(approval, Answer.DENY))
        case End.EXPIRED:
            return ExpireData(approval=approval.id, digest=digest)
        case End.WAIT_OVER | End.CLIENT_GONE | End.SHUT_DOWN | End.USED_BY_OTHER | End.TERMS_CHANGED | End.WITHDRAWN:
            return AbandonData(approval=approval.id, digest=digest)
        case End.RELEASED:
            msg = "a release has an entry of its own"
            raise ValueError(msg)
        case _:
            assert_never(end)


def _seqs(approval: Approval, answer: Answer) -> tuple[Seq, ...]:
    return tuple(decision.seq for decision in approval.decisions if decision.answer is answer)
