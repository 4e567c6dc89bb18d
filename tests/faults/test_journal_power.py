"""The power is lost at any point of a journal's life: as it begins, is written to, sealed, erased from and closed."""

import copy
import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from journals import write_journal

from gatekeeper.journal import Reader, verify_journal

sys.path.insert(0, str(Path(__file__).parent))
from power import CALLS, TRACE, Call, Disk, read_calls
from test_journal_injected import STRACE, TESTS, WRITER, acknowledged

pytestmark = pytest.mark.skipif(STRACE is None, reason="needs strace")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """The folder of a journal, and all that was done to it."""
    folder, traces = tmp_path_factory.mktemp("life"), tmp_path_factory.mktemp("traces")
    command = [str(STRACE), *TRACE, CALLS, "-o", str(traces / "t")]
    command += [sys.executable, "-c", textwrap.dedent(WRITER), str(folder), str(TESTS), "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "ended"
    return folder, read_calls(folder, traces / "t")


def survives(folder: Path, calls: list[Call], place: Path, losses: int) -> None:
    chance = random.Random(losses)  # noqa: S311 - a seed that repeats
    points = sorted(chance.randrange(len(calls)) for _ in range(losses))
    disk, done = Disk(), 0
    for number, point in enumerate(points):
        for call in calls[done:point]:
            disk.take(call)
        done = point
        after = place / str(number)
        copy.copy(disk).lose_power(folder, after, chance)
        after.mkdir(exist_ok=True)
        known = acknowledged(disk.said.decode().rpartition("\n")[0].splitlines())
        check(after, known, f"loss {number} before call {point} of {len(calls)}")
        shutil.rmtree(after)


def check(after: Path, known: dict[int, str], where: str) -> None:
    write_journal(after, [])
    report = verify_journal(after / "journal", None, after / "journal" / "anchors.log")
    assert report.ok, (where, report)
    with Reader(after / "journal", None) as reader:
        stored = {entry.seq: entry.leaf_hash.hex() for entry in reader.entries(0, reader.size)}
    assert {seq for seq, leaf in known.items() if stored.get(seq) != leaf} == set(), where


def test_a_disk_that_loses_nothing_has_it_all(life: tuple[Path, list[Call]]) -> None:
    """The simulation itself: all calls taken, and everything synced, make the folder as it is."""
    disk = Disk()
    for call in life[1]:
        disk.take(call)
    for inode in disk.seen.values():
        inode.sync()
    for path, inode in disk.seen.items():
        assert Path(path).read_bytes() == bytes(inode.durable), path
    assert len(acknowledged(disk.said.decode().splitlines())) > 15


def test_what_was_acknowledged_survives_a_loss_of_power(life: tuple[Path, list[Call]], tmp_path: Path) -> None:
    survives(*life, tmp_path, 100)


@pytest.mark.nightly
def test_ten_thousand_times(life: tuple[Path, list[Call]], tmp_path: Path) -> None:
    survives(*life, tmp_path, 10_000)
