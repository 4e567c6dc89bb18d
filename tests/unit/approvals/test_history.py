"""How reviewers decide, in figures."""

from gatekeeper.approvals.history import PastDecision, figures
from gatekeeper.approvals.views import FiguresView
from gatekeeper.exchange import Instant

SECOND = 1_000_000


def past(reviewer: str, verdict: str, took: int, reason: str = "seen", at: int = 0) -> PastDecision:
    return PastDecision(
        approval="apr-aaaaaaaaaa", iss="i", sub="s", rule="r", reviewer=reviewer, verdict=verdict, scope="once",
        reason=reason, asked=Instant(at), decided=Instant(at + took),
    )  # fmt: skip


def test_nothing_gives_no_figures() -> None:
    assert figures([]) == ()


def test_each_reviewer_is_counted_and_the_busiest_comes_first() -> None:
    decisions = [
        past("bob", "deny", 60 * SECOND),
        past("alice", "approve", 2 * SECOND, "", at=3),
        past("alice", "approve", 4 * SECOND, "", at=2),
        past("alice", "deny", 9 * SECOND, at=1),
        past("alice", "approve", 5 * SECOND, at=0),
    ]
    alice, bob = figures(decisions)
    assert alice == FiguresView(
        reviewer="alice", decisions=4, approved=3, denied=1, median=4_500_000, hasty=2, streak=3, silent=2
    )
    assert (bob.reviewer, bob.decisions, bob.hasty, bob.streak) == ("bob", 1, 0, 1)
