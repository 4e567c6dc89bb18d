"""What the journal is told of holds and their ends."""

from typing import Final, assert_never

from msgspec import UNSET

from gatekeeper.approvals.lifecycle import Approval, End
from gatekeeper.exchange import Digest, Seq
from gatekeeper.journal.entries import AbandonData, Data, DenyData, ExpireData, HoldData, ReleaseData
from gatekeeper.journal.statement import Answer

RECORDING: Final = 10_000_000
"""µs by which `expires` in the journal is later than the desk's own: what came in time is recorded a little later."""


def release_data(approval: Approval) -> ReleaseData:
    """Say that an exchange may go, and by which decisions; one that broke the glass stands alone."""
    broken = approval.broken_by()
    decisions = _seqs(approval, Answer.APPROVE) if broken is None else (broken.seq,)
    return ReleaseData(digest=approval.asked.digest, approval=approval.id, decisions=decisions)


def grant_release_data(digest: Digest, grant: Seq) -> ReleaseData:
    """Say that an exchange may go by a grant."""
    return ReleaseData(digest=digest, grant=grant)


def hold_data(approval: Approval, of: str) -> HoldData:
    """Say that an exchange waits for this approval, and on which terms."""
    asked = approval.asked
    return HoldData(
        approval=approval.id,
        of=of,
        rule=asked.rule,
        require=asked.require,
        excluded=asked.excluded,
        expires=approval.expires + RECORDING,
        digest=asked.digest,
        break_glass=asked.break_glass or UNSET,
    )


def end_data(end: End, approval: Approval) -> Data:
    """Say how a hold ended without a release; raises ValueError for RELEASED."""
    digest = approval.asked.digest
    match end:
        case End.DENIED:
            return DenyData(approval=approval.id, digest=digest, decisions=_seqs(approval, Answer.DENY))
        case End.EXPIRED:
            return ExpireData(approval=approval.id, digest=digest)
        case (
            End.WAIT_OVER
            | End.CLIENT_GONE
            | End.SHUT_DOWN
            | End.USED_BY_OTHER
            | End.TERMS_CHANGED
            | End.WITHDRAWN
            | End.GRANTED
        ):
            return AbandonData(approval=approval.id, digest=digest)
        case End.RELEASED:
            msg = "a release has an entry of its own"
            raise ValueError(msg)
        case _:
            assert_never(end)


def _seqs(approval: Approval, answer: Answer) -> tuple[Seq, ...]:
    return tuple(decision.seq for decision in approval.decisions if decision.answer is answer)
