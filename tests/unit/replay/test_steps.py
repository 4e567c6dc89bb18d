"""The steps of a session, in the recorded order and with its timing."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from journals import SESSION, request, response, write_journal
from recorded import (
    APPROVAL,
    BEGINNING,
    DIGEST,
    HOSTILE,
    OTHER_SESSION,
    STEP,
    changed,
    hold,
    of_exchange,
    write_story,
)
from reviewing import ALICE

from gatekeeper.exchange import SessionId
from gatekeeper.journal import AbandonData, DecisionData, Draft, Reader, VerdictData
from gatekeeper.journal.leaf import KINDS as ENTRY_KINDS
from gatekeeper.replay import Step, StepKind, entries_of_session, find_session, sessions, steps
from gatekeeper.replay.steps import KINDS


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    return folder


@pytest.fixture
def reader(story: Path) -> Iterator[Reader]:
    with Reader(story / "journal", story / "keys") as reader:
        yield reader


def session_steps(reader: Reader, session: SessionId) -> Iterator[Step]:
    return steps(reader, entries_of_session(reader, find_session(sessions(reader), session)))


def range_steps(reader: Reader, first: int, last: int) -> Iterator[Step]:
    return steps(reader, reader.entries(first, last + 1))


def kinds(steps: list[Step]) -> list[str]:
    return [step.kind.value for step in steps]


def test_each_type_of_entry_has_its_step() -> None:
    assert {kind.kind: KINDS[kind].value for kind in ENTRY_KINDS.values()} == {name: name for name in ENTRY_KINDS}


def test_a_session_has_its_own_steps_and_the_decisions_on_what_it_held(reader: Reader) -> None:
    steps = list(session_steps(reader, SESSION))
    assert kinds(steps) == [
        "request", "verdict", "chunk",
        "request", "verdict", "hold",
        "request", "verdict", "response",
        "chunk", "response",
        "decision", "release", "response",
    ]  # fmt: skip


def test_another_session_has_no_decision_of_the_first(reader: Reader) -> None:
    assert kinds(list(session_steps(reader, OTHER_SESSION))) == ["request", "verdict", "error"]


def test_a_decision_after_the_sessions_end_belongs_to_it(tmp_path: Path) -> None:
    asked = changed(request(1), digest=DIGEST, verdict=VerdictData(action="hold", rule="refunds", reasons=()))
    late = DecisionData(approval=APPROVAL, reviewer=ALICE, statement="{}", signature="none")
    other = DecisionData(approval="another", reviewer=ALICE, statement="{}", signature="none")
    left = of_exchange(1, AbandonData(approval=APPROVAL, digest=DIGEST))
    answer = changed(response(1, by="gateway"), status=403, reason="pending")
    write_journal(tmp_path, [asked, of_exchange(1, hold(BEGINNING)), left, answer, Draft(data=other), Draft(data=late)])
    with Reader(tmp_path / "journal", None) as reader:
        steps = list(session_steps(reader, SESSION))
    assert kinds(steps) == ["request", "verdict", "hold", "abandon", "response", "decision"]
    assert steps[-1].entry.data == late


def test_calls_are_numbered_and_what_ran_beside_is_named(reader: Reader) -> None:
    steps = list(session_steps(reader, SESSION))
    assert [(step.call, step.beside) for step in steps] == [
        (1, ()), (1, ()), (1, ()),
        (2, (1,)), (2, (1,)), (2, (1,)),
        (3, (1, 2)), (3, (1, 2)), (3, (1, 2)),
        (1, (2,)), (1, (2,)),
        (0, ()), (2, ()), (2, ()),
    ]  # fmt: skip


def test_times_count_from_the_first_step_and_a_chunks_from_its_timeline(reader: Reader) -> None:
    steps = list(session_steps(reader, SESSION))
    assert steps[0].at == 0
    assert {step.at for step in steps if step.kind is StepKind.CHUNK} == {5}  # µs after the request that began at 0
    assert [step.at for step in steps if step.kind is StepKind.RELEASE] == [9 * STEP]


def test_without_keys_a_chunk_stands_at_its_entrys_time_and_has_no_content(story: Path) -> None:
    with Reader(story / "journal", None) as reader:
        steps = list(session_steps(reader, SESSION))
    assert [step.at for step in steps if step.kind is StepKind.CHUNK] == [STEP, 6 * STEP]
    assert all(step.content is None and not step.damaged for step in steps)


def test_contents_are_those_recorded_and_a_verdict_has_none(reader: Reader) -> None:
    steps = list(session_steps(reader, SESSION))
    assert steps[0].content is not None
    assert steps[0].content.data == b'{"q":"hello"}'
    assert steps[1].content is None
    assert steps[-1].content is not None
    assert steps[-1].content.data == HOSTILE


def test_a_damaged_body_is_a_step_that_says_so(story: Path, tmp_path: Path) -> None:
    shutil.copytree(story, tmp_path / "copy")
    database = sqlite3.connect(tmp_path / "copy" / "journal" / "journal.db")
    database.execute("UPDATE body SET data = zeroblob(40) WHERE seq = 1")
    database.commit()
    database.close()
    with Reader(tmp_path / "copy" / "journal", tmp_path / "copy" / "keys") as reader:
        steps = list(session_steps(reader, SESSION))
    assert (steps[0].damaged, steps[0].content) == (True, None)
    assert (steps[1].damaged, steps[2].damaged) == (False, False)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 1, ["open", "request", "verdict"]),
        (8, 10, ["response", "decision", "release"]),
        (14, 14, ["close"]),
        (13, 99, ["error", "close"]),
        (20, 30, []),
    ],
)
def test_a_range_has_all_that_stands_in_it_both_ends_included(
    reader: Reader, first: int, last: int, expected: list[str]
) -> None:
    assert kinds(list(range_steps(reader, first, last))) == expected
