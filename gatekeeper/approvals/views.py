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
    scope: str
    reason: str
    time: int
    seq: int


class ApprovalView(msgspec.Struct, frozen=True, kw_only=True):
    """An approval. Times are µs since 1970 UTC; `waiting` counts the calls held for it now.

    `group` is the same for approvals of one subject and rule whose calls look the same.
    """

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
    group: str
    break_glass: tuple[str, ...]
    of: str
    tool: str | None


class PastView(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier decision on a call of the same subject under the same rule."""

    approval: str
    reviewer: str
    verdict: str
    scope: str
    reason: str
    decided: int


class ToolCallView(msgspec.Struct, frozen=True):
    """A tool that is called, with its arguments (JSON text), masked."""

    name: str
    arguments: str


class ApprovalDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An approval with the masked request. `encoding` of `body` is `utf-8`, or `base64` for what is no text.

    `before` counts the earlier decisions by verdict; `latest` are the last few of them.
    """

    approval: ApprovalView
    headers: tuple[tuple[str, str], ...]
    encoding: str
    body: str
    tool_calls: tuple[ToolCallView, ...]
    before: dict[str, int]
    latest: tuple[PastView, ...]


class DecisionOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an approval by a decision: `approved` of `quorum` have approved, `grant` is one it completed."""

    approval: str
    state: str
    approved: int
    quorum: int
    grant: int | None


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """A grant: `grant` is the number of its entry, `leaf` the hash of that, which ends it when it is signed.

    `tool` and `uses` are None where it is not limited.
    """

    grant: int
    state: str
    subject: str
    issuer: str
    rule: str
    tool: str | None
    until: int
    uses: int | None
    used: int
    reviewer: str
    reason: str
    given: int
    approval: str
    digest: str
    leaf: str
    origin: str


class FiguresView(msgspec.Struct, frozen=True, kw_only=True):
    """How fast and how uniformly one reviewer decides.

    `median` is in µs, from the question to the decision; `hasty` counts what took less than 5 s, `streak` is the
    longest row of equal verdicts, `silent` counts decisions without a reason.
    """

    reviewer: str
    decisions: int
    approved: int
    denied: int
    median: int
    hasty: int
    streak: int
    silent: int
