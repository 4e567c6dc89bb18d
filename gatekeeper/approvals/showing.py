"""Turns an approval into what reviewers get to see."""

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Final

from gatekeeper.approvals.history import PastDecision
from gatekeeper.approvals.hold import Matter
from gatekeeper.approvals.lifecycle import Approval
from gatekeeper.approvals.views import (
    ApprovalDetail,
    ApprovalView,
    DecisionView,
    PastView,
    RequirementView,
    ToolCallView,
)
from gatekeeper.exchange import Message

LATEST: Final = 5
"""Earlier decisions that are shown one by one."""


def show_approval(approval: Approval, matter: Matter, origin: str, waiting: int) -> ApprovalView:
    """Show one approval as it stands."""
    asked = approval.asked
    return ApprovalView(
        id=approval.id,
        state=approval.state.value,
        rule=asked.rule,
        reasons=matter.reasons,
        subject=asked.sub,
        issuer=asked.iss,
        workflow=matter.workflow,
        groups=matter.groups,
        method=matter.method,
        url=matter.url,
        findings=matter.findings,
        dialect=matter.dialect,
        model=matter.model,
        created=approval.created,
        expires=approval.expires,
        require=tuple(RequirementView(need.reviewers, need.quorum) for need in asked.require),
        excluded=asked.excluded,
        decisions=tuple(
            DecisionView(
                reviewer=it.reviewer,
                verdict=it.answer.value,
                scope=it.scope.value,
                reason=it.reason,
                time=it.recorded,
                seq=it.seq,
            )
            for it in approval.decisions
        ),
        waiting=waiting,
        used_by=approval.used_by,
        digest=asked.digest,
        request=approval.request,
        origin=origin,
        group=matter.likeness,
        break_glass=asked.break_glass,
        of=matter.of,
        tool=matter.tool,
    )


def show_request(approval: ApprovalView, matter: Matter, view: Message, past: Sequence[PastDecision]) -> ApprovalDetail:
    """Show an approval with its masked request, and what was decided before, latest first."""
    try:
        encoding, body = "utf-8", view.body.decode()
    except UnicodeDecodeError:
        encoding, body = "base64", base64.b64encode(view.body).decode()
    return ApprovalDetail(
        approval=approval,
        headers=view.headers,
        encoding=encoding,
        body=body,
        tool_calls=tuple(ToolCallView(call.name, call.arguments) for call in matter.tool_calls),
        before=dict(Counter(one.verdict for one in past)),
        latest=tuple(map(_show_past, past[:LATEST])),
    )


def _show_past(past: PastDecision) -> PastView:
    return PastView(
        approval=past.approval,
        reviewer=past.reviewer,
        verdict=past.verdict,
        scope=past.scope,
        reason=past.reason,
        decided=past.decided,
    )
