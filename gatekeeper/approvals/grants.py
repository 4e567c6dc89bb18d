"""Grants: decisions that cover later calls too. They are read from the journal, never from a database.

What a grant covers is decided here; that it is not used more often than it says, the store counts, since several
desks may use it.
"""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, UnsetType

from gatekeeper.approvals.hold import Hold
from gatekeeper.approvals.views import GrantView
from gatekeeper.exchange import Digest, Instant, Reason, Seq
from gatekeeper.journal.entries import GrantData, RevokeData
from gatekeeper.journal.standing import Given
from gatekeeper.journal.statement import Answer, DecisionRefused, Scope, Statement, parse_statement


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A grant in force. `leaf` is the hash of its entry, `approval` and `digest` are those of the call it was given on.

    `tool` and `uses` are None where it is not limited.
    """

    seq: Seq
    leaf: str
    approval: str
    digest: Digest
    subject: tuple[str, str]
    rule: str
    until: Instant
    uses: int | None
    tool: str | None
    reviewer: str
    reason: str
    given: Instant
    statement: str
    signature: str

    def covers(self, ask: Hold) -> bool:
        """Whether a call is covered, uses aside. It counts when its request was recorded, as the journal's reader says.

        A grant for one tool covers calls of that tool only, all of them.
        """
        tools = {call.name for call in ask.tool_calls}
        return (
            (ask.subject.iss, ask.subject.sub) == self.subject
            and ask.rule.name == self.rule
            and ask.request.time < self.until
            and (self.tool is None or tools == {self.tool})
        )


class GrantBook:
    """The grants that this desk knows, in the order they were given."""

    def __init__(self) -> None:
        self._grants: dict[Seq, Grant] = {}

    def __iter__(self) -> Iterator[Grant]:
        return iter(self._grants.values())

    def add(self, grant: Grant) -> None:
        """Take a grant into force."""
        self._grants[grant.seq] = grant

    def get(self, seq: int) -> Grant | None:
        """Find a grant by its number."""
        return self._grants.get(Seq(seq))

    def remove(self, seq: Seq) -> None:
        """Take a grant out of force."""
        self._grants.pop(seq, None)

    def covering(self, ask: Hold) -> list[Grant]:
        """Give the grants that cover a call, that which ends first before the others."""
        return sorted((one for one in self if one.covers(ask)), key=lambda one: one.until)


def grant_of(seq: Seq, leaf: str, time: Instant, data: GrantData) -> Grant:
    """Read a recorded grant; raises DecisionRefused for a statement that is not of the form."""
    stated = parse_statement(data.statement.encode())
    return Grant(
        seq=seq,
        leaf=leaf,
        approval=stated.approval,
        digest=stated.digest,
        subject=data.subject,
        rule=data.rule,
        until=Instant(data.until),
        uses=_or_none(data.uses),
        tool=_or_none(data.tool),
        reviewer=data.reviewer,
        reason=stated.reason,
        given=time,
        statement=data.statement,
        signature=data.signature,
    )


def standing_grants(given: Iterable[Given]) -> Iterator[tuple[Grant, int, bool]]:
    """Read the grants of a journal, with their uses and whether they were revoked."""
    for one in given:
        yield grant_of(one.seq, one.leaf, one.time, one.data), one.used, one.revoked


def admit_revocation(stated: Statement, grant: Grant, origin: str) -> None:
    """Raise DecisionRefused unless a statement ends this grant (JOURNAL.md, `revoke`)."""
    meant = (stated.scope, stated.verdict, stated.approval, stated.digest, stated.request, stated.origin)
    asked = (Scope.GRANT, Answer.DENY, grant.approval, grant.digest, grant.leaf, origin)
    if meant != asked or (stated.until, stated.uses, stated.tool) != (UNSET, UNSET, UNSET):
        msg = f"the statement does not end grant {grant.seq}: show it again and sign what it says"
        raise DecisionRefused(msg, Reason.DECISION_MISMATCH)


def revocation_of(grant: Grant, stated: Statement, statement: str, signature: str) -> RevokeData:
    """Say in the journal who ended it."""
    return RevokeData(grant=grant.seq, reviewer=stated.reviewer, statement=statement, signature=signature)


def show_grant(grant: Grant, used: int, origin: str, now: Instant, *, revoked: bool) -> GrantView:
    """Show a grant as it stands."""
    over = now >= grant.until or (grant.uses is not None and used >= grant.uses)
    return GrantView(
        grant=grant.seq,
        state="revoked" if revoked else "over" if over else "in force",
        subject=grant.subject[1],
        issuer=grant.subject[0],
        rule=grant.rule,
        tool=grant.tool,
        until=grant.until,
        uses=grant.uses,
        used=used,
        reviewer=grant.reviewer,
        reason=grant.reason,
        given=grant.given,
        approval=grant.approval,
        digest=grant.digest,
        leaf=grant.leaf,
        origin=origin,
    )


def _or_none[T](value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value
