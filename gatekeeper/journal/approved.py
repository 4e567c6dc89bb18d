"""What a log knows of approvals and grants: who decided what, and what may be released by it (JOURNAL.md, "Grammar").

An approval that is long over is forgotten, so that memory and `carried` stay small. Nothing can be revived by that:
a statement names the leaf hash of the request that its reviewer saw, and a later request has another.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from gatekeeper.exchange import Digest, Instant, Seq
from gatekeeper.journal.entries import GrantData, HoldData, RequirementData
from gatekeeper.journal.exchanges import OpenExchange, demand
from gatekeeper.journal.statement import Answer, Scope, Statement

REMEMBERED: Final = 24 * 3600 * 1_000_000
"""µs for which an approval is known after the last of its holds has expired, and a grant after its `until`."""


class KnownDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision whose signature has been checked; `key` is the public key that signed, `time` its entry's."""

    seq: Seq
    reviewer: str
    answer: Answer
    scope: Scope
    key: str
    time: Instant
    until: int | UnsetType = UNSET
    uses: int | UnsetType = UNSET
    tool: str | UnsetType = UNSET


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a hold asks. Of one approval they may differ: the configuration can change in between."""

    require: tuple[RequirementData, ...]
    excluded: tuple[str, ...] | None
    expires: int
    break_glass: tuple[str, ...] | UnsetType = UNSET


class KnownApproval(msgspec.Struct, kw_only=True):
    """What the holds of one approval have in common. `leaves` are the hashes of the requests that wait or waited."""

    digest: Digest
    subject: tuple[str, str]
    rule: str
    expires: int = 0
    leaves: list[str] = msgspec.field(default_factory=list)
    terms: list[Terms] = msgspec.field(default_factory=list)
    decisions: list[KnownDecision] = msgspec.field(default_factory=list)
    released: bool = False
    withdrawn: bool = False

    def join(self, exchange: OpenExchange, hold: HoldData) -> None:
        """Let another exchange wait for it; raises GrammarError."""
        demand(self.digest == hold.digest, "joins an approval of another request")
        demand(
            (self.subject, self.rule) == (exchange.subject, hold.rule), "joins an approval of another subject or rule"
        )
        self.expires = max(self.expires, hold.expires)
        if exchange.leaf not in self.leaves:
            self.leaves.append(exchange.leaf)
        terms = terms_of(hold)
        if terms not in self.terms:
            self.terms.append(terms)

    def release(self, hold: HoldData, seqs: Sequence[Seq]) -> None:
        """Release by decisions, once; raises GrammarError."""
        demand(not self.released, "releases an approval that was released before")
        demand(not self.withdrawn, "releases an approval that was withdrawn")
        decisions = self._named(seqs, Answer.APPROVE)
        if any(one.scope is Scope.BREAK_GLASS for one in decisions):
            demand(len(decisions) == 1, "mixes a break-glass decision with others: it stands alone")
        _check_counted(decisions, terms_of(hold))
        if decisions and decisions[0].scope is not Scope.BREAK_GLASS:
            demand(met(hold.require, decisions), "releases without its quorum")
        demand(bool(decisions), "releases without its quorum")
        self.released = True

    def deny(self, hold: HoldData, seqs: Sequence[Seq]) -> None:
        """Deny by decisions; raises GrammarError."""
        demand(bool(seqs), "denies without a reviewer's decision")
        _check_counted(self._named(seqs, Answer.DENY), terms_of(hold))

    def _named(self, seqs: Sequence[Seq], answer: Answer) -> list[KnownDecision]:
        known = {one.seq: one for one in self.decisions}
        named = [known[seq] for seq in seqs if seq in known and known[seq].answer is answer]
        told = "names a decision that is none, or is not about this approval, or says something else"
        demand(len(named) == len(seqs), told)
        return named


class KnownGrant(msgspec.Struct, kw_only=True):
    """A grant that its reviewers could give; `leaf` is the hash of its entry."""

    seq: Seq
    leaf: str
    approval: str
    digest: Digest
    subject: tuple[str, str]
    rule: str
    until: int
    uses: int | UnsetType = UNSET
    used: int = 0
    revoked: bool = False

    def release(self, exchange: OpenExchange, rule: str | None) -> None:
        """Release an exchange by it; raises GrammarError.

        What counts is when the request came: the entry of a release is always a little later than what it rests on.
        """
        demand(not self.revoked, "releases by a grant that was revoked")
        demand(exchange.time < self.until, "releases by a grant that was over when the request came")
        demand((exchange.subject, rule) == (self.subject, self.rule), "releases by a grant for another subject or rule")
        demand(self.uses is UNSET or self.used < self.uses, "releases by a grant that is used up")
        self.used += 1


def terms_of(hold: HoldData) -> Terms:
    """Give whom a hold asks."""
    return Terms(require=hold.require, excluded=hold.excluded, expires=hold.expires, break_glass=hold.break_glass)


def check_grant(approval: KnownApproval, data: GrantData, stated: Statement, given: KnownDecision) -> None:
    """See that a grant says what was signed, and by whom its approval asks; raises GrammarError.

    Where a quorum is more than one, the others have signed decisions of scope `grant` with the same limits before.
    """
    signed = (stated.scope, stated.verdict, stated.until, stated.uses, stated.tool)
    told = (Scope.GRANT, Answer.APPROVE, data.until, data.uses, data.tool)
    demand(signed == told, "says something else than its statement")
    demand(
        (data.subject, data.rule) == (approval.subject, approval.rule), "is for another subject or rule than its hold"
    )
    same = [one for one in approval.decisions if _limits(one) == _limits(given)]
    demand(any(_could_give([*same, given], terms) for terms in approval.terms), "grants without its quorum")


def met(require: Sequence[RequirementData], approvals: Sequence[KnownDecision]) -> bool:
    """Whether enough distinct reviewers with distinct keys approve; one who repeats either counts once."""
    return all(_meets(requirement, approvals) for requirement in require)


def _limits(decision: KnownDecision) -> tuple[object, ...]:
    return decision.answer, decision.scope, decision.until, decision.uses, decision.tool


def _could_give(decisions: Sequence[KnownDecision], terms: Terms) -> bool:
    counted = [one for one in decisions if _why_not(one, terms) is None]
    return decisions[-1] in counted and met(terms.require, counted)


def _check_counted(decisions: Sequence[KnownDecision], terms: Terms) -> None:
    for decision in decisions:
        why_not = _why_not(decision, terms)
        demand(why_not is None, f"names a decision {why_not}")


def _why_not(decision: KnownDecision, terms: Terms) -> str | None:
    """Say why a decision does not count on these terms; None where it does."""
    asked = {name for requirement in terms.require for name in requirement.reviewers}
    if decision.scope is Scope.BREAK_GLASS:
        asked = set(terms.break_glass or ())
    if decision.reviewer not in asked:
        return "by somebody whom its hold does not name"
    if decision.reviewer in (terms.excluded or ()):
        return "by an owner of the workload"
    if decision.time >= terms.expires:
        return "that came after its hold had expired"
    return None


def _meets(requirement: RequirementData, approvals: Sequence[KnownDecision]) -> bool:
    reviewers: set[str] = set()
    keys: set[str] = set()
    for one in approvals:
        if one.reviewer in requirement.reviewers and one.reviewer not in reviewers and one.key not in keys:
            reviewers.add(one.reviewer)
            keys.add(one.key)
    return len(reviewers) >= requirement.quorum
