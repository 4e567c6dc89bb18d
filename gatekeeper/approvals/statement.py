"""Which statements count: every check that needs no cryptography, in one place and in order.

The statement's form is the journal's (gatekeeper.journal.statement), since auditors read it there.
"""

from typing import assert_never

from msgspec import UNSET

from gatekeeper.approvals.lifecycle import CLOCK_SKEW, Approval, Limits, State
from gatekeeper.exchange import Instant, Reason
from gatekeeper.journal.statement import Answer, DecisionRefused, Scope, Statement


def admit_statement(statement: Statement, approval: Approval, origin: str, now: Instant, longest_grant: int) -> None:
    """Raise DecisionRefused unless the statement is about this approval, in time, by one who may decide.

    `approval` without the decision itself; `now` is when the decision comes, or came; `longest_grant` in µs.
    """
    _same_matter(statement, approval, origin)
    _in_scope(statement, approval, longest_grant)
    _in_time(statement, approval, now)
    _may_decide(statement, approval)


def admit_key(key: str, approval: Approval) -> None:
    """Raise DecisionRefused if a decision that counts was signed by this key (hex): one person, one voice."""
    for decision in approval.decisions:
        if decision.key == key:
            msg = f"this key has already decided on {approval.id} as {decision.reviewer}: another reviewer must"
            raise DecisionRefused(msg, Reason.DECISION_UNQUALIFIED)


def _same_matter(statement: Statement, approval: Approval, origin: str) -> None:
    expected = {
        "approval": (statement.approval, approval.id),
        "origin": (statement.origin, origin),
        "digest": (statement.digest, approval.asked.digest),
        "request": (statement.request, approval.request),
    }
    for field, (stated, true) in expected.items():
        if stated != true:
            msg = f"the statement's {field} is not that of {approval.id}: show the approval again and sign what it says"
            raise DecisionRefused(msg, Reason.DECISION_MISMATCH)


def _in_scope(statement: Statement, approval: Approval, longest_grant: int) -> None:
    match statement.scope:
        case Scope.ONCE:
            _without_limits(statement)
        case Scope.GRANT:
            _grantable(statement, approval, longest_grant)
        case Scope.BREAK_GLASS:
            _without_limits(statement)
            if statement.verdict is Answer.DENY or not statement.reason.strip():
                msg = "breaking the glass releases a call, and says why: give a reason, or deny with scope 'once'"
                raise DecisionRefused(msg, Reason.DECISION_MALFORMED)
        case _:
            assert_never(statement.scope)


def _without_limits(statement: Statement) -> None:
    for field in ("tool", "until", "uses"):
        if getattr(statement, field) is not UNSET:
            msg = f"{field!r} has no meaning in a decision of scope {statement.scope.value!r}: leave it out"
            raise DecisionRefused(msg, Reason.DECISION_MALFORMED)


def _grantable(statement: Statement, approval: Approval, longest_grant: int) -> None:
    limits = grant_limits(statement)
    if statement.verdict is Answer.DENY or limits is None:
        msg = "a grant approves, until a time: sign 'approve' with 'until', or deny with scope 'once'"
        raise DecisionRefused(msg, Reason.DECISION_MALFORMED)
    until, uses, tool = limits
    if not statement.time < until <= statement.time + longest_grant:
        msg = f"a grant ends after it was signed, and within {longest_grant // 1_000_000} s (approvals.max_grant)"
        raise DecisionRefused(msg, Reason.DECISION_OUT_OF_TIME)
    if uses is not None and uses < 1:
        msg = "a grant of no uses grants nothing: take 'uses' out, or give a number from 1 up"
        raise DecisionRefused(msg, Reason.DECISION_MALFORMED)
    if tool is not None and tool != approval.asked.tool:
        msg = f"{approval.id} is not about the tool {tool!r} alone: a grant for one tool needs a call of it"
        raise DecisionRefused(msg, Reason.DECISION_MISMATCH)


def grant_limits(statement: Statement) -> Limits | None:
    """Give the limits of a grant; None for what is none, or has no end."""
    if statement.scope is not Scope.GRANT or statement.until is UNSET:
        return None
    uses = None if statement.uses is UNSET else statement.uses
    return statement.until, uses, None if statement.tool is UNSET else statement.tool


def admit_time(statement: Statement, now: Instant) -> None:
    """Raise DecisionRefused unless a statement was signed just now."""
    if abs(statement.time - now) > CLOCK_SKEW:
        msg = "the statement's time differs by more than 5 minutes from the gateway's clock: set the clock, sign again"
        raise DecisionRefused(msg, Reason.DECISION_OUT_OF_TIME)


def _in_time(statement: Statement, approval: Approval, now: Instant) -> None:
    state = approval.timed(now).state
    if state is not State.PENDING:
        msg = f"{approval.id} is {state.value}: there is nothing left to decide"
        raise DecisionRefused(msg, Reason.DECISION_OUT_OF_TIME)
    admit_time(statement, now)
    if statement.time >= approval.expires:
        msg = f"the statement's time is after {approval.id} expires"
        raise DecisionRefused(msg, Reason.DECISION_OUT_OF_TIME)


def _may_decide(statement: Statement, approval: Approval) -> None:
    reviewer, asked = statement.reviewer, approval.asked
    # A name that begins with a dash would be an option of the auditor's ssh-keygen.
    breaking = statement.scope is Scope.BREAK_GLASS
    named = asked.break_glass if breaking else {one for need in asked.require for one in need.reviewers}
    if reviewer.startswith("-") or reviewer not in named:
        may = "may break the glass" if breaking else "must decide"
        msg = f"{reviewer} is no reviewer of rule {asked.rule!r}: one of {', '.join(sorted(named)) or 'nobody'} {may}"
        raise DecisionRefused(msg, Reason.DECISION_UNQUALIFIED)
    if reviewer in (asked.excluded or ()) or reviewer == asked.sub:
        msg = f"{reviewer} owns the workload {asked.sub!r} and can't decide on its calls: ask another reviewer"
        raise DecisionRefused(msg, Reason.DECISION_UNQUALIFIED)
    if any(decision.reviewer == reviewer for decision in approval.decisions):
        msg = f"{reviewer} has already decided on {approval.id}: another reviewer must"
        raise DecisionRefused(msg, Reason.DECISION_UNQUALIFIED)
