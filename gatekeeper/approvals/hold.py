"""What the desk is asked, and what it answers."""

import hashlib
from typing import Final, Literal

import msgspec

from gatekeeper.approvals.lifecycle import Asked, End
from gatekeeper.config import ApprovalsConfig, RuleConfig
from gatekeeper.exchange import (
    Digest,
    ExchangeId,
    Message,
    Reason,
    Receipt,
    SessionId,
    Subject,
    ToolCall,
    canonical_json,
)
from gatekeeper.exchange.digest import LEFT_OUT
from gatekeeper.journal.entries import RequirementData


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange that a rule holds: its request, or its answer, for the tool calls in it.

    `request` is the receipt of its `request` entry; `view` and `tool_calls` are masked.
    """

    exchange: ExchangeId
    session: SessionId
    rule: RuleConfig
    subject: Subject
    digest: Digest
    request: Receipt
    view: Message
    findings: dict[str, int]
    reasons: tuple[str, ...]
    dialect: str
    model: str
    of: Literal["request", "response"] = "request"
    tool_calls: tuple[ToolCall, ...] = ()


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange may go: the digest it is for, and the receipt of the durable `release` entry."""

    digest: Digest
    receipt: Receipt
    approval: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange may not go. `message` is for the client; `approval` is empty where there is none."""

    reason: Reason
    approval: str
    message: str


class Need(msgspec.Struct, frozen=True):
    """One of a rule's requirements, by the names of its groups."""

    groups: tuple[str, ...]
    quorum: int


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """What reviewers see in a list. `needs` are the rule's, `likeness` is the same for calls that look the same."""

    workflow: str | None
    groups: tuple[str, ...]
    needs: tuple[Need, ...]
    likeness: str
    method: str
    url: str
    findings: dict[str, int]
    reasons: tuple[str, ...]
    dialect: str
    model: str
    of: str
    tool: str | None
    tool_calls: tuple[ToolCall, ...]


def matter_of(ask: Hold) -> Matter:
    """Take from a hold what a list shows."""
    return Matter(
        workflow=ask.subject.workflow,
        groups=ask.subject.groups,
        needs=tuple(Need(need.reviewers, need.quorum) for need in ask.rule.requirements),
        likeness=_likeness(ask),
        method=ask.view.method,
        url=ask.view.url,
        findings=ask.findings,
        reasons=ask.reasons,
        dialect=ask.dialect,
        model=ask.model,
        of=ask.of,
        tool=_tool(ask),
        tool_calls=ask.tool_calls,
    )


def view_of(ask: Hold) -> Message:
    """Give the masked request without the header fields that change from try to try."""
    kept = tuple((name, value) for name, value in ask.view.headers if name.lower() not in LEFT_OUT)
    return msgspec.structs.replace(ask.view, headers=kept)


def asked_of(ask: Hold, config: ApprovalsConfig) -> Asked:
    """Say what is asked of whom, from the rule and the configuration in force."""
    return Asked(
        digest=ask.digest,
        iss=ask.subject.iss,
        sub=ask.subject.sub,
        rule=ask.rule.name,
        require=required(matter_of(ask).needs, config),
        excluded=config.owners.get(ask.subject.sub),
        break_glass=breakers(config),
        tool=_tool(ask),
        seen=seen_hash(matter_of(ask), view_of(ask)),
    )


def required(needs: tuple[Need, ...], config: ApprovalsConfig) -> tuple[RequirementData, ...]:
    """Resolve a rule's groups to principals."""

    def people(need: Need) -> set[str]:
        return {person for group in need.groups for person in config.groups.get(group, ())}

    return tuple(RequirementData(tuple(sorted(people(need))), need.quorum) for need in needs)


def breakers(config: ApprovalsConfig) -> tuple[str, ...]:
    """Give those who may release without a quorum."""
    return tuple(sorted({person for group in config.break_glass for person in config.groups.get(group, ())}))


def asked_now(asked: Asked, matter: Matter, config: ApprovalsConfig, seen: str | None = None) -> Asked:
    """Say how the same would be asked under the configuration in force, where reviewers see what `seen` names."""
    return msgspec.structs.replace(
        asked,
        require=required(matter.needs, config),
        excluded=config.owners.get(asked.sub),
        break_glass=breakers(config),
        seen=asked.seen if seen is None else seen,
    )


def _tool(ask: Hold) -> str | None:
    """Name the tool that is called, where it is one alone."""
    names = {call.name for call in ask.tool_calls}
    return names.pop() if len(names) == 1 else None


def _likeness(ask: Hold) -> str:
    """Name what calls that a reviewer can't tell apart have in common; headers aside, which change from try to try."""
    seen = [
        ask.subject.iss,
        ask.subject.sub,
        ask.rule.name,
        ask.view.method,
        ask.view.url,
        ask.view.body,
        ask.tool_calls,
    ]
    return hashlib.sha256(canonical_json(seen)).hexdigest()[:12]


def seen_hash(matter: Matter, view: Message) -> str:
    """Name what reviewers are shown: SHA-256 hex."""
    return hashlib.sha256(canonical_json([matter, view])).hexdigest()


_REFUSALS: Final = {
    End.DENIED: (Reason.DENIED_BY_REVIEWER, "approval {id} was denied by a reviewer; don't repeat the call, ask them"),
    End.EXPIRED: (
        Reason.APPROVAL_EXPIRED,
        "approval {id} ran out before the call was released; repeat the call to ask again",
    ),
    End.USED_BY_OTHER: (
        Reason.APPROVAL_USED,
        "approval {id} was used by exchange {used_by}: it releases one call; the same call asks anew in a few minutes",
    ),
    End.WITHDRAWN: (
        Reason.APPROVAL_WITHDRAWN,
        "approval {id} was withdrawn; repeat the call to ask again",
    ),
    End.GRANTED: (Reason.APPROVAL_USED, "the grant on approval {id} is used up; repeat the call to ask again"),
    End.WAIT_OVER: (
        Reason.PENDING,
        "approval {id} is pending; repeat the same call once it is approved (gatekeeper approvals approve {id})",
    ),
    End.CLIENT_GONE: (Reason.CLIENT_GONE, "the client left; approval {id} stays open, and the same call joins it"),
    End.TERMS_CHANGED: (
        Reason.APPROVAL_EXPIRED,
        "who decides on this call has changed, so approval {id} is over; repeat the call to ask again",
    ),
    End.SHUT_DOWN: (
        Reason.SHUTTING_DOWN,
        "the gateway is stopping; approval {id} stays open: repeat the same call when it runs again",
    ),
}


def refusal_of(end: End, approval: str, used_by: str | None) -> Refused:
    """Say to the client why the call is not released; raises KeyError for RELEASED."""
    reason, text = _REFUSALS[end]
    return Refused(reason=reason, approval=approval, message=text.format(id=approval, used_by=used_by))
