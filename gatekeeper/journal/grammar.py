"""The grammar of a log (JOURNAL.md, "Grammar"): runs, segments, exchanges, approvals, grants, fed entry by entry.

It says where the order is broken and keeps what a later entry must agree with. Signatures are the
caller's: it asks `Grammar.stated` for what a signed entry must say, checks the signature, and admits it.
"""

import enum
from typing import Any, Final

import msgspec
from msgspec import UNSET

from gatekeeper.exchange import ExchangeId, Instant, Seq, canonical_json
from gatekeeper.journal.approved import REMEMBERED, KnownApproval, KnownDecision, KnownGrant, check_grant
from gatekeeper.journal.entries import (
    CloseData,
    ConfigData,
    DecisionData,
    DenyData,
    GrantData,
    HoldData,
    OpenData,
    ReleaseData,
    RequestData,
    ResponseData,
    RevokeData,
    SealData,
    SignedData,
    TruncatedData,
    WithdrawData,
)
from gatekeeper.journal.exchanges import SWITCHING_PROTOCOLS, Exchanges, GrammarError, OpenExchange, State, demand
from gatekeeper.journal.leaf import Entry, Form
from gatekeeper.journal.merkle import Hash
from gatekeeper.journal.statement import Answer, DecisionRefused, Scope, Statement, parse_statement

OFTEN: Final = 256
"""Approvals or grants that are known before those that are long over are looked for again."""


class Run(enum.Enum):
    """Where a run stands."""

    NOT_BEGUN = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()
    SEALED = enum.auto()


# Members of an enum are looked up through its metaclass, and `quick` is asked for each entry.
_OPEN: Final = Run.OPEN
_ALLOWED: Final = State.ALLOWED


class CarriedExchange(OpenExchange, kw_only=True):
    """An exchange that is open where a segment begins."""

    exchange: ExchangeId


class CarriedApproval(KnownApproval, kw_only=True):
    """An approval that something may still be released by, or that must not release again."""

    approval: str


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """The open state at a segment's start (docs/journal-format.md): exchanges in order of their requests."""

    approvals: tuple[CarriedApproval, ...]
    exchanges: tuple[CarriedExchange, ...]
    grants: tuple[KnownGrant, ...]


class Grammar:
    """Feed it entries in order; it raises GrammarError at the first that breaks the rules."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.run = Run.NOT_BEGUN
        self.signers = ""
        self.exchanges = Exchanges()
        self.approvals: dict[str, KnownApproval] = {}
        self.grants: dict[Seq, KnownGrant] = {}
        self._now = Instant(0)
        self._left_open: list[ExchangeId] = []
        self._sweep_at = OFTEN

    def quick(self, entry: Form[Any, str] | Entry, node: Hash) -> bool:
        """Take one of the two steps that nearly all entries are: an allowed request, its whole answer from upstream.

        False: it is something else, and `feed` has to look at it. What it does is what `feed` would do.
        """
        data, id_, session, open_ = entry.data, entry.exchange, entry.session, self.exchanges.open
        if self.run is not _OPEN or self._left_open or id_ is None or session is None:
            return False
        if type(data) is ResponseData:
            found = open_.get(id_)
            if found is None or found.state is not _ALLOWED or found.session != session:
                return False
            if data.by != "upstream" or data.status == SWITCHING_PROTOCOLS or data.chunks is not UNSET:
                return False
            del open_[id_]
        elif type(data) is RequestData and data.verdict.action == "allow" and data.digest is UNSET and id_ not in open_:
            subject = data.subject
            open_[id_] = OpenExchange(
                session,
                _ALLOWED,
                None,
                (subject.iss, subject.sub),
                data.verdict.rule,
                None,
                0,
                node.hex(),
                entry.time,
            )
        else:
            return False
        self._now = entry.time
        return True

    def feed(self, entry: Entry) -> None:
        """Take the next entry; what is signed goes through `stated` and `admit` too."""
        self._now = entry.time
        self._check_run(entry)
        self.exchanges.feed(
            entry.exchange, entry.session, entry.data, bodied=getattr(entry.data, "body", None) is not None
        )
        match entry.data:
            case OpenData():
                self._open(entry.data)
            case ConfigData():
                self.signers = entry.data.signers
            case CloseData():
                demand(not self.exchanges.open, "closes the run while an exchange is open")
                self.run = Run.CLOSED
            case SealData():
                self.run = Run.SEALED
            case RequestData():
                exchange = self.exchanges.get(entry.exchange)
                exchange.leaf, exchange.time = entry.leaf_hash.hex(), entry.time
            case HoldData():
                self._hold(self.exchanges.get(entry.exchange), entry.data)
            case ReleaseData():
                self._release(self.exchanges.get(entry.exchange), entry.data)
            case DenyData():
                self._approval(entry.data.approval).deny(
                    _hold_of(self.exchanges.get(entry.exchange)), entry.data.decisions
                )
            case WithdrawData():
                self._approval(entry.data.approval).withdrawn = True
            case _:
                pass

    def stated(self, data: SignedData) -> Statement:
        """Give what a signed entry states, once it agrees with what it is about; the signature is yet to be checked."""
        try:
            stated = parse_statement(data.statement.encode())
        except DecisionRefused as error:
            msg = "has a statement that is not of the form"
            raise GrammarError(msg) from error
        demand(stated.origin == self.origin, "states another origin")
        demand(stated.reviewer == data.reviewer, "states another reviewer")
        demand(_limited_right(stated), "states limits of a grant that is none, or a grant without an end")
        if isinstance(data, RevokeData):
            self._check_revocation(data, stated)
            return stated
        approval = self._approval(stated.approval)
        if isinstance(data, DecisionData):
            demand(stated.approval == data.approval, "states another approval")
        demand(stated.digest == approval.digest, "states another digest than the hold")
        demand(stated.request in approval.leaves, "states a request that was not held for this approval")
        return stated

    def admit(self, entry: Entry, stated: Statement, key: str) -> None:
        """Keep what was signed by `key`. Whether a decision counts is asked by the entry that names it."""
        given = KnownDecision(
            seq=entry.seq,
            reviewer=stated.reviewer,
            answer=stated.verdict,
            scope=stated.scope,
            key=key,
            time=entry.time,
            until=stated.until,
            uses=stated.uses,
            tool=stated.tool,
        )
        match entry.data:
            case DecisionData():
                self._approval(stated.approval).decisions.append(given)
            case GrantData():
                self._grant(entry, entry.data, stated, given)
            case RevokeData():
                self.grants[entry.data.grant].revoked = True
            case _:
                pass

    def carried(self) -> bytes:
        """Give the open state, canonical, as it is carried into the next segment."""
        self._forget()
        return canonical_json(
            Carried(
                approvals=tuple(
                    CarriedApproval(approval=id_, **msgspec.structs.asdict(one)) for id_, one in self.approvals.items()
                ),
                exchanges=tuple(
                    CarriedExchange(exchange=id_, **msgspec.structs.asdict(one))
                    for id_, one in self.exchanges.open.items()
                ),
                grants=tuple(self.grants.values()),
            )
        )

    def take_over(self, carried: bytes) -> None:
        """Begin where another segment ended; raises GrammarError for what is no open state."""
        try:
            state = msgspec.json.decode(carried, type=Carried)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            msg = "carries no open state"
            raise GrammarError(msg) from error
        self.approvals = {one.approval: _without(KnownApproval, one) for one in state.approvals}
        self.exchanges.open = {one.exchange: _without(OpenExchange, one) for one in state.exchanges}
        self.grants = {one.seq: one for one in state.grants}
        self.run = Run.SEALED

    def _check_run(self, entry: Entry) -> None:
        if isinstance(entry.data, OpenData):
            return
        demand(self.run is Run.OPEN, "stands outside a run")
        if self._left_open:
            is_it = isinstance(entry.data, TruncatedData) and entry.exchange == self._left_open.pop(0)
            demand(is_it, "comes before the exchanges that a crash left open are marked truncated, in their order")

    def _open(self, data: OpenData) -> None:
        # A run goes on over a seal, and so do its exchanges.
        self._left_open = [] if self.run is Run.SEALED else list(self.exchanges.open)
        self.run, self.signers = Run.OPEN, data.signers

    def _hold(self, exchange: OpenExchange, data: HoldData) -> None:
        known = self.approvals.get(data.approval)
        if known is None or self._is_over(known):
            known = KnownApproval(digest=data.digest, subject=exchange.subject, rule=data.rule)
            self.approvals[data.approval] = known
        known.join(exchange, data)
        if len(self.approvals) + len(self.grants) >= self._sweep_at:
            self._forget()

    def _release(self, exchange: OpenExchange, data: ReleaseData) -> None:
        if isinstance(data.grant, int):
            grant = self.grants.get(data.grant)
            if grant is None:
                msg = "releases by a grant that is none"
                raise GrammarError(msg)
            grant.release(exchange, exchange.hold.rule if exchange.hold is not None else exchange.rule)
        elif isinstance(data.approval, str) and isinstance(data.decisions, tuple):
            self._approval(data.approval).release(_hold_of(exchange), data.decisions)

    def _grant(self, entry: Entry, data: GrantData, stated: Statement, given: KnownDecision) -> None:
        approval = self._approval(stated.approval)
        check_grant(approval, data, stated, given)
        self.grants[entry.seq] = KnownGrant(
            seq=entry.seq,
            leaf=entry.leaf_hash.hex(),
            approval=stated.approval,
            digest=stated.digest,
            subject=data.subject,
            rule=data.rule,
            until=data.until,
            uses=data.uses,
        )

    def _check_revocation(self, data: RevokeData, stated: Statement) -> None:
        grant = self.grants.get(data.grant)
        if grant is None:
            msg = "revokes a grant that is none"
            raise GrammarError(msg)
        meant = (stated.scope, stated.verdict, stated.approval, stated.digest, stated.request)
        asked = (Scope.GRANT, Answer.DENY, grant.approval, grant.digest, grant.leaf)
        demand(meant == asked, "states something else than that this grant ends")

    def _approval(self, id_: str) -> KnownApproval:
        known = self.approvals.get(id_)
        if known is None or self._is_over(known):
            msg = "is about an approval that nothing was held for"
            raise GrammarError(msg)
        return known

    def _is_over(self, approval: KnownApproval) -> bool:
        return approval.expires + REMEMBERED <= self._now

    def _forget(self) -> None:
        """Forget what is long over: what asks after it would take it for unknown anyway."""
        self.approvals = {id_: one for id_, one in self.approvals.items() if not self._is_over(one)}
        self.grants = {seq: one for seq, one in self.grants.items() if self._now < one.until + REMEMBERED}
        self._sweep_at = max(OFTEN, 2 * (len(self.approvals) + len(self.grants)))


def _limited_right(stated: Statement) -> bool:
    """Whether an approval of scope `grant` says until when, and nothing else has limits."""
    if stated.scope is Scope.GRANT and stated.verdict is Answer.APPROVE:
        return stated.until is not UNSET
    return (stated.until, stated.uses, stated.tool) == (UNSET, UNSET, UNSET)


def _hold_of(exchange: OpenExchange) -> HoldData:
    if exchange.hold is None:
        msg = "ends a hold that is none"
        raise GrammarError(msg)
    return exchange.hold


def _without[T: msgspec.Struct](kind: type[T], carried: T) -> T:
    """Give what is carried in its plain form, without its id."""
    return kind(**{name: getattr(carried, name) for name in kind.__struct_fields__})
