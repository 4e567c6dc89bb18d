"""A bundle: what is in it, that it can be checked without us, and that every change to it is found."""

import csv
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import bagit
import msgspec
import pytest
from bundles import ORDER, build
from recorded import BEGINNING

from gatekeeper.evidence.bag import bag_faults, seal_bag
from gatekeeper.exchange import Instant

BARE = {"PATH": "/usr/bin:/bin"}
"""What an auditor's machine has: no site-packages of ours, nothing in the environment."""


def check(bundle: Path) -> subprocess.CompletedProcess[bytes]:
    script = bundle / "data" / "verify" / "verify.py"
    return subprocess.run(["python3", "-I", script], env=BARE, capture_output=True, check=False)


def sheet(bundle: Path, name: str) -> list[dict[str, str]]:
    with (bundle / "data" / "csv" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_its_own_script_verifies_it_where_gatekeeper_is_not(bundle: Path) -> None:
    done = check(bundle)
    assert done.returncode == 0, done.stdout
    assert done.stdout.decode().splitlines()[-1] == "VERIFIED"
    assert b"not checked here" in done.stdout


def test_others_take_it_for_a_bag(bundle: Path) -> None:
    assert bagit.Bag(str(bundle)).is_valid()
    sums = ["sha256sum", "--check", "--quiet", "tagmanifest-sha256.txt", "manifest-sha256.txt"]
    assert subprocess.run(sums, cwd=bundle, env=BARE, check=False).returncode == 0


def test_every_file_that_is_changed_removed_or_added_is_found(bundle: Path, tmp_path: Path) -> None:
    files = sorted(path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file())
    assert len(files) > 40
    for number, name in enumerate(files):
        copy = tmp_path / str(number)
        shutil.copytree(bundle, copy)
        changed = bytearray((copy / name).read_bytes() or b" ")
        changed[len(changed) // 2] ^= 1
        (copy / name).write_bytes(changed)
        # The verifier itself is checked by sha256sum, the first of the three commands.
        found = bag_faults(copy) or check(copy).returncode != 0
        assert found, name
        (copy / name).unlink()
        assert bag_faults(copy) or name.name == "tagmanifest-sha256.txt.note", name
        shutil.rmtree(copy)
    copy = tmp_path / "added"
    shutil.copytree(bundle, copy)
    (copy / "data" / "more").write_text("x")
    assert bag_faults(copy) == ["data/more: was added"]
    assert check(copy).returncode == 1


def forged(bundle: Path, copy: Path, change: Callable[[Path], object]) -> str:
    """Change a copy and make the manifests good again, but for the signature; gives what the script says."""
    shutil.copytree(bundle, copy)
    (copy / "tagmanifest-sha256.txt.note").unlink()
    change(copy)
    seal_bag(copy, {})
    done = check(copy)
    assert done.returncode == 1
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), '403', '200') AS BLOB) WHERE seq = 6",
            "another tree",
        ),
        ("DELETE FROM entry WHERE seq = 7", "entry 7 is missing"),
        ("UPDATE body SET data = zeroblob(8) WHERE seq = 1", "the body of entry 1"),
        ("DELETE FROM body WHERE seq = 3", "the body of entry 3"),
    ],
)
def test_who_changes_the_log_and_all_hashes_over_it_is_found(
    bundle: Path, tmp_path: Path, statement: str, says: str
) -> None:
    def change(copy: Path) -> None:
        with sqlite3.connect(copy / "data" / "journal" / "log.db") as database:
            assert database.execute(statement).rowcount == 1
        database.close()

    assert says in forged(bundle, tmp_path / "forged", change)


@pytest.mark.parametrize(
    ("name", "before", "after", "says"),
    [
        ("report.json", '"calls": 4', '"calls": 3', "other calls"),
        ("report.json", '"nonce": "an', '"nonce": "my', "the seed is not"),
        ("samples/holds/000000000003/9.statement", "the box", "the fox", "is not by"),
        ("samples/holds/000000000003/entries.json", "refunds", "refundz", "is not in the log"),
        ("samples/holds/000000000003/3.body", "hello", "hello!", "another size"),
        ("journal/end.note", "15", "14", "the signature is not by"),
    ],
)
def test_who_changes_a_figure_a_sample_or_a_signature_is_found(
    bundle: Path, tmp_path: Path, name: str, before: str, after: str, says: str
) -> None:
    def change(copy: Path) -> None:
        text = (copy / "data" / name).read_text()
        assert before in text
        (copy / "data" / name).write_text(text.replace(before, after))

    assert says in forged(bundle, tmp_path / "forged", change)


def test_the_same_inputs_give_the_same_report(story: Path, bundle: Path, tmp_path: Path) -> None:
    again = build(story, tmp_path / "again")
    for name in ("report.json", "report.html"):
        assert (again / "data" / name).read_bytes() == (bundle / "data" / name).read_bytes()


def test_the_page_loads_nothing_and_runs_nothing(bundle: Path) -> None:
    page = (bundle / "data" / "report.html").read_text()
    for loads in ("<script", "src=", "href=", "url(", "@import", "<link", "<iframe"):
        assert loads not in page
    assert "Example Ltd" in page
    assert "complian" not in page.lower()


def test_the_tables_have_what_happened(bundle: Path) -> None:
    population = {row["seq"]: row for row in sheet(bundle, "population")}
    assert {seq: row["outcome"] for seq, row in population.items()} == {
        "1": "allowed", "3": "released", "5": "denied", "12": "broken",
    }  # fmt: skip
    (approval,) = sheet(bundle, "approvals")
    assert (approval["decided_by"], approval["excluded_owners"], approval["waited_us"]) == (
        "alice@example.com", "unknown", "60000",
    )  # fmt: skip
    kinds = {row["kind"]: row for row in sheet(bundle, "exceptions")}
    assert set(kinds) == {"owner-unknown", "reconciliation"}
    assert kinds["owner-unknown"]["owner"] == "carol@example.com"


def test_a_period_in_the_middle_grows_from_the_peaks_before_it(story: Path, tmp_path: Path) -> None:
    order = msgspec.structs.replace(ORDER, start=Instant(BEGINNING + 30_000), stop=Instant(BEGINNING + 70_000))
    bundle = build(story, tmp_path / "middle", order)
    report = json.loads((bundle / "data" / "report.json").read_text())
    assert (report["scope"]["first"], report["scope"]["last"]) == (3, 6)
    assert report["scope"]["start_size"] == 1
    assert report["surveyed"]["traffic"]["calls"] == 2
    assert check(bundle).returncode == 0


def test_an_empty_period_is_said(story: Path, tmp_path: Path) -> None:
    order = msgspec.structs.replace(ORDER, start=Instant(0), stop=Instant(1))
    with pytest.raises(LookupError, match="no entry in this period"):
        build(story, tmp_path / "empty", order)
    assert not (tmp_path / "empty").exists()


def test_a_folder_that_is_there_is_left_alone(story: Path, bundle: Path) -> None:
    with pytest.raises(FileExistsError):
        build(story, bundle)


def test_of_a_log_with_a_gap_there_is_no_bundle(story: Path, tmp_path: Path) -> None:
    broken = tmp_path / "story"
    shutil.copytree(story, broken)
    with sqlite3.connect(broken / "journal" / "journal.db") as database:
        database.execute("DELETE FROM entry WHERE seq = 6")
    database.close()
    with pytest.raises(LookupError, match="is missing"):
        build(broken, tmp_path / "bundle")
    assert not (tmp_path / "bundle" / "manifest-sha256.txt").exists()
