"""What an entry of the journal says, in a line. All that was recorded goes through `visible`."""

from collections.abc import Mapping

from msgspec import UNSET

from gatekeeper.cli.times import show_moment, show_size
from gatekeeper.cli.visible import visible
from gatekeeper.journal.entries import (
    AbandonData,
    AdminData,
    Body,
    ChunkData,
    CloseData,
    ConfigData,
    Data,
    DecisionData,
    DenyData,
    EraseData,
    ErrorData,
    ExpireData,
    GrantData,
    HoldData,
    MessageData,
    OpenData,
    ReadData,
    RefusedData,
    ReleaseData,
    RequestData,
    ResponseData,
    RevokeData,
    SealData,
    SignedData,
    SubjectData,
    TruncatedData,
    VerdictData,
    WithdrawData,
)
from gatekeeper.journal.statement import DecisionRefused, parse_statement


def sentence(data: Data) -> str:  # noqa: PLR0911 - one for each type
    """Say what an entry is about."""
    match data:
        case RequestData():
            return visible(f"{data.method} {data.url}")
        case ResponseData():
            return _answer(data)
        case ChunkData():
            return f"chunk {data.n}, {_body(data.body)}"
        case ErrorData() | TruncatedData():
            return visible(f"{data.reason}, on the side of the {data.side}")
        case RefusedData():
            return _refused(data)
        case MessageData():
            return visible(f"{data.form} {data.direction}, {_body(data.body)}")
        case OpenData():
            return visible(f"gatekeeper {data.version} begins, configuration {data.config[:12]}")
        case CloseData():
            return "the run ends in order"
        case _:
            return _decided(data)


def verdict_sentence(verdict: VerdictData) -> str:
    """Say what policy said."""
    rule = f" by rule {verdict.rule!r}" if verdict.rule is not None else ""
    reasons = f": {', '.join(verdict.reasons)}" if verdict.reasons else ""
    return visible(f"{verdict.action}{rule}{reasons}")


def subject_sentence(subject: SubjectData) -> str:
    """Say who calls."""
    groups = f", groups {', '.join(subject.groups)}" if subject.groups else ""
    workflow = f", workflow {subject.workflow}" if subject.workflow is not None else ""
    acting = "" if subject.act is UNSET else "".join(f", by {one.sub} of {one.iss}" for one in subject.act)
    return visible(f"{subject.sub} of {subject.iss}{acting}{groups}{workflow}")


def found_sentence(findings: Mapping[str, int]) -> str:
    """Say what detectors found: `CREDIT_CARD 2, EMAIL_ADDRESS 1`."""
    return visible(", ".join(f"{entity} {count}" for entity, count in findings.items()))


def _answer(data: ResponseData) -> str:
    after = f" after {data.chunks} chunks" if data.chunks is not UNSET else ""
    reason = f", {data.reason}" if data.reason is not UNSET else ""
    found = f", found {found_sentence(data.findings)}" if data.findings else ""
    body = f", {_body(data.body)}" if data.body is not None else ""
    return visible(f"{data.status} by the {data.by}{after}{reason}{body}{found}")


def _body(body: Body | None) -> str:
    return visible(f"{show_size(body.size)} of {body.media or 'no media type'}") if body is not None else "empty"


def _refused(data: RefusedData) -> str:
    claimed = f", claimed to be {data.subject}" if data.subject is not None else ""
    target = f", to {data.target}" if data.target is not None else ""
    times = f", {data.count} times" if data.count != 1 else ""
    return visible(f"{data.reason}, from {data.peer or 'several'}{claimed}{target}{times}")


def _decided(data: Data) -> str:  # noqa: PLR0911 - one for each type
    match data:
        case HoldData():
            asked = "; ".join(f"{one.quorum} of {', '.join(one.reviewers)}" for one in data.require)
            return visible(f"{data.approval}: {data.rule!r} asks {asked}, until {show_moment(data.expires)}")
        case DecisionData():
            return visible(f"{data.approval}: {stated(data)} by {data.reviewer}")
        case ReleaseData() if data.grant is not UNSET:
            return f"by the grant in entry {data.grant}"
        case ReleaseData() | DenyData():
            by = ", ".join(map(str, data.decisions or ()))
            return visible(f"{data.approval}: by the decisions in entries {by}")
        case ExpireData():
            return visible(f"{data.approval}: nobody decided in time")
        case AbandonData():
            return visible(f"{data.approval}: the caller left or was told to come back")
        case WithdrawData():
            return visible(f"{data.approval}: withdrawn by {data.by}: {data.why}")
        case GrantData():
            uses = f", {data.uses} times" if data.uses is not UNSET else ""
            tool = f", tool {data.tool}" if data.tool is not UNSET else ""
            who = f"{data.subject[1]} of {data.subject[0]}, {data.rule!r}{tool}{uses}"
            return visible(f"{who}, until {show_moment(data.until)}: {stated(data)} by {data.reviewer}")
        case RevokeData():
            return visible(f"the grant in entry {data.grant}: {stated(data)} by {data.reviewer}")
        case _:
            return _administered(data)


def _administered(data: Data) -> str:
    match data:
        case ConfigData():
            return visible(f"configuration {data.config[:12]} is in force, by {data.by}")
        case AdminData():
            detail = ", ".join(f"{name} {value}" for name, value in data.detail.items())
            return visible(f"{data.event.value} by {data.by}: {detail}")
        case EraseData():
            return visible(f"session {data.session} is erased by {data.by}: {data.why}")
        case ReadData():
            return visible(f"{data.by} read {data.range} by {data.command}")
        case SealData():
            return "the segment ends here" + (", another key signs from here on" if data.vkey is not UNSET else "")
        case _:
            return visible(data.kind)


def stated(data: SignedData) -> str:
    """Give the verdict and reason of a signed statement; what can't be read is said to be so."""
    try:
        statement = parse_statement(data.statement.encode())
    except DecisionRefused:
        return "a statement that can't be read"
    reason = f" ({statement.reason})" if statement.reason else ""
    return f"{statement.verdict.value}{reason}"
