"""Periods and legal holds: what is due is erased, what is held stays, and nothing of it is silent."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from recorded import OTHER_SESSION, SESSION, write_story

from gatekeeper.journal import AdminData, EraseData, Reader

type Run = Callable[..., Result]


@pytest.fixture
def recorded(folder: Path) -> Path:
    """Two sessions, the story's clock set to a time long ago."""
    (folder / "data").mkdir()
    write_story(folder / "data")
    return folder


@pytest.fixture(autouse=True)
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The story is written in 2027: let today be later."""
    from gatekeeper.exchange import Instant

    monkeypatch.setattr("gatekeeper.exchange.now", lambda: Instant(1_900_000_000_000_000))


def due(run: Run, *arguments: str) -> dict[str, list[int]]:
    found = json.loads(run("journal", "retention", "--older-than", "30d", "--json", *arguments).stdout)
    return {one["session"]: one["held"] for one in found["due"]}


def erased(folder: Path) -> list[str]:
    with Reader(folder / "data" / "journal", None) as reader:
        return [entry.data.session for entry in reader.entries(0, reader.size) if isinstance(entry.data, EraseData)]


def test_what_is_due_is_listed_and_nothing_is_done(run: Run, recorded: Path) -> None:
    assert due(run) == {SESSION: [], OTHER_SESSION: []}
    assert erased(recorded) == []


def test_with_yes_it_is_erased_and_the_log_still_verifies(run: Run, recorded: Path) -> None:
    run("journal", "search", "hello")
    result = run("journal", "retention", "--older-than", "30d", "--yes")
    assert (result.exit_code, "erased 2 sessions" in result.stderr) == (0, True)
    assert erased(recorded) == [SESSION, OTHER_SESSION]
    assert due(run) == {}
    assert run("journal", "verify").exit_code == 0
    assert run("journal", "search", "hello").exit_code == 1
    assert "its key is not at hand" in run("journal", "show", "1").stdout


@pytest.mark.usefixtures("recorded")
def test_what_is_younger_than_the_period_stays(run: Run) -> None:
    assert json.loads(run("journal", "retention", "--older-than", "9999d", "--json").stdout)["due"] == []


@pytest.mark.usefixtures("recorded")
def test_without_a_period_everything_is_kept(run: Run) -> None:
    result = run("journal", "retention")
    assert (result.exit_code, "journal.retention: is 0" in result.stderr) == (2, True)
    assert json.loads(run("journal", "retention", "--set", "journal.retention=30d", "--json").stdout)["dry_run"] is True


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        (["--session", SESSION], {SESSION}),
        (["--subject", "bot"], {SESSION, OTHER_SESSION}),
        (["--subject", "nobody"], set()),
        (["--range", "12..12"], {OTHER_SESSION}),
        (["--range", "0..99"], {SESSION, OTHER_SESSION}),
    ],
)
def test_a_legal_hold_keeps_what_it_names(run: Run, recorded: Path, scope: list[str], kept: set[str]) -> None:
    added = run("journal", "legal-hold", "add", *scope, "--reason", "case 7")
    assert added.exit_code == 0, added.stderr
    assert {session for session, held in due(run).items() if held} == kept
    run("journal", "retention", "--older-than", "30d", "--yes")
    assert set(erased(recorded)) == {SESSION, OTHER_SESSION} - kept
    assert run("journal", "verify").exit_code == 0


def test_a_hold_keeps_a_session_from_being_erased_by_hand(run: Run, recorded: Path) -> None:
    run("journal", "legal-hold", "add", "--session", SESSION, "--reason", "case 7")
    result = run("journal", "erase", SESSION, "--reason", "asked for")
    assert (result.exit_code, "under a legal hold" in result.stderr) == (1, True)
    assert erased(recorded) == []


def test_a_hold_that_is_lifted_keeps_nothing_and_both_are_on_record(run: Run, recorded: Path) -> None:
    run("journal", "legal-hold", "add", "--session", SESSION, "--reason", "case 7")
    (hold,) = json.loads(run("journal", "legal-hold", "list", "--json").stdout)
    assert (hold["session"], hold["why"]) == (SESSION, "case 7")
    assert run("journal", "legal-hold", "remove", str(hold["id"]), "--reason", "case closed").exit_code == 0
    assert json.loads(run("journal", "legal-hold", "list", "--json").stdout) == []
    assert due(run)[SESSION] == []
    with Reader(recorded / "data" / "journal", None) as reader:
        told = [entry.data for entry in reader.entries(0, reader.size) if isinstance(entry.data, AdminData)]
    assert [(one.event.value, one.detail["why"]) for one in told] == [
        ("legal-hold", "case 7"),
        ("legal-hold-lifted", "case closed"),
    ]


def test_nothing_is_erased_while_holds_may_stand_in_segments_that_were_moved_away(run: Run, recorded: Path) -> None:
    assert run("journal", "legal-hold", "add", "--subject", "bot", "--reason", "x").exit_code == 0
    assert run("journal", "seal").exit_code == 0
    (sealed,) = (recorded / "data" / "journal").glob("journal-*.db")
    sealed.rename(recorded / "cold.db")
    for arguments in (["retention", "--older-than", "30d", "--yes"], ["erase", SESSION, "--reason", "asked for"]):
        result = run("journal", *arguments)
        assert (result.exit_code, "legal holds in them can't be seen" in result.stderr) == (2, True)
    (recorded / "cold.db").rename(sealed)
    assert all(due(run).values())


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["add", "--reason", "x"], 2),
        (["add", "--session", "a", "--subject", "b", "--reason", "x"], 2),
        (["add", "--range", "9..3", "--reason", "x"], 2),
        (["add", "--session", "a"], 2),
        (["remove", "3", "--reason", "x"], 1),
    ],
)
def test_wrong_use_changes_nothing(run: Run, arguments: list[str], code: int) -> None:
    assert run("journal", "legal-hold", *arguments).exit_code == code
    assert json.loads(run("journal", "legal-hold", "list", "--json").stdout) == []


def test_where_it_cant_be_recorded_there_is_no_hold(run: Run, recorded: Path) -> None:
    (recorded / "data" / "keys" / "journal.key").unlink()
    result = run("journal", "legal-hold", "add", "--subject", "bot", "--reason", "x")
    assert (result.exit_code, "nothing has changed" in result.stderr) == (2, True)
