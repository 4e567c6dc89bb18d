"""The timeline on a terminal, driven by keys."""

import asyncio
from collections.abc import Iterator

import pytest
from recorded import write_story
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from gatekeeper.cli.replay.walk import Walk
from gatekeeper.journal import Reader
from gatekeeper.replay import Step, steps


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    with Reader(folder / "journal", folder / "keys") as reader:
        return list(steps(reader, reader.entries(0, reader.size)))


@pytest.fixture
def app(story: list[Step]) -> Iterator[Walk]:
    return Walk({"journal": "verified: 15 entries"}, story, verified=True)


def pressed(app: Walk, *keys: str) -> tuple[int, str]:
    """Press keys; gives the row under the cursor and what is shown of it."""

    async def drive() -> tuple[int, str]:
        async with app.run_test(size=(80, 24)) as pilot:
            pilot: Pilot[None]
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
            return app.query_one(DataTable).cursor_row, str(app.query_one("#shown", Static).content)

    return asyncio.run(drive())


def test_it_begins_at_the_first_step(app: Walk) -> None:
    row, shown = pressed(app)
    assert row == 0
    assert "gatekeeper test begins" in shown


def test_h_goes_to_the_next_hold(app: Walk, story: list[Step]) -> None:
    row, shown = pressed(app, "h")
    assert story[row].kind.value == "hold"
    assert "alice@example.com" in shown


def test_a_text_is_found_and_found_again(app: Walk, story: list[Step]) -> None:
    row, _ = pressed(app, "slash", *"hello", "enter")
    assert story[row].kind.value == "request"
    again, _ = pressed(Walk({}, story, verified=True), "slash", *"hello", "enter", "n")
    assert again > row


def test_c_follows_one_call(app: Walk, story: list[Step]) -> None:
    row, _ = pressed(app, "down", "c", "c")
    assert story[row].call == story[1].call


def test_what_would_drive_the_terminal_is_shown_as_text(app: Walk) -> None:
    _, shown = pressed(app, "slash", *"evil", "enter")
    assert "‹U+001B›[2J‹U+202E›evil" in shown


def test_a_journal_that_does_not_verify_stands_under_a_red_line(story: list[Step]) -> None:
    app = Walk({"journal": "NOT VERIFIED"}, story, verified=False)

    async def look() -> bool:
        async with app.run_test():
            return app.query_one("#heading").has_class("unverified")

    assert asyncio.run(look())
