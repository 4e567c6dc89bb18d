"""The published vectors (docs/journal-format.md) are what this version writes, verifies and proves."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gatekeeper.cli.proofs import check_proof
from gatekeeper.journal import Reader, verify_journal
from gatekeeper.journal.leaf import KINDS
from gatekeeper.journal.note import VerificationKey

TESTS = Path(__file__).parents[2]
PUBLISHED = TESTS / "vectors"
SCRIPT = TESTS.parent / "docs" / "verify-journal.py"


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """A copy: SQLite makes files beside a database that it reads."""
    return Path(shutil.copytree(PUBLISHED, tmp_path / "vectors"))


def first_key(vectors: Path) -> str:
    with closing(sqlite3.connect(vectors / "journal" / "journal-000000000000.db")) as database:
        return str(database.execute("SELECT value FROM meta WHERE key = 'vkey'").fetchone()[0])


def test_they_verify_by_the_first_key_and_their_anchors(vectors: Path) -> None:
    report = verify_journal(vectors / "journal", first_key(vectors), vectors / "journal" / "anchors.log")
    assert report.ok, report
    assert report.segments == 2
    assert report.anchors_checked >= 4


def test_they_hold_each_type_of_entry_and_what_is_not_erased_can_be_read(vectors: Path) -> None:
    with Reader(vectors / "journal", vectors / "keys") as reader:
        entries = list(reader.entries(0, reader.size))
        assert {entry.kind for entry in entries} == set(KINDS)
        erased = {entry.seq for entry in entries if entry.session == "0e" * 16}
        bodied = [entry for entry in entries if getattr(entry.data, "body", None) is not None]
        assert {entry.seq for entry in bodied if reader.content(entry) is None} == erased


def test_what_is_carried_is_as_published(vectors: Path) -> None:
    with closing(sqlite3.connect(vectors / "journal" / "journal.db")) as database:
        (carried,) = database.execute("SELECT value FROM meta WHERE key = 'carried'").fetchone()
    assert json.loads(carried) == json.loads((vectors / "carried.json").read_text())


def test_their_proofs_hold(vectors: Path) -> None:
    key = VerificationKey.parse((vectors / "journal" / "journal.vkey").read_text())
    proofs = sorted(vectors.glob("*.tlog-proof"))
    assert len(proofs) == 3
    for proof in proofs:
        assert "is in the log" in check_proof(proof, key, None)


def test_the_auditors_script_agrees(vectors: Path) -> None:
    command = [sys.executable, "-I", str(SCRIPT), str(vectors / "journal"), first_key(vectors)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
