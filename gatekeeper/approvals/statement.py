"""Which statements count: every check that needs no cryptography, in one place and in order.

The statement's form is the journal's (gatekeeper.journal.statement), since auditors read it there.
"""

from msgspec import UNSET

from gatekeeper.approvals.lifecycle import CLOCK_SKEW, Approval, State
from gatekeeper.exchange import Instant, Reason
from gatekeeper.journal.statement import DecisionRefused, Scope, Statement


def admit_statement(statement: Statement, approval: Approval, origin: str, now: Instant) -> None:
    """Raise DecisionRefused unless the statement is about this approval, in time, by one who may decide.

    `approval` without the decision itself; `now` is when the decision comes, or came.
    """
    _same_matter(statement, approval, origin)
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
    if statement.scope is not Scope.ONCE:
        msg = f"scope {statement.scope.value!r} is not supported by this version: decide on each call (scope 'once')"
        raise DecisionRefused(msg, Reason.DECISION_MISMATCH)
    for field in ("tool", "until", "uses"):
        if getattr(statement, field) is not UNSET:
            msg = f"{field!r} has no meaning in a decision of scope 'once': leave it out"
            raise DecisionRefused(msg, Reason.DECISION_MISMATCH)


def _in_time(statement: Statement, approval: Approval, now: Instant) -> None:
    state = approval.timed(now).state
    if state is not State.PENDING:
        msg = f"{approval.id} is {state.value}: there is nothing left to decide"
        raise DecisionRefused(msg, Reason.DECISION_OUT_OF_TIME)
    if abs(statement.time - now) > CLOCK_SKEW:
        msg = "the statement's time differs by more than 5 minutes from the gateway's clock: set the clock, sign again"
        raise DecisionRefused(msg, Reason.DECISION_OUT_OF_TIME)
    if statement.time >= approval.expires:
        msg = f"the statement's time is after {approval.id} expires"
        raise DecisionRefused(msg, Reason.DECISION_OUT_OF_TIME)


def _may_decide(statement: Statement, approval: Approval) -> None:
    reviewer, asked = statement.reviewer, approval.asked
    # A name that begins with a dash would be an option of the auditor's ssh-keygen.
    if reviewer.startswith("-") or not any(reviewer in need.reviewers for need in asked.require):
        msg = f"{reviewer} is no reviewer of rule {asked.rule!r}: one of {_named(approval)} must decide"
        raise DecisionRefused(msg, Reason.DECISION_UNQUALIFIED)
    if reviewer in (asked.excluded or ()) or reviewer == asked.sub:
        msg = f"{reviewer} owns the workload {asked.sub!r} and can't decide on its calls: ask another reviewer"
        raise DecisionRefused(msg, Reason.DECISION_UNQUALIFIED)
    if any(decision.reviewer == reviewer for decision in approval.decisions):
        msg = f"{reviewer} has already decided on {approval.id}: another reviewer must"
        raise DecisionRefused(msg, Reason.DECISION_UNQUALIFIED)


def _named(approval: Approval) -> str:
    return ", ".join(sorted({name for need in approval.asked.require for name in need.reviewers}))
