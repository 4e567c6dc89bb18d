"""The journal as it is listed, shown and verified."""

import errno
import json
import os
import pwd
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from journals import refused, write_journal
from recorded import APPROVAL, write_story

from gatekeeper.journal import ReadData, Reader

type Run = Callable[..., Result]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    return folder


@pytest.fixture
def recorded(folder: Path, story: Path) -> Path:
    """A folder with a configuration and a journal of its own."""
    shutil.copytree(story, folder / "data")
    return folder


def tamper(recorded: Path, statement: str) -> None:
    database = sqlite3.connect(recorded / "data" / "journal" / "journal.db")
    database.execute(statement)
    database.commit()
    database.close()


def alter(recorded: Path, seq: int, old: str, new: str) -> None:
    leaf = f"CAST(replace(CAST(leaf AS TEXT), '{old}', '{new}') AS BLOB)"
    tamper(recorded, f"UPDATE entry SET leaf = {leaf} WHERE seq = {seq}")


@pytest.mark.usefixtures("recorded")
def test_entries_are_listed_in_order(run: Run) -> None:
    result = run("journal", "list")
    head, *lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert head.split() == ["SEQ", "TIME", "TYPE", "EXCHANGE", "WHAT"]
    assert [line.split()[0] for line in lines] == [str(seq) for seq in range(15)]
    assert "200 by the upstream after 2 chunks, found EMAIL_ADDRESS 2" in lines[8]
    assert f"{APPROVAL}: approve (the box is back) by alice@example.com" in lines[9]


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("arguments", "seqs"),
    [
        (["--limit", "2"], [13, 14]),
        (["--after", "2", "--limit", "2"], [3, 4]),
        (["--before", "3", "--limit", "2"], [1, 2]),
        (["--after", "13"], [14]),
        (["--after", "14"], []),
        (["--after", "3", "--before", "6"], [4, 5]),
        (["--since", "2027-01-15T08:00:00.05Z", "--limit", "2"], [5, 6]),
        (["--until", "2027-01-15T08:00:00.05Z", "--limit", "2"], [3, 4]),
        (["--until", "2020-01-01"], []),
        ([], list(range(15))),
    ],
)
def test_a_page_is_the_newest_or_by_number_or_time(run: Run, arguments: list[str], seqs: list[int]) -> None:
    listed = json.loads(run("journal", "list", "--json", *arguments).stdout)
    assert [entry["seq"] for entry in listed["entries"]] == seqs
    assert listed["size"] == 15


@pytest.mark.usefixtures("recorded")
def test_a_cut_list_says_how_to_see_the_rest(run: Run) -> None:
    assert "older: --before 13" in run("journal", "list", "--limit", "2").stderr
    assert "newer: --after 3" in run("journal", "list", "--after", "1", "--limit", "2").stderr


@pytest.mark.usefixtures("recorded")
def test_json_has_an_entrys_names_as_the_format_has_them(run: Run) -> None:
    entry = json.loads(run("journal", "show", "1", "--json").stdout)
    assert set(entry) == {"seq", "time", "type", "exchange", "session", "leaf_hash", "data", "proof"}
    assert (entry["type"], entry["data"]["method"]) == ("request", "POST")


@pytest.mark.usefixtures("recorded")
def test_an_entry_is_shown_with_its_masked_body(run: Run) -> None:
    output = run("journal", "show", "1").stdout
    assert "verdict    allow by rule 'r'" in output
    assert '"q": "hello"' in output
    assert "header     content-type: application/json" in output


@pytest.mark.usefixtures("recorded")
def test_a_body_in_full_is_in_json_too(run: Run) -> None:
    content = json.loads(run("journal", "show", "1", "--json", "--body").stdout)["content"]
    assert content == {"media": "application/json", "encoding": "utf-8", "text": '{"q":"hello"}', "timeline": None}


@pytest.mark.usefixtures("recorded")
def test_what_was_recorded_cant_drive_the_terminal(run: Run) -> None:
    for arguments in (["journal", "show", "11"], ["journal", "show", "11", "--body"], ["replay", "show", "0..14"]):
        output = run(*arguments).stdout
        assert "fine‹U+001B›[2J‹U+202E›evil" in output
        assert "\x1b[2J" not in output


def test_without_the_keys_the_body_is_said_to_be_out_of_reach(run: Run, recorded: Path) -> None:
    (recorded / "data" / "keys" / "keys.db").unlink()
    result = run("journal", "show", "1", "--body")
    assert result.exit_code == 0
    assert "13 B of application/json: its key is not at hand" in result.stdout
    assert json.loads(run("journal", "show", "1", "--json", "--body").stdout)["content"] is None


def test_a_damaged_body_is_said_to_be_so(run: Run, recorded: Path) -> None:
    tamper(recorded, "UPDATE body SET data = zeroblob(40) WHERE seq = 1")
    assert "13 B of application/json: is damaged" in run("journal", "show", "1").stdout


@pytest.mark.usefixtures("recorded")
def test_an_entry_that_there_is_not_is_no(run: Run) -> None:
    result = run("journal", "show", "15")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the journal has no entry 15; it has 15, from 0 on" in result.stderr


@pytest.mark.parametrize("arguments", [["journal", "list"], ["journal", "show", "1"], ["replay", "list"]])
def test_a_broken_journal_is_one_line_and_what_to_do(run: Run, recorded: Path, arguments: list[str]) -> None:
    tamper(recorded, "UPDATE entry SET leaf = x'00' WHERE seq = 1")
    result = run(*arguments)
    assert result.exit_code == 2
    assert "`gatekeeper journal verify` says what is wrong" in result.stderr.splitlines()[-1]


def test_no_database_at_all_is_one_line(run: Run, recorded: Path) -> None:
    (recorded / "data" / "journal" / "journal.db").write_bytes(b"no database, but long enough to be looked at" * 100)
    result = run("journal", "list")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr


class TestProof:
    @pytest.mark.parametrize("arguments", [["list"], ["show", "6"], ["search", "world"]])
    def test_what_is_shown_is_proved(self, run: Run, recorded: Path, arguments: list[str]) -> None:
        result = run("journal", *arguments)
        assert (recorded.exists(), result.exit_code) == (True, 0)
        assert "proved by the checkpoint over 15, under the folder's own key" in result.stderr

    @pytest.mark.parametrize("arguments", [["list"], ["show", "6"], ["search", "--exchange", "0000000000000003"]])
    def test_an_altered_entry_is_shown_to_be_so(self, run: Run, recorded: Path, arguments: list[str]) -> None:
        alter(recorded, 6, '"status":403', '"status":200')
        alter(recorded, 5, "POST", "GET")
        result = run("journal", *arguments)
        assert result.exit_code == 1
        assert "NOT PROVED: " in result.stderr

    def test_a_log_under_another_key_proves_nothing(self, run: Run, recorded: Path) -> None:
        (recorded / "data" / "journal" / "journal.vkey").write_text("x+00000000+AAAA")
        result = run("journal", "list", "--json")
        proof = json.loads(result.stdout)["proof"]
        assert (result.exit_code, proof["problem"] is None, len(proof["not_proved"])) == (1, False, 15)


@pytest.mark.usefixtures("recorded")
class TestSearch:
    def test_calls_are_found_by_words_and_matter(self, run: Run) -> None:
        result = run("journal", "search", "hello", "--finding", "CREDIT_CARD")
        head, line = result.stdout.splitlines()
        assert result.exit_code == 0
        assert (head.split(), line.split()[0]) == (["SEQ", "TIME", "TYPE", "SUBJECT", "WHAT"], "1")
        assert "«hello»" in line
        assert "1 match in 18 entries" in result.stderr

    def test_json_has_the_entry_of_the_log_and_where_the_words_are(self, run: Run) -> None:
        found = json.loads(run("journal", "search", "world", "--json").stdout)
        (one,) = found["found"]
        assert (one["seq"], one["hit"], one["type"], one["snippet"]) == (5, 6, "request", "«world»")
        assert found["bodies_searched"] is True

    def test_nothing_found_is_no(self, run: Run) -> None:
        result = run("journal", "search", "--host", "nowhere.example.com")
        assert (result.exit_code, "0 matches" in result.stderr) == (1, True)

    def test_what_was_recorded_cant_drive_the_terminal(self, run: Run) -> None:
        assert "\x1b" not in run("journal", "search", "evil").stdout

    def test_a_text_without_a_word_is_one_line(self, run: Run) -> None:
        result = run("journal", "search", "--", "--")
        assert (result.exit_code, "no word to search for" in result.stderr) == (2, True)

    def test_where_the_index_cant_be_written_one_in_memory_does(
        self, run: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: Path) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr("gatekeeper.journal.index.open_database", refuse)
        result = run("journal", "search", "world")
        assert (result.exit_code, "an index is made for this question only" in result.stderr) == (0, True)
        assert not (recorded / "data" / "journal" / "index.db").exists()


class TestTail:
    def test_the_newest_entries_one_a_line(self, run: Run, recorded: Path) -> None:
        assert recorded
        lines = run("journal", "tail", "-n", "2").stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["13", "14"]
        values = [json.loads(line) for line in run("journal", "tail", "-n", "1", "--json").stdout.splitlines()]
        assert len(values) == 1

    def test_following_shows_what_comes(self, start: Callable[..., subprocess.Popen[str]], recorded: Path) -> None:
        process = start("journal", "tail", "-f", "-n", "1")
        assert process.stdout is not None
        assert process.stdout.readline().split()[3] == "close"
        write_journal(recorded / "data", [refused()])
        lines = iter(process.stdout.readline, "")
        assert next(line for line in lines if "refused" in line).split()[3] == "refused"


class TestReadingIsRecorded:
    """The story's journal is of another key folder than an installation's: `own` is written by its own gateway."""

    def reads(self, folder: Path) -> list[ReadData]:
        with Reader(folder / "data" / "journal", None) as reader:
            return [entry.data for entry in reader.entries(0, reader.size) if isinstance(entry.data, ReadData)]

    @pytest.mark.parametrize(
        ("arguments", "command", "range_"),
        [
            (["list", "--limit", "2"], "journal list", "13..14"),
            (["show", "3"], "journal show", "3"),
            (["tail", "-n", "4"], "journal tail", "11.."),
            (["search", "hello", "--subject", "bot"], "journal search hello --subject bot", "0..14"),
        ],
    )
    def test_offline_where_no_gateway_runs(
        self, run: Run, recorded: Path, arguments: list[str], command: str, range_: str
    ) -> None:
        result = run("journal", *arguments)
        assert "not on record" not in result.stderr
        (read,) = self.reads(recorded)
        assert (read.command, read.range, read.by) == (command, range_, pwd.getpwuid(os.getuid()).pw_name)
        assert run("journal", "verify").exit_code == 0

    def test_what_was_searched_for_is_masked(self, run: Run, recorded: Path) -> None:
        run("journal", "search", "ada@example.com")
        (read,) = self.reads(recorded)
        assert read.command == "journal search <EMAIL_ADDRESS>"

    def test_where_it_cant_be_that_is_said(self, run: Run, recorded: Path) -> None:
        (recorded / "data" / "keys" / "journal.key").unlink()
        result = run("journal", "list")
        assert (result.exit_code, result.stdout.count("\n")) == (0, 16)
        assert "this reading is not on record: " in result.stderr
        assert self.reads(recorded) == []


class TestVerify:
    @pytest.mark.usefixtures("recorded")
    def test_the_configured_journal_verifies_under_its_own_key(self, run: Run) -> None:
        result = run("journal", "verify")
        assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "verified")
        assert "key      the folder's own" in result.stdout
        assert "warning  the key was the folder's own: a journal replaced as a whole can't be told" in result.stdout

    def test_with_key_and_anchors_from_outside(self, run: Run, recorded: Path) -> None:
        journal = recorded / "data" / "journal"
        options = ["--vkey", str(journal / "journal.vkey"), "--anchors", str(journal / "anchors.log")]
        result = run("journal", "verify", *options)
        assert result.exit_code == 0
        assert "key      from outside" in result.stdout
        assert "warning" not in result.stdout

    def test_what_is_missing_beside_the_log_is_a_warning(self, run: Run, recorded: Path) -> None:
        (recorded / "data" / "journal" / "head").unlink()
        result = run("journal", "verify", "--vkey", str(recorded / "data" / "journal" / "journal.vkey"))
        assert (result.exit_code, "warning  head is missing" in result.stdout) == (0, True)

    def test_anchors_are_counted(self, run: Run, recorded: Path) -> None:
        result = run("journal", "verify", "--anchors", str(recorded / "data" / "journal" / "anchors.log"))
        assert result.exit_code == 0
        assert re.search(r"^anchors  [1-9]\d* checked$", result.stdout, re.MULTILINE)

    def test_a_folder_needs_no_configuration(self, run: Run, recorded: Path) -> None:
        (recorded / "config.toml").unlink()
        assert run("--config", "nowhere", "journal", "verify", str(recorded / "data" / "journal")).exit_code == 0

    def test_what_was_changed_is_named_with_exit_1(self, run: Run, recorded: Path) -> None:
        tamper(recorded, "UPDATE body SET data = zeroblob(40) WHERE seq = 11")
        result = run("journal", "verify")
        assert result.exit_code == 1
        assert result.stdout.startswith("NOT VERIFIED: entry 11: ")
        report = json.loads(run("journal", "verify", "--json").stdout)
        assert (report["ok"], report["first_bad"]) == (False, 11)

    def test_anchors_of_another_journal_are_of_no_use(self, run: Run, recorded: Path) -> None:
        (recorded / "anchors").write_text("other.example/journal\n5\nAAAA\n\n— other.example/journal AAAA\n\n")
        result = run("journal", "verify", "--anchors", "anchors")
        assert (result.exit_code, result.stdout.splitlines()[0][:12]) == (2, "NOT VERIFIED")

    @pytest.mark.usefixtures("recorded")
    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (["--vkey", "nowhere"], "nowhere: No such file"),
            (["--vkey", "config.toml"], "config.toml: "),
            (["--anchors", "nowhere"], "nowhere: No such file"),
            (["nowhere"], "there is no journal here"),
        ],
    )
    def test_wrong_use(self, run: Run, arguments: list[str], text: str) -> None:
        result = run("journal", "verify", *arguments)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
        assert text in result.stderr
