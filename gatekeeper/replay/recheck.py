"""Decides and masks recorded calls again, under the recorded or another policy.

What was masked can't be found again: the record has the detectors' names, and not the text. So where a rule
looks at text that is masked by now, the answer is "undecidable from the record", never "the same". Pure.
"""

import enum
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gatekeeper.dialects import read_request
from gatekeeper.egress import TargetError, normal_path
from gatekeeper.exchange import (
    Exchange,
    Finding,
    Instant,
    Message,
    RuleName,
    Scheme,
    Side,
    Subject,
    Target,
    Verdict,
)
from gatekeeper.journal import Recorded, SubjectData
from gatekeeper.masking import Masker, UnreadableBody
from gatekeeper.policy import Policy
from gatekeeper.replay.calls import Call

BY_TEXT: Final = frozenset({"prompt", "match"})
"""Keys of a rule that look at text, some of which may be masked by now."""

type Matched = Callable[[Call], frozenset[RuleName]]
"""The rules whose `match` expression holds for a call; evaluated outside, where flows are."""


class Result(enum.Enum):
    """What a second look says."""

    SAME = "same"
    DIFFERENT = "different"
    UNDECIDABLE = "undecidable"


class Decided(msgspec.Struct, frozen=True):
    """What the policy says today of a recorded call; `verdict` is None where it is refused before any rule."""

    result: Result
    verdict: Verdict | None
    why: tuple[str, ...] = ()


class Rechecked(msgspec.Struct, frozen=True, kw_only=True):
    """One call, looked at again. `decision` and `masking` are apart; `why` says what is not the same."""

    call: Call
    decision: Result
    masking: Result
    verdict: Verdict | None
    why: tuple[str, ...]

    @property
    def result(self) -> Result:
        """The graver of the two."""
        both = {self.decision, self.masking}
        return next(one for one in (Result.DIFFERENT, Result.UNDECIDABLE, Result.SAME) if one in both)


def recheck(
    calls: Iterable[Call], policy: Policy, masker: Masker, matched: Matched, *, text_rules: Collection[RuleName]
) -> Iterator[Rechecked]:
    """Look at calls again, in the order given. `text_rules` are the policy's rules that have a key of BY_TEXT."""
    for call in calls:
        decided = decide_again(call, policy, matched, text_rules)
        masking, found = _mask(call, masker)
        yield Rechecked(
            call=call, decision=decided.result, masking=masking, verdict=decided.verdict, why=(*decided.why, *found)
        )


def decide_again(call: Call, policy: Policy, matched: Matched, text_rules: Collection[RuleName]) -> Decided:
    """Let the policy decide on a recorded call."""
    try:
        exchange = exchange_from(call)
    except TargetError as error:
        return Decided(Result.DIFFERENT, None, (f"decision: today it is refused before any rule: {error}",))
    verdict = policy.decide(exchange, Side.REQUEST, matched(call), Instant(call.started))
    before = call.request.verdict
    hidden = _hidden(call)
    text_rule = _first(policy, exchange, matched(call), text_rules)
    if hidden and text_rule is not None:
        return Decided(Result.UNDECIDABLE, verdict, (f"decision: rule {text_rule!r} looks at text, and {hidden}",))
    if (verdict.action.value, verdict.rule) == (before.action, before.rule):
        return Decided(Result.SAME, verdict)
    after = f"{verdict.action.value} by {_named(verdict.rule)}"
    why = f"decision: {after} where {before.action} by {_named(before.rule)} was recorded"
    return Decided(Result.DIFFERENT, verdict, (why,))


def exchange_from(call: Call) -> Exchange:
    """Make the exchange as the chain had it before its verdict; raises TargetError for a path that is refused today."""
    request = call.request
    parts = urlsplit(request.url)
    origin = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    message = Message(
        method=request.method,
        url=request.url,
        path=normal_path(origin),
        headers=request.headers,
        body=call.asked.data if call.asked is not None else b"",
    )
    target = Target(Scheme(parts.scheme), request.target.host, request.target.port)
    return Exchange(
        call.exchange,
        Instant(call.started),
        subject=subject_from(request.subject),
        session=call.session,
        target=target,
        request=message,
        summary=read_request(message, target.host),
        findings=tuple(Finding(entity, "body") for entity, count in request.findings.items() for _ in range(count)),
        uninspected=request.uninspected if isinstance(request.uninspected, str) else None,
    )


def subject_from(data: SubjectData) -> Subject:
    """Make the subject that was verified when the call came."""
    return Subject(
        iss=data.iss, sub=data.sub, groups=data.groups, workflow=data.workflow, token=data.token, expires=Instant(0)
    )


def _first(
    policy: Policy, exchange: Exchange, matched: frozenset[RuleName], text_rules: Collection[RuleName]
) -> RuleName | None:
    """Name the first rule by text that stands at or before the one that decides, and fails or holds by its text."""
    for told in policy.explain(exchange, matched):
        if told.rule in text_rules and (told.decided or told.key in BY_TEXT):
            return told.rule
    return None


def _hidden(call: Call) -> str:
    if call.unread or (call.asked is None and call.request.body is not None):
        return "the body can't be read any more"
    if call.request.findings:
        return "a part of it is masked"
    return ""


def _mask(call: Call, masker: Masker) -> tuple[Result, tuple[str, ...]]:
    found = [*_found(masker, call.asked, "request"), *_found(masker, call.answered, "answer")]
    if found:
        return Result.DIFFERENT, tuple(found)
    answered = call.response.findings if call.response is not None else {}
    hidden = sum(call.request.findings.values()) + sum(answered.values())
    if hidden:
        return Result.UNDECIDABLE, (f"masking: {hidden} findings are masked, and can't be found again",)
    if call.unread:
        return Result.UNDECIDABLE, ("masking: a body can't be read any more",)
    return Result.SAME, ()


def _found(masker: Masker, content: Recorded | None, side: str) -> Iterator[str]:
    if content is None or not content.data:
        return
    message = Message(status=200, headers=(("content-type", content.media),), body=content.data)
    try:
        findings = masker.inspect(message).findings
    except UnreadableBody as error:
        yield f"masking: the stored {side} can't be read as {content.media}: {error}"
        return
    for entity in sorted({finding.entity for finding in findings}):
        count = sum(finding.entity == entity for finding in findings)
        yield f"masking: {count} {entity} stood in the clear in the stored {side}"


def _named(rule: str | None) -> str:
    return "no rule" if rule is None else f"rule {rule!r}"
