"""What was decided before: shown to reviewers, counted for those who look after them. Evidence is the journal's."""

from collections.abc import Iterable
from statistics import median
from typing import Final

import msgspec

from gatekeeper.approvals.views import FiguresView
from gatekeeper.exchange import Instant

KEPT: Final = 90 * 24 * 3600 * 1_000_000
"""µs for which decisions stay in the history."""

HASTY: Final = 5_000_000
"""µs from the question to the decision; in less nobody has read it."""


class PastDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that counted: `asked` is when its approval was opened."""

    approval: str
    iss: str
    sub: str
    rule: str
    reviewer: str
    verdict: str
    scope: str
    reason: str
    asked: Instant
    decided: Instant


def figures(past: Iterable[PastDecision]) -> tuple[FiguresView, ...]:
    """Count by reviewer, who decides most first."""
    by_reviewer: dict[str, list[PastDecision]] = {}
    for one in sorted(past, key=lambda it: it.decided):
        by_reviewer.setdefault(one.reviewer, []).append(one)
    counted = [_figures(reviewer, decisions) for reviewer, decisions in by_reviewer.items()]
    return tuple(sorted(counted, key=lambda it: (-it.decisions, it.reviewer)))


def _figures(reviewer: str, decisions: list[PastDecision]) -> FiguresView:
    took = [one.decided - one.asked for one in decisions]
    approved = sum(one.verdict == "approve" for one in decisions)
    return FiguresView(
        reviewer=reviewer,
        decisions=len(decisions),
        approved=approved,
        denied=len(decisions) - approved,
        median=round(median(took)),
        hasty=sum(one < HASTY for one in took),
        streak=_longest([one.verdict for one in decisions]),
        silent=sum(not one.reason for one in decisions),
    )


def _longest(verdicts: list[str]) -> int:
    longest = row = 0
    before = None
    for verdict in verdicts:
        row = row + 1 if verdict == before else 1
        longest, before = max(longest, row), verdict
    return longest
