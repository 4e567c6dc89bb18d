"""Decisions that cover later calls, and such as need no quorum: given, used, counted, ended, over restarts."""

import asyncio
from typing import Any

import msgspec
import pytest
from reviewing import ALICE, BOB, CAROL, SUBJECT, SigningKey, Station, a_hold, a_rule, held, statement_on

from gatekeeper.approvals import ApprovalView, DecisionRefused, Desk, Refused, Released
from gatekeeper.exchange import Digest, ExchangeId, Instant, Reason, Receipt, Seq, ToolCall
from gatekeeper.exchange import now as system_clock
from gatekeeper.journal.entries import DecisionData, GrantData, RefusedData, ReleaseData, RevokeData
from gatekeeper.journal.standing import Given, Standing
from gatekeeper.journal.statement import Answer, Scope, Statement, statement_bytes

HOUR = 3600 * 1_000_000
REFUND = (ToolCall("issue_refund", "{}"),)

type Keys = dict[str, SigningKey]


async def grant(desk: Desk, view: ApprovalView, reviewer: str, key: SigningKey, **limits: Any) -> int | None:
    limits = {"until": Instant(system_clock() + HOUR), **limits}
    statement = statement_on(view, reviewer, scope=Scope.GRANT, **limits)
    return (await desk.decide(statement, await asyncio.to_thread(key.sign, statement))).grant


def later(number: int, matter: str = "later", **changes: Any) -> Any:
    """A call whose request is recorded now."""
    receipt = Receipt(Seq(number), f"{number:064x}", system_clock())
    return a_hold(number, matter, **{"request": receipt, **changes})


async def revocation(desk: Desk, seq: int, by: str, **changes: Any) -> bytes:
    view = next(one for one in await desk.grants() if one.grant == seq)
    statement = Statement(
        approval=view.approval,
        digest=Digest(view.digest),
        origin=view.origin,
        reason="",
        request=view.leaf,
        reviewer=by,
        scope=Scope.GRANT,
        time=system_clock(),
        v=1,
        verdict=Answer.DENY,
    )
    return statement_bytes(msgspec.structs.replace(statement, **changes))


def standing(station: Station) -> Standing:
    """What the journal would say at the next start."""
    drafts = station.recording.drafts
    releases = [draft.data for draft in drafts if isinstance(draft.data, ReleaseData)]
    ended = {draft.data.grant for draft in drafts if isinstance(draft.data, RevokeData)}
    return Standing(
        {},
        tuple(
            Given(
                Seq(seq), system_clock(), "f" * 64, draft.data, sum(one.grant == seq for one in releases), seq in ended
            )
            for seq, draft in enumerate(drafts)
            if isinstance(draft.data, GrantData)
        ),
    )


def test_a_grant_releases_the_call_those_that_wait_and_later_ones_each_on_record(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call, alike = await held(desk, a_hold(1)), await held(desk, a_hold(2, "another amount"))
        other = await held(desk, a_hold(3, rule=a_rule(name="another rule")))
        stranger = await held(desk, a_hold(4, subject=msgspec.structs.replace(SUBJECT, sub="other-bot")))
        seq = await grant(desk, desk.pending()[0], ALICE, keys[ALICE])
        assert isinstance(await call, Released)
        assert isinstance(await alike, Released)
        assert isinstance(await desk.hold(later(5), asyncio.Event()), Released)
        assert not other.done()
        assert not stranger.done()
        assert [data.grant for data in station.recording.of(ReleaseData)] == [seq] * 3
        assert station.recording.of(DecisionData) == []
        assert [view.state for view in desk.list()] == ["granted", "granted", "pending", "pending"]
        (shown,) = await desk.grants()
        assert (shown.grant, shown.used, shown.state) == (seq, 3, "in force")
        await desk.close()

    asyncio.run(story())


def test_it_is_used_so_often_and_no_more(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        calls = [await held(desk, a_hold(number, f"matter {number}")) for number in range(3)]
        await grant(desk, desk.pending()[0], ALICE, keys[ALICE], uses=2)
        outcomes = await asyncio.gather(*calls)
        assert [type(one) for one in outcomes].count(Released) == 2
        refused = next(one for one in outcomes if isinstance(one, Refused))
        assert refused.reason is Reason.APPROVAL_USED
        assert not (await held(desk, later(9))).done()
        assert (await desk.grants())[0].state == "over"
        await desk.close()

    asyncio.run(story())


def test_it_ends_in_time(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        until = Instant(system_clock() + HOUR)
        await grant(desk, desk.pending()[0], ALICE, keys[ALICE], until=until)
        await call
        late = later(2, request=Receipt(Seq(2), "2" * 64, until))
        assert not (await held(desk, late)).done()
        await desk.close()

    asyncio.run(story())


def test_for_one_tool_it_covers_that_tool_alone(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(tool_calls=REFUND))
        await grant(desk, desk.pending()[0], ALICE, keys[ALICE], tool="issue_refund")
        assert isinstance(await call, Released)
        assert isinstance(await desk.hold(later(2, tool_calls=REFUND), asyncio.Event()), Released)
        for number, tools in enumerate([(), (ToolCall("rm", "{}"),), (*REFUND, ToolCall("rm", "{}"))], 3):
            assert not (await held(desk, later(number, f"{number}", tool_calls=tools))).done()
        await desk.close()

    asyncio.run(story())


def test_where_two_must_approve_two_must_grant_the_same(station: Station, keys: Keys) -> None:
    until = Instant(system_clock() + HOUR)

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(rule=a_rule(quorum=2)))
        (view,) = desk.pending()
        assert await grant(desk, view, ALICE, keys[ALICE], until=until) is None
        assert [type(draft.data) for draft in station.recording.drafts][1:] == [DecisionData]
        seq = await grant(desk, view, BOB, keys[BOB], until=until)
        assert seq == 2
        assert isinstance(await call, Released)
        await desk.close()

    asyncio.run(story())


def test_where_they_grant_different_things_the_call_alone_is_approved(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(rule=a_rule(quorum=2)))
        (view,) = desk.pending()
        assert await grant(desk, view, ALICE, keys[ALICE], uses=5) is None
        assert await grant(desk, view, BOB, keys[BOB], uses=6) is None
        assert isinstance(await call, Released)
        (release,) = station.recording.of(ReleaseData)
        assert release.decisions == (1, 2)
        assert not (await held(desk, later(2, rule=a_rule(quorum=2)))).done()
        await desk.close()

    asyncio.run(story())


def test_a_revoked_grant_releases_nothing_more(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        seq = await grant(desk, desk.pending()[0], ALICE, keys[ALICE])
        assert seq is not None
        await call
        for change, problem in [
            ({"request": "e" * 64}, "does not end"),
            ({"verdict": Answer.APPROVE}, "does not end"),
            ({"reviewer": "mallory@example.com"}, "no group"),
            ({"time": Instant(1)}, "5 minutes"),
            ({"reviewer": BOB}, "not by a key"),
        ]:
            forged = await revocation(desk, seq, ALICE, **change)
            with pytest.raises(DecisionRefused, match=problem):
                await desk.revoke(seq, forged, keys[ALICE].sign(forged))
        assert len(station.recording.of(RefusedData)) == 4  # two of them are of one kind
        statement = await revocation(desk, seq, BOB)
        view = await desk.revoke(seq, statement, keys[BOB].sign(statement))
        assert (view.state, view.used) == ("revoked", 1)
        assert await desk.grants() == ()
        assert not (await held(desk, later(2))).done()
        with pytest.raises(LookupError):
            await desk.revoke(seq, statement, keys[BOB].sign(statement))
        await desk.close()

    asyncio.run(story())


def test_after_a_restart_it_holds_as_the_journal_says_and_is_counted_on(station: Station, keys: Keys) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        await grant(desk, desk.pending()[0], ALICE, keys[ALICE], uses=2)
        await call
        await desk.close()
        station.path.unlink()  # the database says nothing of grants that is believed
        desk = await station.open(standing(station))
        assert isinstance(await desk.hold(later(2), asyncio.Event()), Released)
        assert not (await held(desk, later(3, "third"))).done()
        await desk.close()

    asyncio.run(story())


def test_after_a_restart_what_was_revoked_or_signed_by_a_key_that_is_gone_grants_nothing(
    station: Station, keys: Keys
) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        seq = await grant(desk, desk.pending()[0], ALICE, keys[ALICE])
        assert seq is not None
        await call
        await desk.close()
        signers = station.config.reviewers.read_text()
        station.config.reviewers.write_text("\n".join(signers.splitlines()[1:]) + "\n")
        desk = await station.open(standing(station))
        assert await desk.grants() == ()
        await desk.close()
        station.config.reviewers.write_text(signers)
        desk = await station.open(standing(station))
        statement = await revocation(desk, seq, BOB)
        await desk.revoke(seq, statement, keys[BOB].sign(statement))
        await desk.close()
        desk = await station.open(standing(station))
        assert await desk.grants() == ()
        await desk.close()

    asyncio.run(story())


def test_who_breaks_the_glass_releases_alone_and_owners_still_do_not(station: Station, keys: Keys) -> None:
    groups = {"finance": (ALICE, CAROL), "on-call": (BOB, CAROL)}
    station.config = msgspec.structs.replace(station.config, groups=groups, break_glass=("on-call",))

    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold(rule=a_rule(quorum=2)))
        (view,) = desk.pending()
        assert view.break_glass == (BOB, CAROL)

        async def break_glass(reviewer: str) -> None:
            statement = statement_on(view, reviewer, scope=Scope.BREAK_GLASS, reason="the shop is down")
            await desk.decide(statement, await asyncio.to_thread(keys[reviewer].sign, statement))

        with pytest.raises(DecisionRefused, match="owns the workload"):
            await break_glass(CAROL)
        await break_glass(BOB)
        assert isinstance(await call, Released)
        (release,) = station.recording.of(ReleaseData)
        assert release.decisions == (2,)
        assert desk.list()[0].decisions[0].scope == "break-glass"
        assert isinstance(ExchangeId(str(desk.list()[0].used_by)), str)
        await desk.close()

    asyncio.run(story())


def test_what_is_withdrawn_is_asked_anew(station: Station) -> None:
    async def story() -> None:
        desk = await station.open()
        call = await held(desk, a_hold())
        view = await desk.withdraw(desk.pending()[0].id, "root", "asked by mistake")
        assert view.state == "withdrawn"
        refused = await call
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.APPROVAL_WITHDRAWN
        assert station.recording.kinds() == ["hold", "withdraw", "abandon"]
        with pytest.raises(ValueError, match="can't withdraw"):
            await desk.withdraw(view.id, "root", "again")
        assert not (await held(desk, a_hold(2))).done()
        assert len(desk.list()) == 2
        await desk.close()

    asyncio.run(story())
