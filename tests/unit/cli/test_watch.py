"""The whole-screen queue, driven by Textual's pilot, against a real admin socket and real keys."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from reviewing import ALICE, BOB, CAROL, SUBJECT, SigningKey, Station, a_hold, a_rule, allowed_signers, config_for
from served import Served
from textual.pilot import Pilot
from textual.widgets import Label, OptionList, Static

from gatekeeper.approvals import ApprovalView, Refused, Released
from gatekeeper.cli.admin_client import AdminClient
from gatekeeper.cli.watch import URGENT, Reason, Watch, in_order
from gatekeeper.journal.entries import DecisionData
from gatekeeper.journal.statement import parse_statement


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SigningKey]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: SigningKey.make(folder, name) for name in (ALICE, BOB, CAROL)}


@pytest.fixture
def served(tmp_path: Path, keys: dict[str, SigningKey], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    served = Served(Station(tmp_path, config_for(tmp_path, allowed_signers(keys))))
    yield served
    served.end()


def view(id_: str, created: int, expires: int, **changes: Any) -> ApprovalView:
    plain = ApprovalView(
        id=id_, state="pending", rule="r", reasons=(), subject="s", issuer="i", workflow=None, groups=(), method="GET",
        url="u", findings={}, dialect="http", model="", created=created, expires=expires, require=(), excluded=None,
        decisions=(), waiting=1, used_by=None, digest="d", request="f", origin="o", group=id_, break_glass=(),
        of="request", tool=None,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def test_what_is_about_to_run_out_comes_first_and_then_the_oldest() -> None:
    late = 10 * URGENT
    views = (
        view("young", 2, late), view("old", 1, late), view("urgent", 3, URGENT - 1), view("done", 0, 1, state="used"),
        view("alike", 9, late, group="old"),
    )  # fmt: skip
    assert [[one.id for one in group] for group in in_order(views, 0)] == [["urgent"], ["old", "alike"], ["young"]]
    assert in_order(views, 0, rule="another") == []
    assert in_order(views, 0, person="nobody") == []
    owned = (view("owned", 1, late, break_glass=(ALICE, BOB), excluded=(ALICE,)),)
    assert [len(in_order(owned, 0, person=person)) for person in (ALICE, BOB)] == [0, 1]


def drive(served: Served, steps: Callable[[Watch, Pilot[None]], Awaitable[None]], **options: Any) -> None:
    async def story() -> None:
        with AdminClient(served.socket) as client:
            app = Watch(client, **options)
            async with app.run_test(size=(80, 24)) as pilot:
                await pilot.pause()
                await steps(app, pilot)

    asyncio.run(story())


def text_of(app: Watch, name: str) -> str:
    return str(app.query_one(f"#{name}", Static if name == "call" else Label).render())


async def reached(pilot: Pilot[None], look: Callable[[], bool]) -> None:
    for _ in range(500):
        await pilot.pause(0.01)
        if look():
            return
    raise AssertionError(look)


def test_an_empty_queue_says_so_and_fills_as_calls_come(served: Served) -> None:
    async def steps(app: Watch, pilot: Pilot[None]) -> None:
        assert "Nothing waits" in text_of(app, "head")
        await asyncio.to_thread(served.hold)
        app.look()
        await pilot.pause()
        assert "1 waiting" in text_of(app, "head")
        assert "POST https://payments.example.com/v1/refunds" in text_of(app, "call")
        assert "CREDIT_CARD 1" in text_of(app, "call")

    drive(served, steps)


def test_approve_and_deny_with_a_reason_for_all_that_look_the_same(served: Served, keys: dict[str, SigningKey]) -> None:
    alike = [served.hold(number, matter=f"matter {number}") for number in range(2)]
    other = served.hold(9, matter="other", view=msgspec.structs.replace(a_hold().view, body=b"{}"))

    async def steps(app: Watch, pilot: Pilot[None]) -> None:
        assert app.query_one(OptionList).option_count == 2
        await pilot.press("a")
        await reached(pilot, lambda: isinstance(app.screen, Reason))
        await pilot.press(*"fine", "enter")
        await reached(pilot, lambda: app.query_one(OptionList).option_count == 1)
        await pilot.press("d")
        await reached(pilot, lambda: isinstance(app.screen, Reason))
        await pilot.press("enter")
        await reached(pilot, lambda: app.query_one(OptionList).option_count == 0)

    drive(served, steps, key=keys[ALICE].path)
    assert all(isinstance(served.outcome(call), Released) for call in alike)
    assert isinstance(served.outcome(other), Refused)
    stated = [parse_statement(data.statement.encode()) for data in served.station.recording.of(DecisionData)]
    assert [(one.verdict.value, one.reason) for one in stated] == [("approve", "fine")] * 2 + [("deny", "")]


def test_escape_signs_nothing_and_personal_data_is_no_reason(served: Served, keys: dict[str, SigningKey]) -> None:
    served.hold()

    async def steps(app: Watch, pilot: Pilot[None]) -> None:
        await pilot.press("a")
        await reached(pilot, lambda: isinstance(app.screen, Reason))
        await pilot.press("escape")
        await reached(pilot, lambda: "nothing was signed" in text_of(app, "said"))
        await pilot.press("a")
        await reached(pilot, lambda: isinstance(app.screen, Reason))
        await pilot.press(*"4111111111111111", "enter")
        await reached(pilot, lambda: "personal data" in text_of(app, "said"))

    drive(served, steps, key=keys[ALICE].path)
    assert served.station.recording.of(DecisionData) == []


def test_who_is_no_reviewer_is_told_and_signs_nothing(served: Served, keys: dict[str, SigningKey]) -> None:
    served.hold()

    async def steps(app: Watch, pilot: Pilot[None]) -> None:
        await pilot.press("a")
        await reached(pilot, lambda: "no reviewer" in text_of(app, "said"))

    drive(served, steps, key=keys[ALICE].path, reviewer="mallory@example.com")
    assert served.station.recording.of(DecisionData) == []


def test_skip_and_filters_hide_and_bring_back(served: Served, keys: dict[str, SigningKey]) -> None:
    served.hold(1)
    served.hold(2, matter="two", rule=a_rule(name="another rule"))
    served.hold(3, matter="three", subject=msgspec.structs.replace(SUBJECT, sub="other-bot"))

    async def steps(app: Watch, pilot: Pilot[None]) -> None:
        queue = app.query_one(OptionList)
        assert queue.option_count == 3
        await pilot.press("s")
        assert queue.option_count == 2
        assert "1 skipped" in text_of(app, "head")
        await pilot.press("r")
        assert queue.option_count == 1
        assert "rule another rule" in text_of(app, "head")
        await pilot.press("u")
        assert queue.option_count == 3
        await pilot.press("g")
        assert queue.option_count == 3
        assert f"for {ALICE}" in text_of(app, "head")

    drive(served, steps, key=keys[ALICE].path)


def test_what_could_drive_a_terminal_is_shown_and_not_obeyed(served: Served) -> None:
    hostile = msgspec.structs.replace(a_hold().view, url="https://x/\x1b[2J\u202e", body=b"[bold]\x1b]0;x\x07")
    served.hold(view=hostile)

    async def steps(app: Watch, pilot: Pilot[None]) -> None:
        await pilot.pause()
        shown = text_of(app, "call")
        assert "‹U+001B›[2J‹U+202E›" in shown
        assert "[bold]‹U+001B›" in shown
        assert not set("\x1b\u202e\x07") & set(shown)

    drive(served, steps)
