"""Invariant 4, approve before effect: only genuine decisions on exactly this call release it, and only once.

Every forgery is tried with real keys against a real desk; then it is shown that a genuine decision still works.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from reviewing import (
    ALICE,
    BOB,
    CAROL,
    MALLORY,
    SUBJECT,
    SigningKey,
    Station,
    a_hold,
    a_rule,
    allowed_signers,
    config_for,
    decided,
    held,
    statement_on,
)

from gatekeeper.approvals import ApprovalView, DecisionRefused, Desk, Released
from gatekeeper.approvals.hold import Matter, seen_hash
from gatekeeper.config import Seconds
from gatekeeper.exchange import Digest, ExchangeId, Instant, Message
from gatekeeper.exchange import now as system_clock
from gatekeeper.journal.entries import DecisionData, RefusedData, ReleaseData
from gatekeeper.journal.standing import Standing
from gatekeeper.journal.statement import Answer, Scope

HOUR = 3600 * 1_000_000
SOON = Instant(system_clock() + HOUR)
BRIEF = a_rule(wait=Seconds(0.01))

type Keys = dict[str, SigningKey]
type Forgery = Callable[[ApprovalView, Keys], tuple[bytes, str]]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    return {name: SigningKey.make(folder, name) for name in (ALICE, BOB, CAROL, MALLORY)}


@pytest.fixture
def station(tmp_path: Path, keys: Keys) -> Station:
    # Mallory is listed, for other things than approvals of finance.
    return Station(tmp_path, config_for(tmp_path, allowed_signers(keys)))


def signed(
    reviewer: str = ALICE, by: str = "", *, edit: Callable[[bytes], bytes] = bytes, namespace: str = "", **changes: Any
) -> Forgery:
    """Sign a statement with some of it changed; `edit` alters it before the signature."""

    def forge(view: ApprovalView, keys: Keys) -> tuple[bytes, str]:
        statement = edit(statement_on(view, reviewer, **changes))
        return statement, keys[by or reviewer].sign(statement, namespace or "gatekeeper-approval")

    return forge


def altered_after(change: Callable[[bytes], bytes]) -> Forgery:
    def forge(view: ApprovalView, keys: Keys) -> tuple[bytes, str]:
        statement = statement_on(view, ALICE)
        return change(statement), keys[ALICE].sign(statement)

    return forge


def copied_to_another(view: ApprovalView, keys: Keys) -> tuple[bytes, str]:
    return statement_on(view, ALICE), keys[ALICE].sign(statement_on(view, ALICE, approval="apr-bbbbbbbbbb"))


def damaged(view: ApprovalView, keys: Keys) -> tuple[bytes, str]:
    statement, signature = signed()(view, keys)
    return statement, signature.replace("A", "B")


FORGERIES: dict[str, tuple[Forgery, str]] = {
    "a stranger's key": (signed(by=MALLORY), "not by a key"),
    "another reviewer's key": (signed(by=BOB), "not by a key"),
    "a listed key of no reviewer": (signed(MALLORY), "is no reviewer"),
    "an owner of the workload": (signed(CAROL), "owns the workload"),
    "another namespace": (signed(namespace="git"), "another purpose"),
    "a signature made for another approval": (copied_to_another, "not by a key"),
    "the approval of something else": (signed(approval="apr-bbbbbbbbbb"), "no approval"),
    "another digest": (signed(digest=Digest("e" * 64)), "digest is not that"),
    "another request": (signed(request="e" * 64), "request is not that"),
    "another gateway": (signed(origin="other.test/journal"), "origin is not that"),
    "a grant without an end": (signed(scope=Scope.GRANT), "until a time"),
    "a grant that denies": (signed(scope=Scope.GRANT, answer=Answer.DENY, until=SOON), "until a time"),
    "a grant from the past": (signed(scope=Scope.GRANT, until=Instant(1)), "ends after it was signed"),
    "a grant for ever": (signed(scope=Scope.GRANT, until=Instant(2**52)), "max_grant"),
    "a grant of no uses": (signed(scope=Scope.GRANT, until=SOON, uses=0), "no uses"),
    "a grant for a tool that is not called": (signed(scope=Scope.GRANT, until=SOON, tool="rm"), "not about the tool"),
    "a reviewer who breaks the glass": (signed(scope=Scope.BREAK_GLASS, reason="fire"), "break the glass"),
    "glass broken for no reason": (signed(scope=Scope.BREAK_GLASS), "give a reason"),
    "glass broken to deny": (signed(scope=Scope.BREAK_GLASS, answer=Answer.DENY, reason="x"), "give a reason"),
    "a tool in scope once": (signed(tool="rm"), "no meaning"),
    "uses in scope once": (signed(uses=5), "no meaning"),
    "an end in scope once": (signed(until=Instant(2**50)), "no meaning"),
    "a statement from the past": (signed(time=Instant(system_clock() - HOUR)), "5 minutes"),
    "a statement from the future": (signed(time=Instant(system_clock() + HOUR)), "5 minutes"),
    "white space": (signed(edit=lambda text: text + b"\n"), "not canonical"),
    "another order": (signed(edit=lambda text: json.dumps(json.loads(text)).encode()), "not canonical"),
    "a key given twice": (signed(edit=lambda text: text.replace(b'{"', b'{"v":1,"', 1)), "not canonical"),
    "an unknown key": (signed(edit=lambda text: text.replace(b'"v":1', b'"v":1,"w":1')), "not of version 1"),
    "another version": (signed(edit=lambda text: text.replace(b'"v":1', b'"v":2')), "not of version 1"),
    "a missing key": (signed(edit=lambda text: text.replace(b'"reason":"",', b"")), "not of version 1"),
    "no JSON": (signed(edit=lambda _: b"approve"), "not of version 1"),
    "no UTF-8": (signed(edit=lambda text: text.replace(b'"reason":""', b'"reason":"\xff"')), "not of version 1"),
    "a long reason": (signed(reason="x" * 1001), "shorter"),
    "a huge statement": (signed(reason="x" * 10_000), "shorter"),
    "a reason put in later": (altered_after(lambda text: text.replace(b'"reason":""', b'"reason":"ok"')), "not by"),
    "a damaged signature": (damaged, "."),
    "no signature": (lambda view, _: (statement_on(view, ALICE), ""), "can't be read"),
    "a huge signature": (lambda view, _: (statement_on(view, ALICE), "x" * 70_000), "can't be read"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_decision_is_refused_and_releases_nothing(station: Station, keys: Keys, name: str) -> None:
    forge, problem = FORGERIES[name]

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        (view,) = desk.pending()
        statement, signature = forge(view, keys)
        with pytest.raises(DecisionRefused, match=problem) as refused:
            await desk.decide(statement, signature)
        assert "\n" not in str(refused.value)
        assert not call.done()
        assert station.recording.kinds() == ["hold", "refused"]
        (recorded,) = station.recording.of(RefusedData)
        assert recorded.reason == refused.value.reason.value != "internal"
        await decided(desk, view, ALICE, keys[ALICE])
        assert isinstance(await call, Released)
        await desk.close()

    asyncio.run(story())


def test_a_denial_altered_to_an_approval_is_refused(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold())
        denial = statement_on(desk.pending()[0], ALICE, Answer.DENY)
        with pytest.raises(DecisionRefused, match="not by a key"):
            await desk.decide(denial.replace(b'"deny"', b'"approve"'), keys[ALICE].sign(denial))
        await desk.close()

    asyncio.run(story())


def test_a_reviewer_does_not_decide_on_calls_of_their_own(station: Station, keys: Keys) -> None:
    subject = msgspec.structs.replace(SUBJECT, sub=ALICE)

    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(subject=subject))
        with pytest.raises(DecisionRefused, match="owns the workload"):
            await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        await desk.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ('valid-before="20200101Z" ', True),
        ('valid-after="20990101Z" ', True),
        ('namespaces="git" ', True),
        ('namespaces="gatekeeper-approval" ', False),
        ('valid-after="20200101Z",valid-before="20990101Z" ', False),
    ],
)
def test_what_allowed_signers_says_of_a_key_holds(
    station: Station,
    keys: Keys,
    options: str,
    refused: bool,  # noqa: FBT001
) -> None:
    station.config.reviewers.write_text(allowed_signers(keys, options))

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        outcome = (await asyncio.gather(decided(desk, desk.pending()[0], ALICE, keys[ALICE]), return_exceptions=True))[
            0
        ]
        assert isinstance(outcome, DecisionRefused) is refused
        assert refused or isinstance(await call, Released)
        assert call.done() is not refused
        await desk.close()

    asyncio.run(story())


def test_a_decision_counts_once_and_a_replay_of_it_never(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(rule=a_rule(quorum=2)))
        (view,) = desk.pending()
        statement = statement_on(view, ALICE)
        signature = keys[ALICE].sign(statement)
        await desk.decide(statement, signature)
        for again in (statement, statement_on(view, ALICE, reason="again")):
            with pytest.raises(DecisionRefused, match="already decided"):
                await desk.decide(again, keys[ALICE].sign(again))
        assert not call.done()
        await decided(desk, view, BOB, keys[BOB])
        await call
        with pytest.raises(DecisionRefused, match="is used"):
            await desk.decide(statement, signature)
        await desk.close()

    asyncio.run(story())


def test_one_key_under_two_names_is_one_reviewer(station: Station, keys: Keys) -> None:
    station.config.reviewers.write_text(allowed_signers({ALICE: keys[ALICE], BOB: keys[ALICE]}))

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(rule=a_rule(quorum=2)))
        (view,) = desk.pending()
        await decided(desk, view, ALICE, keys[ALICE])
        with pytest.raises(DecisionRefused, match="this key has already decided"):
            await decided(desk, view, BOB, keys[ALICE])
        assert not call.done()
        await desk.close()

    asyncio.run(story())


def test_one_reviewer_with_two_keys_is_one_reviewer(station: Station, keys: Keys) -> None:
    station.config.reviewers.write_text(allowed_signers(keys) + f"{ALICE} {keys[MALLORY].public}\n")

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(rule=a_rule(quorum=2)))
        (view,) = desk.pending()
        await decided(desk, view, ALICE, keys[ALICE])
        with pytest.raises(DecisionRefused, match="already decided"):
            await decided(desk, view, ALICE, keys[MALLORY])
        assert not call.done()
        await desk.close()

    asyncio.run(story())


def test_a_clock_that_is_set_back_does_not_bring_an_approval_back(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold())
        (view,) = desk.pending()
        station.clock_is_ahead(2 * HOUR)
        assert desk.list()[0].state == "expired"
        station.clock_is_ahead(0)
        with pytest.raises(DecisionRefused, match="is expired"):
            await decided(desk, view, ALICE, keys[ALICE])
        await desk.close()

    asyncio.run(story())


# What a writer of approvals.db tries: (how the row is altered between two runs, decided before or not).
type Row = dict[str, Any]


def _approved_by_nobody(row: Row) -> None:
    row["approval"]["state"] = "approved"


def _with_made_up_decision(row: Row) -> None:
    row["approval"] |= {
        "state": "approved",
        "decisions": [
            {
                "reviewer": ALICE,
                "answer": "approve",
                "reason": "",
                "scope": "once",
                "statement": "{}",
                "signature": "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
                "key": "00",
                "signed": system_clock(),
                "recorded": system_clock(),
                "seq": 1,
            }
        ],
    }


def _for_another_digest(row: Row) -> None:
    row["approval"]["asked"]["digest"] = a_hold(matter="something else").digest


def _shown_as_something_else(row: Row) -> None:
    row["view"]["url"] = row["matter"]["url"] = "https://payments.example.com/harmless"


def _shown_as_something_else_throughout(row: Row) -> None:
    _shown_as_something_else(row)
    matter, view = msgspec.convert(row["matter"], Matter), msgspec.convert(row["view"], Message)
    row["approval"]["asked"]["seen"] = seen_hash(matter, view)


def _shown_with_another_body(row: Row) -> None:
    row["view"]["body"] = ""


def _asking_somebody_else(row: Row) -> None:
    row["approval"]["asked"]["require"] = [{"reviewers": [MALLORY], "quorum": 1}]


def _with_a_smaller_quorum(row: Row) -> None:
    row["approval"]["asked"]["require"][0]["quorum"] = row["matter"]["quorum"] = 1


def _without_owners(row: Row) -> None:
    row["approval"]["asked"]["excluded"] = None


def _living_for_ever(row: Row) -> None:
    row["approval"]["expires"] += 1000 * HOUR


@pytest.mark.parametrize(
    "alter",
    [
        _approved_by_nobody,
        _with_made_up_decision,
        _shown_as_something_else,
        _shown_as_something_else_throughout,
        _shown_with_another_body,
        _asking_somebody_else,
        _with_a_smaller_quorum,
        _without_owners,
        _living_for_ever,
    ],
)
def test_an_edited_row_releases_nothing(station: Station, keys: Keys, alter: Callable[[Row], None]) -> None:
    rule = a_rule(wait=Seconds(0.01), quorum=2)

    async def before() -> None:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=rule), asyncio.Event())
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        await desk.close()

    async def after() -> None:
        desk = await station.open()
        for view in desk.pending():
            for reviewer in (MALLORY, CAROL):
                with pytest.raises(DecisionRefused):
                    await decided(desk, view, reviewer, keys[reviewer])
        assert not isinstance(await desk.hold(a_hold(2, rule=rule), asyncio.Event()), Released)
        await desk.close()

    asyncio.run(before())
    _alter(station.path, alter)
    asyncio.run(after())
    assert station.recording.of(ReleaseData) == []


def test_a_row_that_says_denied_keeps_nobody_from_deciding(station: Station, keys: Keys) -> None:
    def denied(row: Row) -> None:
        _with_made_up_decision(row)
        row["approval"]["decisions"][0]["answer"] = "deny"
        row["approval"]["state"] = "denied"

    async def before() -> None:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=BRIEF), asyncio.Event())
        await desk.close()

    async def after() -> None:
        desk = await station.open()
        (view,) = desk.pending()
        assert view.decisions == ()
        await decided(desk, view, ALICE, keys[ALICE])
        assert isinstance(await desk.hold(a_hold(2, rule=BRIEF), asyncio.Event()), Released)
        await desk.close()

    asyncio.run(before())
    _alter(station.path, denied)
    asyncio.run(after())


def test_a_genuine_decision_does_not_release_another_call_that_its_row_was_moved_to(
    station: Station, keys: Keys
) -> None:
    async def before() -> None:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=BRIEF), asyncio.Event())
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        await desk.close()

    async def after() -> None:
        desk = await station.open()
        assert not isinstance(await desk.hold(a_hold(2, "something else", rule=BRIEF), asyncio.Event()), Released)
        await desk.close()

    asyncio.run(before())
    _alter(station.path, _for_another_digest)
    asyncio.run(after())
    assert station.recording.of(ReleaseData) == []


def test_a_decision_made_long_ago_releases_nothing_although_the_stored_expiry_was_moved(
    station: Station, keys: Keys
) -> None:
    def moved(row: Row) -> None:
        row["approval"]["created"] += 2 * HOUR
        row["approval"]["expires"] += 2 * HOUR

    async def before() -> None:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=BRIEF), asyncio.Event())
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        await desk.close()

    async def after() -> None:
        desk = await station.open()
        assert not isinstance(await desk.hold(a_hold(2, rule=BRIEF), asyncio.Event()), Released)
        await desk.close()

    asyncio.run(before())
    _alter(station.path, moved)
    station.clock_is_ahead(HOUR + HOUR // 2)
    asyncio.run(after())
    assert station.recording.of(ReleaseData) == []


def test_a_database_that_was_set_back_releases_nothing_twice(station: Station, keys: Keys) -> None:
    async def first() -> bytes:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=BRIEF), asyncio.Event())
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        await desk.close()
        return station.path.read_bytes()

    async def again(number: int, used: dict[str, ExchangeId]) -> None:
        desk = await station.open(Standing(used))
        await desk.hold(a_hold(number, rule=BRIEF), asyncio.Event())
        await desk.close()

    copy = asyncio.run(first())
    asyncio.run(again(2, {}))
    assert len(station.recording.of(ReleaseData)) == 1
    station.path.write_bytes(copy)
    asyncio.run(again(3, {station.recording.of(ReleaseData)[0].approval: a_hold(2).exchange}))
    assert len(station.recording.of(ReleaseData)) == 1


def test_each_decision_of_a_release_is_checked_again_before_it(station: Station, keys: Keys) -> None:
    """Even in the same process: what counts is what ssh-keygen says when the call is released."""

    async def story() -> None:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=BRIEF), asyncio.Event())
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        assert desk.list()[0].state == "approved"
        _revoke_all(desk)
        assert not isinstance(await desk.hold(a_hold(2, rule=BRIEF), asyncio.Event()), Released)
        assert station.recording.of(ReleaseData) == []
        await desk.close()

    asyncio.run(story())


def test_a_release_names_decisions_that_stand_before_it(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        calls = [await held(desk, a_hold(number, rule=a_rule(quorum=2))) for number in (1, 2)]
        (view,) = desk.pending()
        await decided(desk, view, BOB, keys[BOB])
        await decided(desk, view, ALICE, keys[ALICE])
        await asyncio.gather(*calls)
        await desk.close()

    asyncio.run(story())
    (release,) = station.recording.of(ReleaseData)
    for seq in release.decisions:
        assert isinstance(station.recording.drafts[seq].data, DecisionData)


def _alter(path: Path, change: Callable[[Row], None]) -> None:
    with sqlite3.connect(path) as database:
        columns = ("approval", "matter", "view")
        for id_, *texts in database.execute(f"SELECT id, {', '.join(columns)} FROM approvals").fetchall():
            row = {name: json.loads(text) for name, text in zip(columns, texts, strict=True)}
            before = json.dumps(row)
            change(row)
            assert json.dumps(row) != before
            values = [*(json.dumps(row[name]) for name in columns), id_]
            database.execute("UPDATE approvals SET approval = ?, matter = ?, view = ? WHERE id = ?", values)
    database.close()


def _revoke_all(desk: Desk) -> None:
    desk._cases.proof._verifier._signers.write_text("")  # type: ignore[attr-defined]
