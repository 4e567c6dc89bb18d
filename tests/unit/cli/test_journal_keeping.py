"""What can be proved to others from a journal, and how it is erased, sealed and begun anew."""

import base64
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from recorded import write_story

from gatekeeper.journal import OpenData, Reader

type Run = Callable[..., Result]

SCRIPT = Path(__file__).parents[3] / "docs" / "verify-journal.py"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    return folder


@pytest.fixture
def recorded(installed: Path, story: Path) -> Path:
    """A folder with a configuration and a journal of its own."""
    shutil.copytree(story, installed / "data", dirs_exist_ok=True)
    (installed / "allowed_signers").write_text("")
    return installed


@pytest.fixture
def key(recorded: Path) -> Path:
    """The key, from outside."""
    path = recorded / "pinned.vkey"
    shutil.copy(recorded / "data" / "journal" / "journal.vkey", path)
    return path


def test_an_entry_is_proved_and_checked_without_the_log(run: Run, recorded: Path, key: Path) -> None:
    assert run("journal", "prove", "3", "--out", "entry.tlog-proof").exit_code == 0
    shutil.rmtree(recorded / "data" / "journal")
    result = run("journal", "verify", "--proof", "entry.tlog-proof", "--vkey", str(key))
    assert result.exit_code == 0, result.output
    assert "verified: entry 3 is in the log of 15 entries" in result.output
    assert '"seq":3' in result.output


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_proof_that_was_changed_is_none(run: Run, recorded: Path, key: Path, place: int) -> None:
    run("journal", "prove", "3", "--out", "proof")
    text = (recorded / "proof").read_text()
    at = len(text) * place // 100
    (recorded / "proof").write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    result = run("journal", "verify", "--proof", "proof", "--vkey", str(key))
    assert result.exit_code == 1
    assert "NOT VERIFIED" in result.output


@pytest.mark.usefixtures("recorded")
def test_an_entry_that_is_not_there_can_not_be_proved(run: Run) -> None:
    result = run("journal", "prove", "99")
    assert result.exit_code == 1
    assert "has no entry 99" in result.output


def test_the_log_is_proved_to_extend_an_earlier_checkpoint(run: Run, recorded: Path, key: Path) -> None:
    anchors = (recorded / "data" / "journal" / "anchors.log").read_text()
    (recorded / "old").write_text(anchors[: anchors.index("\n\n", anchors.index("\n\n") + 2) + 1])
    assert run("journal", "prove", "--since", "old", "--out", "proof").exit_code == 0
    arguments = ("journal", "verify", "--proof", "proof", "--vkey", str(key))
    result = run(*arguments, "--since", "old")
    assert result.exit_code == 0, result.output
    assert "the log of 15 entries begins with the 1" in result.output
    assert run(*arguments).exit_code == 1
    (recorded / "proof").write_text((recorded / "proof").read_text().replace("old 1\n", "old 2\n"))
    assert run(*arguments, "--since", "old").exit_code == 1


def test_the_newest_checkpoint_is_printed(run: Run, recorded: Path) -> None:
    assert run("journal", "checkpoint").output == (recorded / "data" / "journal" / "head").read_text()


def test_a_session_is_erased(run: Run, recorded: Path) -> None:
    from journals import SESSION

    result = run("journal", "erase", SESSION, "--reason", "request 17")
    assert result.exit_code == 0, result.output
    with closing(sqlite3.connect(recorded / "data" / "keys" / "keys.db")) as keys:
        assert keys.execute("SELECT count(*) FROM data_key WHERE session = ?", [SESSION]).fetchone() == (0,)
    assert run("journal", "verify").exit_code == 0
    again = run("journal", "erase", SESSION, "--reason", "request 17")
    assert again.exit_code != 0
    assert "no key" in again.output


def test_a_segment_is_sealed_under_a_new_key_and_verifies_by_the_old(run: Run, recorded: Path, key: Path) -> None:
    assert run("journal", "seal").exit_code == 0
    assert run("journal", "seal", "--new-key").exit_code == 0
    assert len([*(recorded / "data" / "journal").glob("journal-*.db")]) == 2
    assert (recorded / "data" / "journal" / "journal.vkey").read_text() != key.read_text()
    assert run("journal", "verify", "--vkey", str(key)).exit_code == 0
    assert run("journal", "verify").exit_code == 0
    assert run("journal", "prove", "3", "--out", "proof").exit_code == 0
    assert run("journal", "verify", "--proof", "proof").exit_code == 0


def test_a_new_journal_carries_the_head_of_one_that_lost_entries(run: Run, recorded: Path) -> None:
    journal = recorded / "data" / "journal"
    head = (journal / "head").read_text()
    with closing(sqlite3.connect(journal / "journal.db")) as database, database:
        database.execute("DELETE FROM entry WHERE seq > 9")
        database.execute("DELETE FROM checkpoint WHERE size > 10")
    refused = run("journal", "seal")
    assert refused.exit_code != 0
    same = run("journal", "new")
    assert same.exit_code != 0
    assert "set another" in same.output
    config = recorded / "config.toml"
    config.write_text(config.read_text().replace("test.example/journal", "test.example/second"))
    result = run("journal", "new")
    assert result.exit_code == 0, result.output
    with Reader(journal, recorded / "data" / "keys") as reader:
        opening = reader.entry(0)
    assert isinstance(opening.data, OpenData)
    assert opening.data.old_head == head
    assert run("journal", "verify").exit_code == 0
    (old,) = recorded.glob("data/journal-replaced-*")
    assert (old / "head").read_text() == head


def script(folder: Path, key: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-O", str(SCRIPT), str(folder), key.read_text()]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_auditors_script_agrees_and_says_what_it_leaves_out(run: Run, recorded: Path, key: Path) -> None:
    run("journal", "seal", "--new-key")
    run("journal", "seal")
    folder = recorded / "data" / "journal"
    result = script(folder, key)
    assert result.returncode == 0, result.stderr
    assert "verified:" in result.stdout
    assert "not checked here" in result.stdout
    (folder / "journal-000000000000.db").rename(recorded / "away.db")
    assert script(folder, key).returncode == 0


DAMAGE = {
    "leaf": "UPDATE entry SET leaf = CAST(replace(leaf, 'refunds', 'refuuds') AS BLOB) WHERE seq = 4",
    "time": "UPDATE entry SET leaf = CAST(replace(leaf, '\"time\":1', '\"time\":2') AS BLOB) WHERE seq = 4",
    "gone": "DELETE FROM entry WHERE seq = 7",
    "body": "UPDATE body SET data = zeroblob(50) WHERE seq = 2",
    "body too many": "INSERT INTO body VALUES (99, 0, x'00')",
    "checkpoint": "UPDATE checkpoint SET note = replace(note, '=', 'A')",
    "size": "UPDATE checkpoint SET size = size + 1 WHERE size = 15",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_auditors_script_finds_what_was_changed(recorded: Path, key: Path, damage: str) -> None:
    with closing(sqlite3.connect(recorded / "data" / "journal" / "journal.db")) as database, database:
        assert database.execute(DAMAGE[damage]).rowcount
    assert script(recorded / "data" / "journal", key).returncode != 0


def test_the_auditors_script_refuses_another_key(recorded: Path, key: Path) -> None:
    origin, hashed, encoded = key.read_text().split("+", 2)
    other = base64.b64encode(base64.b64decode(encoded)[:-1] + b"\0").decode()
    key.write_text(f"{origin}+{hashed}+{other}")
    assert script(recorded / "data" / "journal", key).returncode != 0
