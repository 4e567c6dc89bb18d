"""A copy of the journal, and the way back, proved by root."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from journals import refused, request, response, write_journal
from recorded import write_story

from gatekeeper.journal import AdminData, Reader, verify_journal

type Run = Callable[..., Result]


@pytest.fixture
def recorded(folder: Path) -> Path:
    """A configuration with a journal of some entries, and its own keys."""
    (folder / "data").mkdir()
    write_story(folder / "data")
    return folder


def events(folder: Path) -> list[AdminData]:
    with Reader(folder / "data" / "journal", None) as reader:
        return [entry.data for entry in reader.entries(0, reader.size) if isinstance(entry.data, AdminData)]


def test_a_copy_verifies_holds_no_key_and_is_on_record(run: Run, recorded: Path) -> None:
    run("journal", "search", "hello")  # an index, which must not be copied
    result = run("journal", "backup", "copy", "--json")
    saved = json.loads(result.stdout)["saved"]
    copy = recorded / "copy"
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(path.name for path in copy.iterdir()) == ["anchors.log", "head", "journal.db", "journal.vkey"]
    report = verify_journal(copy)
    assert (report.ok, report.entries, report.root) == (True, saved["size"], saved["root"])
    (event,) = events(recorded)
    assert (event.event.value, event.detail["size"], event.detail["root"]) == ("backup", saved["size"], saved["root"])
    assert run("journal", "verify").exit_code == 0
    checked = run("journal", "restore", "copy", "--check")
    assert (checked.exit_code, "that a checkpoint covers, not in this copy" in checked.stdout) == (0, True)


@pytest.mark.usefixtures("recorded")
def test_a_folder_that_is_there_is_not_touched(run: Run, recorded: Path) -> None:
    (recorded / "copy").mkdir()
    (recorded / "copy" / "mine").write_text("x")
    result = run("journal", "backup", "copy")
    assert (result.exit_code, "is there already" in result.stderr) == (2, True)
    assert [path.name for path in (recorded / "copy").iterdir()] == ["mine"]


class TestRestore:
    @pytest.fixture
    def copied(self, run: Run, recorded: Path) -> Path:
        """A journal with a copy of all of it; the journal's own folder is lost, its keys are there."""
        assert run("journal", "backup", "copy").exit_code == 0
        shutil.rmtree(recorded / "data" / "journal")
        return recorded

    def test_a_good_copy_goes_in_its_place_and_the_log_goes_on(self, run: Run, copied: Path) -> None:
        result = run("journal", "restore", "copy")
        assert (result.exit_code, result.stderr) == (0, "")
        assert [event.event.value for event in events(copied)] == ["restore"]
        assert run("journal", "verify").exit_code == 0
        assert '"q": "hello"' in run("journal", "show", "1", "--body").stdout

    def test_checking_changes_nothing(self, run: Run, copied: Path) -> None:
        result = run("journal", "restore", "copy", "--check")
        assert (result.exit_code, "verified" in result.stdout) == (0, True)
        assert not (copied / "data" / "journal").exists()

    @pytest.mark.usefixtures("copied")
    def test_a_journal_that_is_there_is_never_overwritten(self, run: Run) -> None:
        run("journal", "restore", "copy")
        result = run("journal", "restore", "copy")
        assert (result.exit_code, "move the folder away first" in result.stderr) == (2, True)

    def test_without_its_keys_that_is_said(self, run: Run, copied: Path) -> None:
        (copied / "data" / "keys" / "keys.db").unlink()
        result = run("journal", "restore", "copy")
        assert result.exit_code == 0
        assert "bodies can't be read until it is restored" in result.stdout
        assert "this restore is not on record" in result.stderr
        assert run("journal", "verify").exit_code == 0

    def test_what_a_checkpoint_from_outside_covers_and_the_copy_lacks_is_said(self, run: Run, recorded: Path) -> None:
        run("journal", "backup", "copy")
        write_journal(recorded / "data", [refused(), request(7), response(7)])
        anchors = recorded / "anchors"
        anchors.write_bytes((recorded / "data" / "journal" / "anchors.log").read_bytes())
        shutil.rmtree(recorded / "data" / "journal")
        result = run("journal", "restore", "copy", "--anchors", "anchors")
        assert result.exit_code == 1
        assert "that a checkpoint covers, not in this copy" in result.stdout
        assert "`gatekeeper journal new`" in result.stdout
        assert "not on record" in result.stderr

    def test_what_is_left_in_place_stays_and_speaks(self, run: Run, recorded: Path) -> None:
        run("journal", "backup", "copy")
        write_journal(recorded / "data", [refused()])
        journal = recorded / "data" / "journal"
        head = (journal / "head").read_bytes()
        for path in journal.glob("journal*.db*"):
            path.unlink()
        result = run("journal", "restore", "copy")
        assert (result.exit_code, "missing" in result.stdout) == (1, True)
        assert (journal / "head").read_bytes() == head

    def test_an_altered_copy_is_not_put_back(self, run: Run, copied: Path) -> None:
        database = copied / "copy" / "journal.db"
        database.write_bytes(database.read_bytes().replace(b'"status":403', b'"status":200'))
        result = run("journal", "restore", "copy")
        assert (result.exit_code, "NOT VERIFIED" in result.stdout) == (1, True)
        assert not (copied / "data" / "journal").exists()

    def test_a_copy_of_another_log_under_the_same_key_is_found_by_checkpoints(self, run: Run, recorded: Path) -> None:
        run("journal", "backup", "copy")
        shutil.copytree(recorded / "copy", recorded / "fork" / "journal")
        shutil.copytree(recorded / "data" / "keys", recorded / "fork" / "keys")
        write_journal(recorded / "fork", [request(50), response(50), refused(), refused()])
        write_journal(recorded / "data", [refused()])
        result = run("journal", "restore", str(recorded / "fork" / "journal"), "--check")
        assert (result.exit_code, "is over OTHER entries" in result.stdout) == (1, True)
