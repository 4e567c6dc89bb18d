import hashlib

import msgspec
import pytest
from journals import ORIGIN, SESSION, chunk, exchange_id, refused, request, response

from gatekeeper.exchange import Digest, ExchangeId, Instant, Seq, SessionId, canonical_json
from gatekeeper.journal import (
    AbandonData,
    CloseData,
    ConfigData,
    Data,
    DecisionData,
    DenyData,
    Draft,
    Entry,
    GrantData,
    HoldData,
    OpenData,
    ReleaseData,
    RequirementData,
    RevokeData,
    SealData,
    TruncatedData,
    WithdrawData,
)
from gatekeeper.journal.approved import REMEMBERED
from gatekeeper.journal.exchanges import GrammarError
from gatekeeper.journal.grammar import Grammar
from gatekeeper.journal.merkle import Hash
from gatekeeper.journal.statement import Answer, Scope, Statement

DIGEST = Digest("d" * 64)
EXPIRES = 1_000
OPEN = OpenData(version="1", config="0" * 64, vkey="", signers="the signers")
REQUIRE = (RequirementData(("alice", "bob", "carol"), 2),)
ONE = (RequirementData(("alice", "bob", "carol"), 1),)
UNTIL = 500
BOT = ("https://issuer", "bot")


def leaf_of(exchange: int) -> str:
    return hashlib.sha256(str(exchange).encode()).hexdigest()


class Log:
    """Feeds a grammar; each entry's seq is its place, its time its seq unless one is given."""

    def __init__(self) -> None:
        self.grammar = Grammar(ORIGIN)
        self.seq = 0

    def add(self, data: Data, exchange: int | None = None, time: int | None = None) -> Entry:
        entry = Entry(
            seq=Seq(self.seq),
            time=Instant(self.seq if time is None else time),
            kind=data.kind,
            exchange=None if exchange is None else exchange_id(exchange),
            session=None if exchange is None else SESSION,
            data=data,
            leaf_hash=Hash(bytes.fromhex(leaf_of(exchange or 0))),
        )
        self.grammar.feed(entry)
        self.seq += 1
        return entry

    def draft(self, draft: Draft, exchange: int) -> Entry:
        return self.add(draft.data, exchange)

    def hold(self, exchange: int = 1, **changes: object) -> None:
        data = request(exchange, "hold").data
        self.add(msgspec.structs.replace(data, digest=DIGEST), exchange)
        held = HoldData(
            approval="apr-1", of="request", rule="r", require=REQUIRE, excluded=None, expires=EXPIRES, digest=DIGEST
        )
        self.add(msgspec.structs.replace(held, **changes), exchange)

    def decide(
        self,
        reviewer: str,
        answer: Answer = Answer.APPROVE,
        key: str | None = None,
        time: int | None = None,
        **says: object,
    ) -> Seq:
        stated = statement(reviewer, answer, **says)
        data = DecisionData(
            approval="apr-1", reviewer=reviewer, statement=canonical_json(stated).decode(), signature="-"
        )
        entry = self.add(data, time=time)
        self.grammar.admit(entry, self.grammar.stated(data), key or f"key of {reviewer}")
        return entry.seq

    def grant(self, reviewer: str = "alice", key: str | None = None, time: int | None = None, **changes: object) -> Seq:
        """Grant to the bot and the rule of `hold`, with what is changed in the entry, in `says` of the statement."""
        says = {"scope": Scope.GRANT, "until": Instant(UNTIL), **changes.pop("says", {})}  # type: ignore[dict-item]
        data = GrantData(
            subject=BOT,
            rule="r",
            until=UNTIL,
            reviewer=reviewer,
            statement=canonical_json(statement(reviewer, **says)).decode(),
            signature="-",
        )
        data = msgspec.structs.replace(data, **changes)
        entry = self.add(data, time=time)
        self.grammar.admit(entry, self.grammar.stated(data), key or f"key of {reviewer}")
        return entry.seq

    def revoke(self, grant: Seq, **says: object) -> None:
        says = {"scope": Scope.GRANT, "request": leaf_of(0), **says}
        text = canonical_json(statement("alice", Answer.DENY, **says)).decode()
        data = RevokeData(grant=grant, reviewer="alice", statement=text, signature="-")
        entry = self.add(data)
        self.grammar.admit(entry, self.grammar.stated(data), "key of alice")

    def release_by(self, grant: Seq, exchange: int = 1) -> None:
        self.add(ReleaseData(digest=DIGEST, grant=grant), exchange)

    def to_be_held(self, exchange: int, time: int | None = None) -> None:
        self.add(msgspec.structs.replace(request(exchange, "hold").data, digest=DIGEST), exchange, time)

    def release(self, *seqs: Seq, exchange: int = 1) -> None:
        self.add(ReleaseData(digest=DIGEST, approval="apr-1", decisions=seqs), exchange)

    def deny(self, *seqs: Seq) -> None:
        self.add(DenyData(digest=DIGEST, approval="apr-1", decisions=seqs), 1)


def statement(reviewer: str, answer: Answer = Answer.APPROVE, **says: object) -> Statement:
    stated = Statement(
        approval="apr-1",
        digest=DIGEST,
        origin=ORIGIN,
        reason="",
        request=leaf_of(1),
        reviewer=reviewer,
        scope=Scope.ONCE,
        time=Instant(0),
        v=1,
        verdict=answer,
    )
    return msgspec.structs.replace(stated, **says)


@pytest.fixture
def log() -> Log:
    begun = Log()
    begun.add(OPEN)
    return begun


def test_a_run_is_opened_and_closed_and_opened_again(log: Log) -> None:
    log.add(refused().data)
    log.add(CloseData())
    log.add(OPEN)
    assert log.grammar.signers == "the signers"
    log.add(CloseData())


@pytest.mark.parametrize("data", [refused().data, CloseData()])
def test_nothing_stands_outside_a_run(log: Log, data: Data) -> None:
    with pytest.raises(GrammarError, match="outside a run"):
        Log().add(data)
    log.add(CloseData())
    with pytest.raises(GrammarError, match="outside a run"):
        log.add(data)


def test_no_exchange_is_open_at_close(log: Log) -> None:
    log.draft(request(1), 1)
    with pytest.raises(GrammarError, match="while an exchange is open"):
        log.add(CloseData())


TRUNCATED = TruncatedData(reason="gateway-stopped", upstream=None, side="gateway")


def test_after_a_crash_what_was_open_is_truncated_in_order(log: Log) -> None:
    for exchange in (2, 1, 3):
        log.draft(request(exchange), exchange)
    log.draft(response(1), 1)
    log.add(OPEN)
    log.add(TRUNCATED, 2)
    log.add(TRUNCATED, 3)
    log.add(refused().data)
    log.add(CloseData())


@pytest.mark.parametrize(
    ("data", "exchange"), [(TRUNCATED, 2), (refused().data, None), (response(1).data, 1), (CloseData(), None)]
)
def test_after_a_crash_nothing_comes_before_that(log: Log, data: Data, exchange: int | None) -> None:
    log.draft(request(1), 1)
    log.draft(request(2), 2)
    log.add(OPEN)
    with pytest.raises(GrammarError, match="truncated, in their order"):
        log.add(data, exchange)


def test_a_quorum_releases(log: Log) -> None:
    log.hold()
    log.release(log.decide("alice"), log.decide("bob"))
    log.draft(response(1), 1)
    log.add(CloseData())


def test_each_requirement_must_be_met(log: Log) -> None:
    log.hold(require=(RequirementData(("alice",), 1), RequirementData(("bob",), 1)))
    alice = log.decide("alice")
    with pytest.raises(GrammarError, match="without its quorum"):
        log.release(alice)


@pytest.mark.parametrize(
    "decisions",
    [
        [],
        [("alice", "k1")],
        [("alice", "k1"), ("alice", "k2")],
        [("alice", "k1"), ("bob", "k1")],
        [("alice", "k1"), ("alice", "k1")],
    ],
)
def test_too_few_reviewers_or_keys_are_no_quorum(log: Log, decisions: list[tuple[str, str]]) -> None:
    log.hold()
    seqs = [log.decide(reviewer, key=key) for reviewer, key in decisions]
    with pytest.raises(GrammarError, match="without its quorum"):
        log.release(*seqs)


def test_who_signs_with_two_keys_counts_with_the_first(log: Log) -> None:
    log.hold()
    log.release(log.decide("alice", key="k1"), log.decide("alice", key="k2"), log.decide("bob", key="k2"))


def test_a_decision_named_twice_counts_once(log: Log) -> None:
    log.hold()
    alice = log.decide("alice")
    with pytest.raises(GrammarError, match="without its quorum"):
        log.release(alice, alice)


def test_a_release_names_decisions_that_stand_before_it(log: Log) -> None:
    log.hold()
    with pytest.raises(GrammarError, match="names a decision that is none"):
        log.release(log.decide("alice"), Seq(99))


def test_a_denial_does_not_release(log: Log) -> None:
    log.hold()
    with pytest.raises(GrammarError, match="says something else"):
        log.release(log.decide("alice"), log.decide("bob", Answer.DENY))


def test_who_is_not_asked_does_not_count(log: Log) -> None:
    log.hold()
    with pytest.raises(GrammarError, match="does not name"):
        log.release(log.decide("alice"), log.decide("mallory"))


def test_an_owner_does_not_decide(log: Log) -> None:
    log.hold(excluded=("bob",))
    with pytest.raises(GrammarError, match="owner"):
        log.release(log.decide("alice"), log.decide("bob"))


@pytest.mark.parametrize(("time", "counts"), [(EXPIRES - 1, True), (EXPIRES, False), (EXPIRES + 1, False)])
def test_a_decision_counts_before_its_hold_expires(log: Log, time: int, counts: bool) -> None:  # noqa: FBT001
    log.hold()
    seqs = log.decide("alice"), log.decide("bob", time=time)
    if counts:
        log.release(*seqs)
    else:
        with pytest.raises(GrammarError, match="expired"):
            log.release(*seqs)


def test_a_late_decision_that_nothing_names_spoils_nothing(log: Log) -> None:
    log.hold()
    log.decide("mallory")
    late = log.decide("bob", time=EXPIRES)
    log.add(AbandonData(digest=DIGEST, approval="apr-1"), 1)
    assert late in [one.seq for one in log.grammar.approvals["apr-1"].decisions]


def test_an_approval_releases_once_however_many_joined_it(log: Log) -> None:
    log.hold(1)
    log.hold(2)
    seqs = log.decide("alice"), log.decide("bob", request=leaf_of(2))
    log.release(*seqs, exchange=2)
    with pytest.raises(GrammarError, match="released before"):
        log.release(*seqs, exchange=1)


def test_a_later_hold_of_an_approval_may_ask_others(log: Log) -> None:
    log.hold(1)
    alice = log.decide("alice")
    log.add(AbandonData(digest=DIGEST, approval="apr-1"), 1)
    log.hold(2, require=(RequirementData(("alice",), 1),))
    log.release(alice, exchange=2)


def test_an_approval_is_of_one_request(log: Log) -> None:
    log.hold(1)
    other = Digest("e" * 64)
    log.add(msgspec.structs.replace(request(2, "hold").data, digest=other), 2)
    held = HoldData(
        approval="apr-1", of="request", rule="r", require=REQUIRE, excluded=None, expires=EXPIRES, digest=other
    )
    with pytest.raises(GrammarError, match="another request"):
        log.add(held, 2)


def test_a_denial_names_the_decision_that_denies(log: Log) -> None:
    log.hold()
    log.deny(log.decide("alice", Answer.DENY))
    log.draft(response(1, by="gateway"), 1)


@pytest.mark.parametrize("answer", [None, Answer.APPROVE])
def test_nobody_is_denied_without_one_who_denies(log: Log, answer: Answer | None) -> None:
    log.hold()
    seqs = [] if answer is None else [log.decide("alice", answer)]
    with pytest.raises(GrammarError, match="decision"):
        log.deny(*seqs)


def test_a_decision_is_about_an_approval_that_is_held(log: Log) -> None:
    with pytest.raises(GrammarError, match="nothing was held"):
        log.decide("alice")


@pytest.mark.parametrize(
    ("says", "match"),
    [
        ({"approval": "apr-2"}, "nothing was held"),
        ({"origin": "other.example"}, "another origin"),
        ({"reviewer": "bob"}, "another reviewer"),
        ({"scope": Scope.GRANT}, "without an end"),
        ({"until": Instant(5)}, "limits of a grant"),
        ({"scope": Scope.BREAK_GLASS, "uses": 5}, "limits of a grant"),
        ({"digest": Digest("e" * 64)}, "another digest"),
        ({"request": leaf_of(2)}, "a request that was not held"),
    ],
)
def test_a_statement_agrees_with_what_it_is_about(log: Log, says: dict[str, object], match: str) -> None:
    log.hold()
    data = DecisionData(
        approval="apr-1",
        reviewer="alice",
        statement=canonical_json(msgspec.structs.replace(statement("alice"), **says)).decode(),
        signature="-",
    )
    with pytest.raises(GrammarError, match=match):
        log.grammar.stated(data)


@pytest.mark.parametrize("text", ["", "{}", canonical_json(statement("alice")).decode() + "\n"])
def test_a_statement_has_one_form(log: Log, text: str) -> None:
    log.hold()
    with pytest.raises(GrammarError, match="not of the form"):
        log.grammar.stated(DecisionData(approval="apr-1", reviewer="alice", statement=text, signature="-"))


def test_an_open_exchange_is_known_by_its_id(log: Log) -> None:
    with pytest.raises(GrammarError, match="no open exchange"):
        log.grammar.exchanges.get(ExchangeId("f" * 16))


def test_a_grant_covers_the_held_call_and_later_ones_of_its_subject_and_rule(log: Log) -> None:
    log.hold(require=ONE)
    grant = log.grant("alice")
    log.release_by(grant)
    log.to_be_held(2)
    log.release_by(grant, exchange=2)
    log.draft(response(2), 2)


def test_a_grant_of_two_needs_both_to_have_granted_the_same(log: Log) -> None:
    log.hold()
    log.decide("bob")
    with pytest.raises(GrammarError, match="without its quorum"):
        log.grant("alice")
    log.decide("carol", scope=Scope.GRANT, until=Instant(UNTIL + 1))
    with pytest.raises(GrammarError, match="without its quorum"):
        log.grant("alice")
    log.decide("bob", scope=Scope.GRANT, until=Instant(UNTIL))
    log.release_by(log.grant("alice"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"until": UNTIL + 1}, "something else than its statement"),
        ({"uses": 3}, "something else than its statement"),
        ({"tool": "refund"}, "something else than its statement"),
        ({"says": {"scope": Scope.ONCE}}, "limits of a grant"),
        ({"says": {"verdict": Answer.DENY}}, "limits of a grant"),
        ({"says": {"until": Instant(UNTIL + 1)}}, "something else than its statement"),
        ({"subject": ("https://issuer", "other")}, "another subject or rule"),
        ({"rule": "other"}, "another subject or rule"),
        ({"reviewer": "mallory"}, "without its quorum"),
        ({"reviewer": "carol"}, "without its quorum"),
        ({"time": EXPIRES}, "without its quorum"),
        ({"says": {"approval": "apr-2"}}, "nothing was held"),
        ({"says": {"request": leaf_of(7)}}, "was not held"),
    ],
)
def test_a_grant_says_what_was_signed_by_those_who_may(log: Log, changes: dict[str, object], says: str) -> None:
    log.hold(require=ONE, excluded=("carol",))
    with pytest.raises(GrammarError, match=says):
        log.grant(**changes)


def test_a_grant_is_used_as_often_as_it_says(log: Log) -> None:
    log.hold(require=ONE)
    grant = log.grant("alice", uses=1, says={"uses": 1})
    log.release_by(grant)
    log.to_be_held(2)
    with pytest.raises(GrammarError, match="used up"):
        log.release_by(grant, exchange=2)


def test_a_grant_covers_what_came_before_it_ends(log: Log) -> None:
    log.hold(require=ONE)
    grant = log.grant("alice")
    log.to_be_held(2, time=UNTIL)
    with pytest.raises(GrammarError, match="was over"):
        log.release_by(grant, exchange=2)


def test_a_grant_that_is_none_releases_nothing(log: Log) -> None:
    log.hold(require=ONE)
    with pytest.raises(GrammarError, match="grant that is none"):
        log.release_by(Seq(99))
    with pytest.raises(GrammarError, match="grant that is none"):
        log.revoke(Seq(99))


def test_a_revoked_grant_releases_nothing(log: Log) -> None:
    log.hold(require=ONE)
    grant = log.grant("alice")
    with pytest.raises(GrammarError, match="that this grant ends"):
        log.revoke(grant, request=leaf_of(1))
    log.revoke(grant)
    with pytest.raises(GrammarError, match="revoked"):
        log.release_by(grant)


def test_a_grant_of_another_rule_releases_nothing(log: Log) -> None:
    log.hold(require=ONE)
    grant = log.grant("alice")
    data = request(2, "hold").data
    other = msgspec.structs.replace(data, digest=DIGEST, verdict=msgspec.structs.replace(data.verdict, rule="s"))
    log.add(other, 2)
    with pytest.raises(GrammarError, match="another subject or rule"):
        log.release_by(grant, exchange=2)


def test_break_glass_stands_alone_by_its_own_group(log: Log) -> None:
    log.hold(1, break_glass=("dora",))
    log.hold(2, break_glass=("dora",))
    dora = log.decide("dora", scope=Scope.BREAK_GLASS)
    alice = log.decide("alice")
    with pytest.raises(GrammarError, match="stands alone"):
        log.release(dora, alice, exchange=1)
    log.release(dora, exchange=2)


@pytest.mark.parametrize("changes", [{}, {"break_glass": ("eve",)}, {"break_glass": ("dora",), "excluded": ("dora",)}])
def test_break_glass_is_for_its_group_alone(log: Log, changes: dict[str, object]) -> None:
    log.hold(**changes)
    with pytest.raises(GrammarError, match="names a decision by"):
        log.release(log.decide("dora", scope=Scope.BREAK_GLASS))


def test_what_is_withdrawn_releases_nothing(log: Log) -> None:
    log.hold(require=ONE)
    alice = log.decide("alice")
    log.add(WithdrawData(approval="apr-1", by="ops", why="a mistake"))
    with pytest.raises(GrammarError, match="withdrawn"):
        log.release(alice)
    with pytest.raises(GrammarError, match="nothing was held"):
        log.add(WithdrawData(approval="apr-2", by="ops", why="a mistake"))


def test_an_approval_is_of_one_subject_and_rule(log: Log) -> None:
    log.hold(1)
    data = request(2, "hold").data
    other = msgspec.structs.replace(data.subject, sub="other")
    log.add(msgspec.structs.replace(data, digest=DIGEST, subject=other), 2)
    held = HoldData(
        approval="apr-1", of="request", rule="r", require=REQUIRE, excluded=None, expires=EXPIRES, digest=DIGEST
    )
    with pytest.raises(GrammarError, match="another subject"):
        log.add(held, 2)


def test_signers_change_with_the_configuration(log: Log) -> None:
    log.add(ConfigData(config="0" * 64, signers="others", by="SIGHUP"))
    assert log.grammar.signers == "others"


def test_what_is_long_over_is_forgotten_and_begins_anew(log: Log) -> None:
    log.hold(1, require=ONE)
    alice = log.decide("alice")
    log.add(AbandonData(digest=DIGEST, approval="apr-1"), 1)
    log.add(refused().data, time=EXPIRES + REMEMBERED)
    assert b'"approvals":[]' in log.grammar.carried()
    log.to_be_held(2, time=EXPIRES + REMEMBERED)
    held = HoldData(
        approval="apr-1", of="request", rule="r", require=ONE, excluded=None, expires=2 * REMEMBERED, digest=DIGEST
    )
    log.add(held, 2, time=EXPIRES + REMEMBERED)
    with pytest.raises(GrammarError, match="names a decision that is none"):
        log.release(alice, exchange=2)


def test_a_segment_goes_on_where_another_was_sealed(log: Log) -> None:
    log.hold(1, require=ONE)
    log.hold(2, require=ONE)
    alice = log.decide("alice")
    grant = log.grant("alice", uses=2, says={"uses": 2})
    log.release_by(grant, exchange=2)
    log.add(SealData())
    carried = log.grammar.carried()
    log.grammar = Grammar(ORIGIN)
    log.grammar.take_over(carried)
    assert log.grammar.carried() == carried
    log.add(OPEN)
    log.release(alice, exchange=1)
    log.draft(response(1), 1)
    log.to_be_held(3)
    log.release_by(grant, exchange=3)
    log.to_be_held(4)
    with pytest.raises(GrammarError, match="used up"):
        log.release_by(grant, exchange=4)


def test_nothing_but_open_follows_a_seal(log: Log) -> None:
    log.add(SealData())
    with pytest.raises(GrammarError, match="outside a run"):
        log.add(refused().data)


@pytest.mark.parametrize("carried", [b"", b"{}", b'{"approvals":[],"exchanges":[]}', b"\xff"])
def test_what_is_no_open_state_is_not_taken_over(carried: bytes) -> None:
    with pytest.raises(GrammarError, match="no open state"):
        Grammar(ORIGIN).take_over(carried)


@pytest.mark.parametrize("state", ["not begun", "open", "closed", "sealed", "after a crash"])
@pytest.mark.parametrize("begun", [None, "allow", "deny", "hold", "stream"])
def test_the_quick_steps_are_those_of_the_table(state: str, begun: str | None) -> None:
    """Whatever `quick` takes, `feed` takes to the same end; what `feed` refuses, `quick` leaves to it."""

    def prepared() -> Log:
        log = Log()
        if state != "not begun":
            log.add(OPEN)
        if state == "after a crash":
            log.draft(request(7), 7)
            log.add(OPEN)
        elif begun is not None and state == "open":
            data = request(1, "allow" if begun == "stream" else begun).data
            log.add(msgspec.structs.replace(data, digest=DIGEST) if begun == "hold" else data, 1)
            if begun == "stream":
                log.draft(chunk(1, 0), 1)
        log.add(SealData() if state == "sealed" else CloseData()) if state in {"closed", "sealed"} else None
        return log

    upstream = response(1).data
    candidates = [
        *(request(number, action).data for number in (1, 2) for action in ("allow", "deny", "hold")),
        msgspec.structs.replace(request(2).data, digest=DIGEST),
        upstream,
        response(1, "gateway").data,
        response(1, chunks=1).data,
        msgspec.structs.replace(upstream, status=101),
        refused().data,
    ]
    for data in candidates:
        for exchange in (1, 2, None):
            for session in (SESSION, SessionId("0" * 32), None):
                one, other = prepared(), prepared()
                id_ = None if exchange is None else exchange_id(exchange)
                entry = Entry(
                    seq=Seq(9), time=Instant(9), kind=data.kind, exchange=id_, session=session, data=data,
                    leaf_hash=Hash(bytes(32)),
                )  # fmt: skip
                if not one.grammar.quick(entry, entry.leaf_hash):
                    assert one.grammar.carried() == prepared().grammar.carried()
                    continue
                other.grammar.feed(entry)
                assert one.grammar.carried() == other.grammar.carried()
