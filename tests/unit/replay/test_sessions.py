"""Sessions summed up from their entries."""

from pathlib import Path

import msgspec
import pytest
from journals import SESSION, error, request, response, write_journal
from recorded import BEGINNING, OTHER_SESSION, STEP, changed, denied, in_session, ticking, write_story

from gatekeeper.exchange import Digest, ExchangeId, SessionId
from gatekeeper.journal import ExpireData, Reader, SubjectData
from gatekeeper.replay import SessionSummary, find_session, sessions
from gatekeeper.replay.sessions import summarise


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    return folder


def summed_up(folder: Path) -> list[SessionSummary]:
    with Reader(folder / "journal", None) as reader:
        return sessions(reader)


def test_a_session_is_summed_up(story: Path) -> None:
    assert summed_up(story)[0] == SessionSummary(
        session=SESSION,
        issuer="https://issuer",
        subject="bot",
        workflow=None,
        first=1,
        last=11,
        start=BEGINNING + STEP,
        end=BEGINNING + 11 * STEP,
        calls=3,
        held=1,
        denied=1,
        masked=3,
        tokens=0,
        models=("m",),
    )


def test_sessions_come_in_order_of_their_first_entries_and_apart(story: Path) -> None:
    found = summed_up(story)
    assert [(one.session, one.calls, one.denied) for one in found] == [(SESSION, 3, 1), (OTHER_SESSION, 1, 0)]


def test_the_workflow_and_each_model_once(tmp_path: Path) -> None:
    subject = SubjectData(iss="i", sub="s", groups=(), workflow="w", token="0" * 64)
    models = [{"gen_ai.request.model": "b"}, {"gen_ai.request.model": "a"}, {"gen_ai.request.model": "b"}, {}]
    drafts = []
    for number, gen_ai in enumerate(models):
        drafts += [changed(request(number), subject=subject, gen_ai=gen_ai), response(number)]
    write_journal(tmp_path, drafts)
    (found,) = summed_up(tmp_path)
    assert (found.workflow, found.models, found.calls) == ("w", ("b", "a"), 4)


def test_an_expired_hold_counts_as_denied_once(story: Path) -> None:
    with Reader(story / "journal", None) as reader:
        entries = list(reader.entries(1, 5))
    expired = msgspec.structs.replace(
        entries[-1], kind="expire", data=ExpireData(approval="a", digest=Digest("d")), exchange=ExchangeId("2" * 16)
    )
    assert summarise([*entries, expired, expired])[0].denied == 1


def test_a_journal_without_calls_has_no_session(tmp_path: Path) -> None:
    write_journal(tmp_path, [])
    assert summed_up(tmp_path) == []


def test_a_session_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    ids = [SessionId("ab" + "0" * 30), SessionId("ac" + "0" * 30)]
    drafts = []
    for number, session in enumerate(ids):
        drafts += [in_session(request(number), session), in_session(error(number), session)]
    write_journal(tmp_path, drafts, ticking())
    found = summed_up(tmp_path)
    assert find_session(found, "ab").session == ids[0]
    assert find_session(found, "AC0").session == ids[1]
    with pytest.raises(LookupError, match="2 sessions begin with a; write more of the id"):
        find_session(found, "a")
    with pytest.raises(LookupError, match="no session begins with b"):
        find_session(found, "b")


def test_denials_without_a_rule_count(tmp_path: Path) -> None:
    write_journal(tmp_path, denied(1))
    assert summed_up(tmp_path)[0].denied == 1
