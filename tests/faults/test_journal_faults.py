"""The journal under faults: killed at any point, a full disk, a folder that can't be written."""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journals import (
    OPENING,
    ORIGIN,
    Opener,
    in_process,
    in_thread,
    recorder_of,
    refused,
    request,
    response,
    typical,
    write_journal,
)

from gatekeeper.exchange import Receipt
from gatekeeper.journal import Journal, JournalDown, Reader, verify_journal
from gatekeeper.journal.files import FolderTaken, lock_folder

# Writes exchanges for ever, and says of each entry that it is durable only once the journal has said so.
WRITER = """
    import asyncio, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    import journals
    from journals import SESSION, request, response

    async def main():
        journal = await getattr(journals, sys.argv[4])(Path(sys.argv[1]))
        base = int(sys.argv[3]) * 1_000_000
        async def one(number):
            for draft in (request(base + number), response(base + number)):
                receipt = await journal.submit(draft)
                print(receipt.seq, receipt.leaf, flush=True)
        for start in range(0, 100_000, 8):
            await asyncio.gather(*[one(start + at) for at in range(8)])
            if start % 64 == 0:
                await journal.seal(rotate=start % 128 == 0)
            if start % 40 == 0:
                await journal.erase(SESSION, "ops", "asked for")

    asyncio.run(main())
"""


def run_writer(folder: Path, number: int, opener: Opener) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(folder), tests, str(number), opener.__name__],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a gateway whose recorder was killed says so
        text=True,
    )


def kill_the_gateway(process: subprocess.Popen[str]) -> None:
    process.kill()


def kill_the_recorder(process: subprocess.Popen[str]) -> None:
    os.kill(recorder_of(process.pid), signal.SIGKILL)


type Kill = Callable[[subprocess.Popen[str]], None]
WAYS: list[tuple[Opener, Kill]] = [
    (in_thread, kill_the_gateway),
    (in_process, kill_the_recorder),
    (in_process, kill_the_gateway),
]


@pytest.mark.parametrize(
    ("opener", "kill", "kills"), [(*way, sample) for way, sample in zip(WAYS, (15, 50, 15), strict=True)]
)
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, opener: Opener, kill: Kill, kills: int) -> None:
    survives_kills(tmp_path, kills, opener, kill)


@pytest.mark.nightly
@pytest.mark.parametrize(("opener", "kill"), WAYS)
def test_a_thousand_times(tmp_path: Path, opener: Opener, kill: Kill) -> None:
    survives_kills(tmp_path, 1000, opener, kill)


def wait_until_free(folder: Path) -> None:
    """Wait for the recorder of a gateway that was killed; the next recorder does that by itself."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return os.close(lock_folder(folder))
        except FolderTaken:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def survives_kills(folder: Path, kills: int, opener: Opener, kill: Kill) -> None:
    """Kill writers that seal, change keys and erase, each at some point; the log of all of them is whole."""
    chance = random.Random(kills)  # noqa: S311 - a seed that repeats
    acknowledged: dict[int, str] = {}
    for number in range(kills):
        process = run_writer(folder, number, opener)
        assert process.stdout is not None
        for _ in range(chance.randrange(1, 150)):
            seq, leaf = process.stdout.readline().split()
            acknowledged[int(seq)] = leaf
        kill(process)
        for line in process.stdout:
            if line.endswith("\n") and len(line.split()) == 2:
                seq, leaf = line.split()
                acknowledged[int(seq)] = leaf
        process.wait()
        process.stdout.close()
    wait_until_free(folder / "journal")
    write_journal(folder, [])
    report = verify_journal(folder / "journal", None, folder / "journal" / "anchors.log")
    assert report.ok, report
    with Reader(folder / "journal", None) as reader:
        stored = {entry.seq: entry.leaf_hash.hex() for entry in reader.entries(0, reader.size)}
    lost = {seq for seq, leaf in acknowledged.items() if stored.get(seq) != leaf}
    assert not lost
    assert len(acknowledged) > kills


FILLER = """
    import asyncio, resource, signal, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from journals import ORIGIN, OPENING, request, response, refused
    from gatekeeper.journal import Journal, JournalDown

    async def main():
        folder = Path(sys.argv[1])
        journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, OPENING)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, 800_000))
        done = 0
        try:
            for number in range(100_000):
                await journal.submit(request(number, body=str(number).encode() * 200))
                await journal.submit(response(number))
                done += 2
        except JournalDown as down:
            print(done, down)
        try:
            journal.submit(refused())
            print("taken after the failure")
        except JournalDown:
            pass
        try:
            await journal.close()
            print("closed as if nothing had happened")
        except JournalDown:
            pass

    asyncio.run(main())
"""


def test_a_full_disk_stops_everything_loses_nothing_and_is_said(tmp_path: Path) -> None:
    tests = str(Path(__file__).parent.parent)
    filled = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FILLER), str(tmp_path), tests],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (line,) = filled.stdout.splitlines()
    done, says = line.split(" ", 1)
    assert "can't be written" in says
    assert int(done) > 10
    write_journal(tmp_path, [])
    report = verify_journal(tmp_path / "journal", None, tmp_path / "journal" / "anchors.log")
    assert report.ok, report
    assert report.size >= int(done)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that anybody can get to; pytest's own are for their owner alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        for path in Path(folder).rglob("*"):
            path.chmod(0o700)


def as_nobody(folder: Path, code: str) -> str:
    """Run code in `folder` as somebody whom file permissions bind, root too; gives its output."""
    program = f"""
import asyncio, os, sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pathlib import Path
from journals import write_journal
from gatekeeper.journal import JournalDown, Reader, verify_journal
# Everything is imported before the user changes: nobody may not read root's Python.
loaded = Path({str(folder.parent / "loaded")!r})
write_journal(loaded, [])
verify_journal(loaded / "journal")
Reader(loaded / "journal", None).close()
os.chdir({str(folder)!r})
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
{textwrap.dedent(code)}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_folder_that_cannot_be_written_is_named(public: Path) -> None:
    folder = public / "data"
    folder.mkdir()
    folder.chmod(0o555)
    said = as_nobody(
        folder,
        """
        try:
            write_journal(Path("."), [])
        except JournalDown as down:
            print(down)
        """,
    )
    assert said == "journal: can't be made: Permission denied; make it, or name another one\n"


def test_a_closed_journal_is_read_and_verified_in_a_folder_that_cannot_be_written(public: Path) -> None:
    folder = public / "data"
    write_journal(folder, typical())
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)
    before = sorted(folder.rglob("*"))
    said = as_nobody(
        folder,
        """
        assert not os.access("journal", os.W_OK)
        report = verify_journal(Path("journal"), None, Path("journal/anchors.log"))
        print(report.ok, report.problem)
        with Reader(Path("journal"), Path("keys")) as reader:
            print(reader.size, reader.content(reader.entry(2)).data)
        try:
            write_journal(Path("."), [])
        except JournalDown as down:
            print(down)
        """,
    )
    ok, size, down = said.splitlines()
    assert ok == "True None"
    assert size.endswith("""b'{"q":"hello"}'""")
    assert "journal" in down
    assert sorted(folder.rglob("*")) == before


def head_in_the_way(folder: Path) -> None:
    (folder / "journal" / "head").unlink()
    (folder / "journal" / "head").mkdir()


async def failing(folder: Path, spoil: Callable[[Path], None], opener: Opener) -> str:
    """Let a running journal meet a fault; gives what it says. Nothing passes from then on."""
    journal = await opener(folder)
    await journal.submit(refused())
    spoil(folder)
    pending = [journal.submit(draft) for draft in (request(1), request(2), response(1))]
    results = await asyncio.gather(*pending, return_exceptions=True)
    if spoil is head_in_the_way:  # it follows the commit, so these are durable; nothing comes after them
        assert all(isinstance(result, Receipt) for result in results), results
        while journal.failed is None:  # noqa: ASYNC110 - the journal tells nobody
            await asyncio.sleep(0.005)
    else:
        assert all(isinstance(result, JournalDown) for result in results), results
    assert journal.failed is not None
    with pytest.raises(JournalDown):
        journal.submit(refused())
    with pytest.raises(JournalDown):
        await journal.close()
    return journal.failed


def no_keys(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "keys" / "keys.db")) as database, database:
        database.execute("DROP TABLE data_key")


def no_table(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database, database:
        database.execute("DROP TABLE body")


@pytest.mark.parametrize("opener", [in_thread, in_process])
@pytest.mark.parametrize("spoil", [head_in_the_way, no_keys, no_table])
def test_whatever_can_not_be_written_ends_the_journal_for_all_who_wait(
    tmp_path: Path, spoil: Callable[[Path], None], opener: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    said = asyncio.run(failing(tmp_path, spoil, opener))
    assert "can't be written" in said
    assert "\n" not in said
    assert said in caplog.text


@pytest.mark.parametrize("opener", [in_thread, in_process])
def test_after_a_failure_the_folder_is_free_again(tmp_path: Path, opener: Opener) -> None:
    asyncio.run(failing(tmp_path, head_in_the_way, opener))
    (tmp_path / "journal" / "head").rmdir()
    write_journal(tmp_path, [refused()])
    assert verify_journal(tmp_path / "journal").ok


@pytest.mark.parametrize("opener", [in_thread, in_process])
def test_an_anchor_that_cannot_be_written_is_a_failure_too(tmp_path: Path, opener: Opener) -> None:
    async def close() -> None:
        journal = await opener(tmp_path)
        (tmp_path / "journal" / "anchors.log").unlink()
        (tmp_path / "journal" / "anchors.log").mkdir()
        with pytest.raises(JournalDown, match="can't be written: Is a directory"):
            await journal.close()

    asyncio.run(close())


@pytest.mark.parametrize("garbage", [b"", b"no database at all", b"SQLite format 3\0" + bytes(4096)])
def test_garbage_is_reported_and_never_verified(tmp_path: Path, garbage: bytes) -> None:
    write_journal(tmp_path, typical())
    (tmp_path / "journal" / "journal.db").write_bytes(garbage)
    assert not verify_journal(tmp_path / "journal").ok
    with pytest.raises(JournalDown):
        write_journal(tmp_path, [])


def test_a_reader_that_never_ends_does_not_stop_the_writer_and_its_wal_ends_with_it(tmp_path: Path) -> None:
    async def write() -> tuple[int, int]:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        wal = tmp_path / "journal" / "journal.db-wal"
        with contextlib.closing(
            sqlite3.connect(f"file:{tmp_path / 'journal' / 'journal.db'}?mode=ro", uri=True)
        ) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM entry").fetchone() == (1,)
            for number in range(400):
                await journal.submit(request(number, body=os.urandom(20_000)))
            held = wal.stat().st_size
            assert reader.execute("SELECT count(*) FROM entry").fetchone() == (1,)
        for number in range(400, 440):
            await journal.submit(request(number))
        await journal.close()
        return held, wal.stat().st_size if wal.exists() else 0

    held, after = asyncio.run(write())
    assert held > 4_000_000
    assert after == 0
    assert verify_journal(tmp_path / "journal").ok


def test_our_own_readers_keep_the_wal_small(tmp_path: Path) -> None:
    """Verification takes slices: beside a running writer the WAL does not grow with what is written."""

    async def write() -> int:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        for draft in typical(300):
            journal.submit(draft)
        await journal.submit(refused())
        loop, largest = asyncio.get_running_loop(), 0
        for number in range(1000, 1060):
            looking = loop.run_in_executor(None, verify_journal, tmp_path / "journal")
            await asyncio.gather(
                *[journal.submit(request(number * 100 + at, body=os.urandom(5_000))) for at in range(20)]
            )
            largest = max(largest, (tmp_path / "journal" / "journal.db-wal").stat().st_size)
            assert (await looking).ok
        await journal.close()
        return largest

    assert asyncio.run(write()) < 4_000_000


def test_a_database_that_another_program_has_locked_is_named(tmp_path: Path) -> None:
    write_journal(tmp_path, [])
    with contextlib.closing(sqlite3.connect(tmp_path / "journal" / "journal.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalDown, match="locked"):
            write_journal(tmp_path, [])
        other.execute("ROLLBACK")
    write_journal(tmp_path, [])
    assert verify_journal(tmp_path / "journal").ok
