"""Which statements count, check by check, without cryptography."""

import msgspec
import pytest

from gatekeeper.approvals.lifecycle import CLOCK_SKEW, Approval, ApprovalId, Asked, Decision, State
from gatekeeper.approvals.statement import admit_key, admit_statement
from gatekeeper.exchange import Digest, Instant, Seq
from gatekeeper.journal.entries import RequirementData
from gatekeeper.journal.statement import Answer, DecisionRefused, Scope, Statement

NOW = Instant(1_800_000_000_000_000)
EXPIRES = Instant(NOW + 2 * CLOCK_SKEW)
DAY = 24 * 3600 * 1_000_000
ORIGIN = "gatekeeper.test/journal"
ASKED = Asked(
    digest=Digest("d" * 64),
    iss="https://issuer.test",
    sub="bot",
    rule="refunds",
    require=(RequirementData(("alice", "bob", "bot", "-dash"), 2),),
    excluded=("bob",),
    break_glass=("grace", "bob"),
    tool="issue_refund",
    seen="5" * 64,
)
DECIDED = Decision(
    reviewer="dave",
    answer=Answer.APPROVE,
    reason="",
    scope=Scope.ONCE,
    statement="",
    signature="",
    key="aa",
    signed=NOW,
    recorded=NOW,
    seq=Seq(1),
)
APPROVAL = Approval(
    id=ApprovalId("apr-aaaaaaaaaa"), asked=ASKED, request="f" * 64, created=NOW, expires=EXPIRES, decisions=(DECIDED,)
)
STATEMENT = Statement(
    approval=APPROVAL.id,
    digest=ASKED.digest,
    origin=ORIGIN,
    reason="",
    request=APPROVAL.request,
    reviewer="alice",
    scope=Scope.ONCE,
    time=NOW,
    v=1,
    verdict=Answer.APPROVE,
)


@pytest.mark.parametrize("verdict", list(Answer))
@pytest.mark.parametrize("time", [NOW - CLOCK_SKEW, NOW, NOW + CLOCK_SKEW])
def test_a_statement_in_order_is_admitted(verdict: Answer, time: int) -> None:
    admit_statement(msgspec.structs.replace(STATEMENT, verdict=verdict, time=Instant(time)), APPROVAL, ORIGIN, NOW, DAY)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"approval": "apr-bbbbbbbbbb"}, "approval is not that of apr-aaaaaaaaaa"),
        ({"digest": "e" * 64}, "digest is not that"),
        ({"origin": "other.test"}, "origin is not that"),
        ({"request": "e" * 64}, "request is not that"),
        ({"scope": Scope.GRANT}, "until a time"),
        ({"scope": Scope.GRANT, "until": Instant(NOW + 1), "verdict": Answer.DENY}, "until a time"),
        ({"scope": Scope.GRANT, "until": NOW}, "ends after it was signed"),
        ({"scope": Scope.GRANT, "until": Instant(NOW + DAY + 1)}, "within 86400 s"),
        ({"scope": Scope.GRANT, "until": Instant(NOW + 1), "uses": 0}, "no uses"),
        ({"scope": Scope.GRANT, "until": Instant(NOW + 1), "tool": "rm"}, "not about the tool 'rm'"),
        ({"scope": Scope.BREAK_GLASS}, "give a reason"),
        ({"scope": Scope.BREAK_GLASS, "reason": " "}, "give a reason"),
        ({"scope": Scope.BREAK_GLASS, "reason": "fire"}, "one of bob, grace may break the glass"),
        ({"scope": Scope.BREAK_GLASS, "reason": "fire", "reviewer": "bob"}, "bob owns"),
        ({"scope": Scope.BREAK_GLASS, "reason": "fire", "reviewer": "grace", "uses": 1}, "'uses' has no meaning"),
        ({"tool": "rm"}, "'tool' has no meaning"),
        ({"until": NOW}, "'until' has no meaning"),
        ({"uses": 1}, "'uses' has no meaning"),
        ({"time": NOW - CLOCK_SKEW - 1}, "more than 5 minutes"),
        ({"time": NOW + CLOCK_SKEW + 1}, "more than 5 minutes"),
        ({"reviewer": "mallory"}, "mallory is no reviewer of rule 'refunds': one of -dash, alice, bob, bot must"),
        ({"reviewer": "-dash"}, "is no reviewer"),
        ({"reviewer": "bob"}, "bob owns the workload 'bot'"),
        ({"reviewer": "bot"}, "bot owns the workload 'bot'"),
    ],
)
def test_a_statement_out_of_order_is_refused(change: dict[str, object], problem: str) -> None:
    with pytest.raises(DecisionRefused, match=problem):
        admit_statement(msgspec.structs.replace(STATEMENT, **change), APPROVAL, ORIGIN, NOW, DAY)


def test_a_statement_dated_after_the_expiry_is_refused_although_clocks_may_differ() -> None:
    late = msgspec.structs.replace(STATEMENT, time=EXPIRES)
    with pytest.raises(DecisionRefused, match="after apr-aaaaaaaaaa expires"):
        admit_statement(late, APPROVAL, ORIGIN, Instant(EXPIRES - 1), DAY)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
def test_only_what_is_pending_is_decided_on(state: State) -> None:
    with pytest.raises(DecisionRefused, match=f"is {state.value}"):
        admit_statement(STATEMENT, msgspec.structs.replace(APPROVAL, state=state), ORIGIN, NOW, DAY)


def test_what_has_run_out_is_not_decided_on_although_nobody_noticed() -> None:
    with pytest.raises(DecisionRefused, match="is expired"):
        admit_statement(msgspec.structs.replace(STATEMENT, time=EXPIRES), APPROVAL, ORIGIN, EXPIRES, DAY)


def test_grants_and_broken_glass_in_order_are_admitted() -> None:
    for change in (
        {"scope": Scope.GRANT, "until": Instant(NOW + DAY)},
        {"scope": Scope.GRANT, "until": Instant(NOW + 1), "uses": 1, "tool": "issue_refund"},
        {"scope": Scope.BREAK_GLASS, "reason": "fire", "reviewer": "grace"},
    ):
        admit_statement(msgspec.structs.replace(STATEMENT, **change), APPROVAL, ORIGIN, NOW, DAY)


def test_a_reviewer_decides_once() -> None:
    decided = msgspec.structs.replace(APPROVAL, decisions=(msgspec.structs.replace(DECIDED, reviewer="alice"),))
    with pytest.raises(DecisionRefused, match="alice has already decided"):
        admit_statement(STATEMENT, decided, ORIGIN, NOW, DAY)


def test_where_no_owner_is_known_reviewers_may_decide() -> None:
    unknown = msgspec.structs.replace(APPROVAL, asked=msgspec.structs.replace(ASKED, excluded=None))
    admit_statement(msgspec.structs.replace(STATEMENT, reviewer="bob"), unknown, ORIGIN, NOW, DAY)


def test_a_key_decides_once() -> None:
    admit_key("bb", APPROVAL)
    with pytest.raises(DecisionRefused, match="already decided on apr-aaaaaaaaaa as dave"):
        admit_key("aa", APPROVAL)
