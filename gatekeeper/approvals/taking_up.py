"""Takes up what a store holds of an approval, believing nothing that it says about decisions."""

from collections.abc import Mapping

import msgspec

from gatekeeper.approvals.hold import asked_now, seen_hash
from gatekeeper.approvals.lifecycle import Approval
from gatekeeper.approvals.proof import Proof
from gatekeeper.approvals.store import Stored
from gatekeeper.config import ApprovalsConfig
from gatekeeper.exchange import ExchangeId, Instant


async def taken_up(
    stored: Stored, used: Mapping[str, ExchangeId], config: ApprovalsConfig, proof: Proof, now: Instant
) -> Approval | None:
    """Give a stored approval as far as it can be proven; None if it is on other terms than those in force.

    Nobody could join it then, and a decision on terms that its hold doesn't state would be no evidence.
    """
    matter, approval = stored.matter, stored.approval
    asked = msgspec.structs.replace(asked_now(approval.asked, matter, config), seen=seen_hash(matter, stored.view))
    if approval.asked != asked:
        return None
    if (user := used.get(approval.id)) is not None:
        return approval.spent(user, now)
    return await proof.believed(approval, now)
