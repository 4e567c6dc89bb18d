"""Calls that are held, decided on, joined, abandoned, expired; with a real database and real signatures."""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from reviewing import (
    ALICE,
    BOB,
    CAROL,
    SUBJECT,
    Recording,
    SigningKey,
    Station,
    a_hold,
    a_rule,
    decided,
    held,
    statement_on,
)

from gatekeeper.approvals import DecisionRefused, Desk, Refused, Released
from gatekeeper.config import RequireConfig, Seconds
from gatekeeper.exchange import Digest, ExchangeId, Instant, Reason, Receipt
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.entries import (
    AbandonData,
    Data,
    DecisionData,
    DenyData,
    ExpireData,
    HoldData,
    ReleaseData,
)
from gatekeeper.journal.statement import Answer, Scope

HOUR = 3600 * 1_000_000

type Keys = dict[str, SigningKey]


def test_an_approved_call_is_released_after_hold_decision_and_release_are_recorded(
    station: Station, keys: Keys
) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        (view,) = desk.pending()
        outcome = await decided(desk, view, ALICE, keys[ALICE])
        released = await call
        assert isinstance(released, Released)
        assert (released.digest, released.approval) == (a_hold().digest, view.id)
        assert station.recording.kinds() == ["hold", "decision", "release"]
        assert released.receipt.seq == 2
        assert (outcome.state, outcome.approved, outcome.quorum) == ("used", 1, 1)
        assert desk.pending() == ()
        await desk.close()

    asyncio.run(story())


def test_entries_say_what_the_format_asks_for(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        (view,) = desk.pending()
        await decided(desk, view, ALICE, keys[ALICE])
        await call
        hold, decision, release = station.recording.drafts
        assert isinstance(hold.data, HoldData)
        assert (hold.exchange, hold.session) == (a_hold().exchange, a_hold().session)
        assert [need.reviewers for need in hold.data.require] == [need.reviewers for need in view.require]
        assert hold.data.require[0].reviewers == (ALICE, BOB, CAROL)
        assert hold.data.excluded == (CAROL,)
        assert hold.data.expires > view.expires
        assert isinstance(decision.data, DecisionData)
        assert (decision.exchange, decision.session) == (None, None)
        assert isinstance(release.data, ReleaseData)
        assert release.data.decisions == (1,)
        assert (release.exchange, release.session) == (a_hold().exchange, a_hold().session)
        await desk.close()

    asyncio.run(story())


def test_owners_that_nobody_stated_are_recorded_as_unknown(station: Station) -> None:
    station.config = msgspec.structs.replace(station.config, owners={})

    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold())
        await desk.close()

    asyncio.run(story())
    assert station.recording.of(HoldData)[0].excluded is None


def test_a_denial_ends_all_calls_and_answers_the_same_call_later_without_asking_again(
    station: Station, keys: Keys
) -> None:
    async def story() -> None:
        desk = await station.open()
        first, second = await held(desk, a_hold(1)), await held(desk, a_hold(2))
        (view,) = desk.pending()
        await decided(desk, view, ALICE, keys[ALICE], Answer.DENY)
        later = await desk.hold(a_hold(3), asyncio.Event())
        for refused in (await first, await second, later):
            assert isinstance(refused, Refused)
            assert (refused.reason, refused.approval) == (Reason.DENIED_BY_REVIEWER, view.id)
            assert view.id in refused.message
        assert [data.decisions for data in station.recording.of(DenyData)] == [(2,), (2,), (2,)]
        assert len(desk.list()) == 1
        await desk.close()

    asyncio.run(story())


def test_identical_calls_join_one_approval_and_the_oldest_uses_it(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        first, second = await held(desk, a_hold(1)), await held(desk, a_hold(2))
        (view,) = desk.pending()
        assert view.waiting == 2
        await decided(desk, view, ALICE, keys[ALICE])
        assert isinstance(await first, Released)
        for refused in (await second, await desk.hold(a_hold(3), asyncio.Event())):
            assert isinstance(refused, Refused)
            assert refused.reason is Reason.APPROVAL_USED
            assert a_hold(1).exchange in refused.message
        assert len(station.recording.of(ReleaseData)) == 1
        assert len(station.recording.of(AbandonData)) == 2
        assert {data.approval for data in station.recording.of(HoldData)} == {view.id}
        await desk.close()

    asyncio.run(story())


def test_a_client_that_left_does_not_get_the_approval(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        gone = asyncio.Event()
        first, second = await held(desk, a_hold(1), gone), await held(desk, a_hold(2))
        gone.set()
        left = await first
        assert isinstance(left, Refused)
        assert left.reason is Reason.CLIENT_GONE
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        assert isinstance(await second, Released)
        await desk.close()

    asyncio.run(story())


def test_a_call_whose_wait_is_over_may_be_repeated_and_uses_the_approval(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        over = await desk.hold(a_hold(1, rule=a_rule(wait=Seconds(0.01))), asyncio.Event())
        assert isinstance(over, Refused)
        (view,) = desk.pending()
        assert (over.reason, over.approval) == (Reason.PENDING, view.id)
        assert "repeat" in over.message
        await decided(desk, view, ALICE, keys[ALICE])
        assert desk.list()[0].state == "approved"
        assert isinstance(await desk.hold(a_hold(2), asyncio.Event()), Released)
        assert station.recording.kinds() == ["hold", "abandon", "decision", "hold", "release"]
        await desk.close()

    asyncio.run(story())


def test_an_approval_that_runs_out_is_expired_and_asked_for_anew(station: Station, keys: Keys) -> None:
    soon = a_rule(wait=Seconds(0.05), timeout=Seconds(0.05))

    async def story() -> None:
        desk = await station.open()
        expired = await desk.hold(a_hold(1, rule=soon), asyncio.Event())
        assert isinstance(expired, Refused)
        assert expired.reason is Reason.APPROVAL_EXPIRED
        assert len(station.recording.of(ExpireData)) == 1
        (view,) = desk.list()
        assert view.state == "expired"
        with pytest.raises(DecisionRefused, match="is expired"):
            await decided(desk, view, ALICE, keys[ALICE])
        await held(desk, a_hold(2))
        assert desk.pending()[0].id != view.id
        await desk.close()

    asyncio.run(story())


def test_an_approval_that_nobody_used_in_time_lapses(station: Station, keys: Keys) -> None:
    soon = a_rule(wait=Seconds(0.01))

    async def story() -> None:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=soon), asyncio.Event())
        (view,) = desk.pending()
        await decided(desk, view, ALICE, keys[ALICE])
        station.clock_is_ahead(HOUR)
        assert desk.list()[0].state == "lapsed"
        assert isinstance(await desk.hold(a_hold(2, rule=soon), asyncio.Event()), Refused)
        station.clock_is_ahead(0)
        assert desk.list()[0].state == "lapsed"
        assert station.recording.of(ReleaseData) == []
        await desk.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    "change",
    [
        {"digest": Digest("d" * 64)},
        {"rule": a_rule(name="another rule")},
        {"rule": a_rule(quorum=2)},
        {"findings": {"IBAN": 1}},
        {"view": msgspec.structs.replace(a_hold().view, body=b"{}")},
    ],
)
def test_a_call_that_differs_asks_for_an_approval_of_its_own(station: Station, change: dict[str, object]) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(1))
        await held(desk, a_hold(2, **change))
        assert len(desk.pending()) == 2
        await desk.close()

    asyncio.run(story())


def test_header_fields_that_change_with_each_try_do_not_keep_a_retry_from_joining(station: Station) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(1))
        retried = msgspec.structs.replace(a_hold().view, headers=(("content-type", "application/json"), ("Date", "x")))
        await held(desk, a_hold(2, view=retried))
        assert len(desk.pending()) == 1
        await desk.close()

    asyncio.run(story())


def test_a_quorum_takes_that_many_reviewers(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(rule=a_rule(quorum=2)))
        (view,) = desk.pending()
        assert (await decided(desk, view, ALICE, keys[ALICE])).state == "pending"
        assert not call.done()
        await decided(desk, view, BOB, keys[BOB])
        assert isinstance(await call, Released)
        assert station.recording.of(ReleaseData)[0].decisions == (1, 2)
        await desk.close()

    asyncio.run(story())


def test_two_decisions_of_one_reviewer_at_once_count_once(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(rule=a_rule(quorum=2)))
        (view,) = desk.pending()
        twice = await asyncio.gather(
            *(decided(desk, view, ALICE, keys[ALICE]) for _ in range(2)), return_exceptions=True
        )
        assert [isinstance(one, DecisionRefused) for one in twice].count(True) == 1
        assert len(station.recording.of(DecisionData)) == 1
        await desk.close()

    asyncio.run(story())


@pytest.mark.parametrize("answer", list(Answer))
def test_a_decision_outlives_the_gateway(station: Station, keys: Keys, answer: Answer) -> None:
    async def before() -> str:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=a_rule(wait=Seconds(0.01))), asyncio.Event())
        (view,) = desk.pending()
        await decided(desk, view, ALICE, keys[ALICE], answer)
        await desk.close()
        return view.id

    async def after() -> None:
        desk = await station.open()
        outcome = await desk.hold(a_hold(2), asyncio.Event())
        assert isinstance(outcome, Released if answer is Answer.APPROVE else Refused)
        assert outcome.approval == approval
        await desk.close()

    approval = asyncio.run(before())
    asyncio.run(after())


def test_a_pending_approval_outlives_the_gateway_and_can_be_decided_on(station: Station, keys: Keys) -> None:
    async def before() -> str:
        desk = await station.open()
        call = await held(desk, a_hold(1))
        await desk.close()
        refused = await call
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.SHUTTING_DOWN
        return refused.approval

    async def after() -> None:
        desk = await station.open()
        (view,) = desk.pending()
        assert view.id == approval
        assert (await desk.get(view.id)).body == a_hold().view.body.decode()
        call = await held(desk, a_hold(2))
        await decided(desk, view, ALICE, keys[ALICE])
        assert isinstance(await call, Released)
        await desk.close()

    approval = asyncio.run(before())
    assert station.recording.kinds() == ["hold", "abandon"]
    asyncio.run(after())


def test_what_was_used_stays_used_after_a_restart(station: Station, keys: Keys) -> None:
    async def before() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(1))
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        await call
        await desk.close()

    async def after() -> None:
        desk = await station.open()
        refused = await desk.hold(a_hold(2), asyncio.Event())
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.APPROVAL_USED
        await desk.close()

    asyncio.run(before())
    asyncio.run(after())


async def _withdrawn(desk: Desk, station: Station, keys: Keys) -> None:  # noqa: ARG001 - as the others
    await desk.withdraw(desk.pending()[0].id, "ops", "not needed")


async def _expired(desk: Desk, station: Station, keys: Keys) -> None:  # noqa: ARG001 - as the others
    station.clock_is_ahead(HOUR)


async def _lapsed(desk: Desk, station: Station, keys: Keys) -> None:
    await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
    station.clock_is_ahead(HOUR)


async def _granted(desk: Desk, station: Station, keys: Keys) -> None:
    """Give a grant, of which the journal says nothing afterwards."""
    (view,) = desk.pending()
    until = Instant(station.clock() + HOUR)
    statement = statement_on(view, ALICE, scope=Scope.GRANT, until=until)
    await desk.decide(statement, await asyncio.to_thread(keys[ALICE].sign, statement))


@pytest.mark.parametrize("end", [_withdrawn, _expired, _lapsed, _granted])
def test_what_was_over_before_a_restart_is_over_after_it_and_the_same_call_asks_anew(
    station: Station, keys: Keys, end: Callable[[Desk, Station, Keys], Awaitable[None]]
) -> None:
    async def before() -> tuple[str, str]:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=a_rule(wait=Seconds(0.01))), asyncio.Event())
        await end(desk, station, keys)
        (view,) = desk.list()
        await desk.close()
        return view.id, view.state

    async def after() -> None:
        desk = await station.open()
        (view,) = desk.list()
        assert (view.id, view.state) == (approval, state)
        with pytest.raises(DecisionRefused):
            await decided(desk, view, BOB, keys[BOB])
        call = await held(desk, a_hold(2))
        (asked,) = desk.pending()
        assert asked.id != approval
        assert not call.done()
        await desk.close()
        assert isinstance(await call, Refused)

    station.recording.clock = station.clock
    approval, state = asyncio.run(before())
    assert state == end.__name__.removeprefix("_")
    asyncio.run(after())
    assert station.recording.of(ReleaseData) == []


def test_a_call_in_other_terms_than_before_the_restart_is_asked_for_anew(station: Station, keys: Keys) -> None:
    async def before() -> None:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=a_rule(wait=Seconds(0.01))), asyncio.Event())
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        await desk.close()

    async def after() -> None:
        desk = await station.open()
        assert desk.list() == ()
        await held(desk, a_hold(2))
        await desk.close()

    asyncio.run(before())
    station.config = msgspec.structs.replace(station.config, groups={"finance": (BOB,)})
    asyncio.run(after())
    assert station.recording.of(ReleaseData) == []


@pytest.mark.parametrize("kind", [HoldData, DecisionData, ReleaseData])
def test_nothing_is_released_when_the_journal_fails(station: Station, keys: Keys, kind: type[Data]) -> None:
    station.recording.down_for = lambda data: isinstance(data, kind)

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(1, rule=a_rule(wait=Seconds(0.5))))
        for view in desk.pending():
            if kind is DecisionData:
                with pytest.raises(JournalDown):
                    await decided(desk, view, ALICE, keys[ALICE])
            else:
                await decided(desk, view, ALICE, keys[ALICE])
        refused = await call
        assert isinstance(refused, Refused)
        assert refused.reason in {Reason.JOURNAL_DOWN, Reason.PENDING}
        assert station.recording.of(ReleaseData) == []
        await desk.close()

    asyncio.run(story())


def test_nothing_is_released_when_the_database_fails(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(1))
        (view,) = desk.pending()
        await desk._store._run(lambda: desk._store._database.conn.execute("PRAGMA query_only = ON"))
        await asyncio.gather(decided(desk, view, ALICE, keys[ALICE]), return_exceptions=True)
        refused = await call
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.JOURNAL_DOWN
        assert station.recording.of(ReleaseData) == []
        await desk.close()

    asyncio.run(story())


def test_more_bytes_than_may_be_held_are_refused_and_room_comes_back(station: Station) -> None:
    station.max_held = 100

    async def story() -> None:
        desk = await station.open()
        gone = asyncio.Event()
        call = await held(desk, a_hold(1), gone)
        refused = await desk.hold(a_hold(2, "other"), asyncio.Event())
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.TOO_MANY_HELD
        gone.set()
        await call
        assert not (await held(desk, a_hold(3, "other"))).done()
        await desk.close()

    asyncio.run(story())


def test_a_closing_desk_holds_and_decides_nothing(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(1))
        (view,) = desk.pending()
        await desk.close()
        refused = await desk.hold(a_hold(2), asyncio.Event())
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.SHUTTING_DOWN
        with pytest.raises(DecisionRefused, match="stopping"):
            await decided(desk, view, ALICE, keys[ALICE])
        with pytest.raises(LookupError, match="stopping"):
            await desk.get(view.id)

    asyncio.run(story())


def test_a_decision_on_an_approval_that_is_not_there_is_refused(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(1))
        statement = statement_on(desk.pending()[0], ALICE, approval="apr-aaaaaaaaaa")
        with pytest.raises(DecisionRefused, match="there is no approval"):
            await desk.decide(statement, keys[ALICE].sign(statement))
        await desk.close()

    asyncio.run(story())


def test_the_database_is_private_even_where_a_wider_file_stood(station: Station) -> None:
    station.path.touch(0o644)

    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(1))
        for path in station.folder.glob("approvals.db*"):
            assert path.stat().st_mode & 0o777 == 0o600, path
        await desk.close()

    old = os.umask(0)
    try:
        asyncio.run(story())
    finally:
        os.umask(old)


@pytest.mark.parametrize("rubbish", [b"not a database, but long enough to be looked at " * 40, None])
def test_a_database_that_cannot_be_read_is_named(station: Station, rubbish: bytes | None) -> None:
    if rubbish is None:
        station.path.mkdir()
    else:
        station.path.write_bytes(rubbish)
    with pytest.raises((JournalDown, OSError), match=r"approvals\.db"):
        asyncio.run(station.open())


def test_approvals_are_found_by_a_unique_beginning(station: Station) -> None:
    async def story() -> None:
        desk = await station.open()
        for number in range(40):
            await held(desk, a_hold(number, f"matter {number}"))
        view = desk.pending()[7]
        assert (await desk.get(view.id)).approval == view
        assert (await desk.get(view.id[4:12])).approval.id == view.id
        for name, problem in [("apr-", "no approval"), ("", "no approval"), ("zzz", "no approval")]:
            with pytest.raises(LookupError, match=problem):
                await desk.get(name)
        letters = [view.id[4] for view in desk.pending()]
        shared = next(letter for letter in letters if letters.count(letter) > 1)
        with pytest.raises(LookupError, match="begin with"):
            await desk.get(shared)
        await desk.close()

    asyncio.run(story())


def test_twenty_held_at_once_are_each_released_soon_after_their_decision(
    station: Station, keys: Keys, record_property: Callable[[str, object], None]
) -> None:
    async def story() -> list[float]:
        desk = await station.open()
        calls = {}
        for number in range(20):
            calls[a_hold(number).exchange] = await held(desk, a_hold(number, f"matter {number}"))
        statements = [statement_on(view, ALICE) for view in desk.pending()]
        signatures = [keys[ALICE].sign(statement) for statement in statements]
        took = []
        for statement, signature in zip(statements, signatures, strict=True):
            start = time.perf_counter()
            outcome = await desk.decide(statement, signature)
            user = next(view.used_by for view in desk.list() if view.id == outcome.approval)
            assert isinstance(await calls[ExchangeId(user or "")], Released)
            took.append(time.perf_counter() - start)
        await desk.close()
        return took

    took = asyncio.run(story())
    assert len(took) == 20
    record_property("median_ms", round(sorted(took)[10] * 1000, 1))
    record_property("most_ms", round(max(took) * 1000, 1))


def test_a_row_that_cannot_be_read_stops_the_start_and_says_what_to_do(station: Station) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(1))
        await desk._store._run(lambda: desk._store._database.table("approvals").delete_where())
        await desk._store._run(
            lambda: desk._store._database.table("approvals").insert(
                {"id": "x", "version": 99, "approval": "{}", "matter": "{}", "view": "{}"}
            )
        )
        await desk.close()
        await station.open()

    with pytest.raises(ValueError, match="move the file away"):
        asyncio.run(story())


def test_used_is_on_the_disk_before_the_release_is_recorded(station: Station, keys: Keys) -> None:
    seen: list[str] = []

    def look(data: Data) -> bool:
        if isinstance(data, ReleaseData):
            with contextlib.closing(sqlite3.connect(station.path)) as database:
                seen.extend(text for (text,) in database.execute("SELECT approval FROM approvals"))
        return False

    station.recording.down_for = look

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        await call
        await desk.close()

    asyncio.run(story())
    assert [msgspec.json.decode(text)["used_by"] for text in seen] == [a_hold().exchange]


def test_a_call_that_is_being_recorded_while_the_desk_closes_is_refused(station: Station) -> None:
    class Slow(Recording):
        def submit(self, draft: Draft) -> asyncio.Future[Receipt]:
            done = super().submit(draft)
            late: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.05, lambda: late.set_result(done.result()))
            return late

    station.recording = Slow()

    async def story() -> None:
        desk = await station.open()
        call = asyncio.create_task(desk.hold(a_hold(), asyncio.Event()))
        await asyncio.sleep(0)
        await desk.close()
        refused = await call
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.SHUTTING_DOWN

    asyncio.run(asyncio.wait_for(story(), 10))
    assert station.recording.kinds() == ["hold", "abandon"]


def test_a_call_that_is_cancelled_leaves_nothing_behind(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(1))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert desk.held == 0
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        assert isinstance(await desk.hold(a_hold(2), asyncio.Event()), Released)
        await desk.close()

    asyncio.run(story())


def test_what_is_long_over_is_forgotten_here(station: Station) -> None:
    async def story() -> None:
        desk = await station.open()
        await desk.hold(a_hold(1, rule=a_rule(wait=Seconds(0.01))), asyncio.Event())
        station.clock_is_ahead(26 * HOUR)
        await held(desk, a_hold(2, "another"))
        (view,) = desk.list()
        assert view.digest == a_hold(matter="another").digest
        await desk.close()
        assert [view.digest for view in (await station.open()).list()] == [view.digest]

    asyncio.run(story())


def test_a_body_that_is_no_text_is_shown_in_base64(station: Station) -> None:
    async def story() -> None:
        desk = await station.open()
        await held(desk, a_hold(view=msgspec.structs.replace(a_hold().view, body=b"\xff\x00")))
        detail = await desk.get(desk.pending()[0].id)
        assert (detail.encoding, detail.body) == ("base64", "/wA=")
        await desk.close()

    asyncio.run(story())


def test_after_its_window_the_same_call_is_a_new_approval(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        for number, (answer, window) in enumerate([(Answer.APPROVE, 121), (Answer.DENY, 3601)], 1):
            call = await held(desk, a_hold(10 * number, rule=a_rule(timeout=Seconds(10_000))))
            (view,) = desk.pending()
            await decided(desk, view, ALICE, keys[ALICE], answer)
            await call
            again = await desk.hold(a_hold(10 * number + 1, rule=a_rule(timeout=Seconds(10_000))), asyncio.Event())
            assert isinstance(again, Refused)
            assert again.approval == view.id
            station.clock_is_ahead(station.ahead + window * 1_000_000)
        await held(desk, a_hold(99, rule=a_rule(timeout=Seconds(10_000))))
        assert len(desk.list()) == 3
        assert desk.pending()[0].id == desk.list()[2].id
        await desk.close()

    asyncio.run(story())


def test_who_asks_too_often_is_told_and_nobody_is_asked(station: Station) -> None:
    station.config = msgspec.structs.replace(station.config, max_pending=2)
    other = msgspec.structs.replace(SUBJECT, sub="other-bot")

    async def story() -> None:
        desk = await station.open()
        for number in range(2):
            await held(desk, a_hold(number, f"matter {number}"))
        joined = await held(desk, a_hold(7, "matter 1"))
        assert not joined.done()  # it is no new approval
        refused = await desk.hold(a_hold(8, "matter 8"), asyncio.Event())
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.TOO_MANY_ASKED
        assert len(desk.list()) == 2
        assert not (await held(desk, a_hold(9, "matter 9", subject=other))).done()
        await desk.close()

    asyncio.run(story())


def test_one_of_each_group_must_approve(station: Station, keys: Keys) -> None:
    groups = {"finance": (ALICE, BOB), "security": (BOB,)}
    station.config = msgspec.structs.replace(station.config, groups=groups)
    both = RequireConfig(reviewers=("finance",)), RequireConfig(reviewers=("security",))

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(rule=a_rule(reviewers=(), require=both)))
        (view,) = desk.pending()
        assert (await decided(desk, view, BOB, keys[BOB])).state == "pending"  # of both groups, and one person
        outcome = await decided(desk, view, ALICE, keys[ALICE])
        assert (outcome.state, outcome.approved, outcome.quorum) == ("used", 2, 2)
        assert isinstance(await call, Released)
        await desk.close()

    asyncio.run(story())


def test_a_decision_at_one_desk_releases_what_another_holds(station: Station, keys: Keys) -> None:
    async def story() -> None:
        one, other = await station.open(shared=True), await station.open(shared=True)
        call = await held(one, a_hold())
        (view,) = one.pending()
        outcome = await decided(other, view, ALICE, keys[ALICE])
        assert outcome.state == "approved"
        assert isinstance(await call, Released)
        late = await other.hold(a_hold(2), asyncio.Event())
        assert isinstance(late, Refused)
        assert late.reason is Reason.APPROVAL_USED
        await one.close()
        await other.close()

    asyncio.run(story())


def test_what_was_decided_before_is_shown_and_counted(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        for number, answer in enumerate((Answer.APPROVE, Answer.DENY)):
            call = await held(desk, a_hold(number, f"matter {number}"))
            await decided(desk, desk.pending()[0], ALICE, keys[ALICE], answer)
            await call
        await held(desk, a_hold(9, "matter 9"))
        detail = await desk.get(desk.pending()[0].id)
        assert detail.before == {"approve": 1, "deny": 1}
        assert [one.verdict for one in detail.latest] == ["deny", "approve"]
        (figures,) = await desk.figures()
        assert (figures.reviewer, figures.decisions, figures.hasty) == (ALICE, 2, 2)
        await desk.close()

    asyncio.run(story())
