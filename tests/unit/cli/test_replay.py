"""Replay as it is shown."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from journals import write_journal
from recorded import OTHER_SESSION, write_story

type Run = Callable[..., Result]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    return folder


@pytest.fixture
def recorded(folder: Path, story: Path) -> Path:
    shutil.copytree(story, folder / "data")
    return folder


@pytest.mark.usefixtures("recorded")
def test_sessions_are_listed(run: Run) -> None:
    head, *lines = run("replay", "list").stdout.splitlines()
    assert head.split() == [
        "SESSION",
        "SUBJECT",
        "BEGAN",
        "TOOK",
        "CALLS",
        "HELD",
        "DENIED",
        "MASKED",
        "TOKENS",
        "MODELS",
    ]
    assert lines[0].split() == [
        "5e5e5e5e5e5e",
        "bot",
        "2027-01-15",
        "08:00:00Z",
        "0.100s",
        "3",
        "1",
        "1",
        "3",
        "-",
        "m",
    ]
    assert json.loads(run("replay", "list", "--json").stdout)[1]["session"] == OTHER_SESSION


def test_no_session_yet_is_said(run: Run, recorded: Path) -> None:
    shutil.rmtree(recorded / "data")
    write_journal(recorded / "data", [])
    assert run("replay", "list").stdout == "No such session is recorded.\n"
    assert run("replay", "list", "--json").stdout == "[]\n"


@pytest.mark.usefixtures("recorded")
def test_it_says_first_whether_the_journal_verifies(run: Run) -> None:
    lines = run("replay", "show", "5e").stdout.splitlines()
    assert lines[0] == "journal  verified: 18 entries"  # the reading itself is on record
    assert lines[1].startswith("warning  the key was the folder's own: ")
    assert "3 calls, 1 held, 1 denied, 3 masked" in lines[4]


def test_a_journal_that_doesnt_verify_is_shown_with_exit_1(run: Run, recorded: Path) -> None:
    database = sqlite3.connect(recorded / "data" / "journal" / "journal.db")
    database.execute("UPDATE body SET data = zeroblob(40) WHERE seq = 1")
    database.commit()
    database.close()
    result = run("replay", "show", "5e")
    assert result.exit_code == 1
    assert result.stdout.startswith("journal  NOT VERIFIED: entry 1: ")
    assert "is damaged" in result.stdout
    assert "approve (the box is back)" in result.stdout


@pytest.mark.usefixtures("recorded")
def test_steps_are_shown_in_order_with_time_call_and_what_ran_beside(run: Run) -> None:
    lines = run("replay", "show", "5e", "--body", "none").stdout.splitlines()
    steps = [line for line in lines if line.lstrip().startswith("+")]
    assert steps == [
        "  +0.000s #1   → POST https://api.example.com/v1/chat",
        "  +0.000s #1     allow by rule 'r'",
        "  +0.000s #1   ← chunk 0, 10 B of text/event-stream",
        "  +0.020s #2‖  → POST https://api.example.com/v1/chat",
        "  +0.020s #2‖    hold by rule 'refunds': x",
        "  +0.030s #2‖    hold a1b2c3: 'refunds' asks 1 of alice@example.com, until 2027-01-15 09:00:00Z",
        "  +0.040s #3‖  → POST https://api.example.com/v1/chat",
        "  +0.040s #3‖    deny: no rule matches",
        "  +0.050s #3‖  ← 403 by the gateway, no-rule, 13 B of application/json",
        "  +0.000s #1‖  ← chunk 1, 10 B of text/event-stream",
        "  +0.070s #1‖  ← 200 by the upstream after 2 chunks, found EMAIL_ADDRESS 2",
        "  +0.080s        decision a1b2c3: approve (the box is back) by alice@example.com",
        "  +0.090s #2     release a1b2c3: by the decisions in entries 9",
        "  +0.100s #2   ← 200 by the upstream, 15 B of text/plain",
    ]
    assert "                 beside #1, #2" in lines
    assert "                 found CREDIT_CARD 1" in lines
    assert not any("hello" in line for line in lines)


@pytest.mark.usefixtures("recorded")
def test_bodies_are_shown_by_their_heads_or_whole(run: Run) -> None:
    assert '"q": "hello"' in run("replay", "show", "5e").stdout
    assert '"q": "hello"' in run("replay", "show", "5e", "--body", "full").stdout


@pytest.mark.usefixtures("recorded")
def test_json_has_all_of_it(run: Run) -> None:
    shown = json.loads(run("replay", "show", "0f", "--json").stdout)
    assert shown["verified"]["ok"] is True
    assert shown["session"]["session"] == OTHER_SESSION
    assert [(step["step"], step["seq"], step["at"], step["call"]) for step in shown["steps"]] == [
        ("request", 12, 0, 1),
        ("verdict", 12, 0, 1),
        ("error", 13, 10_000, 1),
    ]
    assert shown["steps"][0]["content"]["text"] == '{"q":"hello"}'
    bare = json.loads(run("replay", "show", "0f", "--json", "--body", "none").stdout)
    assert all(step["content"] is None for step in bare["steps"])


@pytest.mark.usefixtures("recorded")
def test_a_range_has_no_session(run: Run) -> None:
    result = run("replay", "show", "13..14")
    assert (result.exit_code, "session" in result.stdout) == (0, False)
    assert "close the run ends in order" in result.stdout


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("what", "code", "text"),
    [
        ("77", 1, "no session begins with 77; `gatekeeper replay list` has them"),
        ("15..20", 1, "the journal has 15 entries, from 0 on"),
        ("3..2", 2, "the range ends before it begins"),
        ("", 1, "2 sessions begin with ; write more of the id"),
    ],
)
def test_what_is_not_there_is_no(run: Run, what: str, code: int, text: str) -> None:
    result = run("replay", "show", what)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (code, "", 1)
    assert text in result.stderr
