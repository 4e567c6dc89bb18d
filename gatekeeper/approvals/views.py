"""What reviewers get to see, as it goes over the admin socket: masked, and all that a statement needs.

The command line imports this module alone, so it imports little.
"""

import msgspec


class RequirementView(msgspec.Struct, frozen=True):
    """A quorum, and the reviewers of whom so many must approve."""

    reviewers: tuple[str, ...]
    quorum: int


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that counts. `seq` is its entry in the journal."""

    reviewer: str
    verdict: str
    reason: str
    time: int
    seq: int


class ApprovalView(msgspec.Struct, frozen=True, kw_only=True):
    """An approval. Times are µs since 1970 UTC; `waiting` counts the calls held for it now."""

    id: str
    state: str
    rule: str
    reasons: tuple[str, ...]
    subject: str
    issuer: str
    workflow: str | None
    groups: tuple[str, ...]
    method: str
    url: str
    findings: dict[str, int]
    dialect: str
    model: str
    created: int
    expires: int
    require: tuple[RequirementView, ...]
    excluded: tuple[str, ...] | None
    decisions: tuple[DecisionView, ...]
    waiting: int
    used_by: str | None
    digest: str
    request: str
    origin: str


class ApprovalDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An approval with the masked request. `encoding` of `body` is `utf-8`, or `base64` for what is no text."""

    approval: ApprovalView
    headers: tuple[tuple[str, str], ...]
    encoding: str
    body: str


class DecisionOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an approval by a decision. `approved` of `quorum` reviewers have approved."""

    approval: str
    state: str
    approved: int
    quorum: int
