"""Segments: sealed, carried over, verified together and apart; a key that changes; what a crash in between leaves."""

import asyncio
import contextlib
import hashlib
import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, override

import pytest
from journals import OPENING, ORIGIN, exchange_id, refused, request, response, typical, write_journal

from gatekeeper.exchange import Instant
from gatekeeper.identity.locks import Lock, LockKind, Locks, lock_data
from gatekeeper.journal import (
    AdminData,
    AdminEvent,
    Draft,
    Journal,
    JournalDown,
    Limits,
    Reader,
    read_admin,
    sealing,
    verify_journal,
)
from gatekeeper.journal import writer as module
from gatekeeper.journal.segments import Segments

type Step = Callable[[Journal], object]


async def run(folder: Path, *steps: Step, close: bool = True) -> None:
    journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, OPENING)
    for step in steps:
        await step(journal)  # type: ignore[misc]
    if close:
        await journal.close()


def put(*drafts: object) -> Step:
    return lambda journal: asyncio.gather(*[journal.submit(draft) for draft in drafts])  # type: ignore[arg-type]


def seal(*, rotate: bool = False) -> Step:
    return lambda journal: journal.seal(rotate=rotate)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "journal").glob("journal*.db"))


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """Three segments; an exchange is open over both seams, and the key changes at the second."""
    steps = [put(*typical(90), request(1000)), seal(), put(*typical(40, 100)), seal(rotate=True), put(response(1000))]
    asyncio.run(run(tmp_path, *steps))
    return tmp_path


def test_a_log_in_segments_verifies_as_one(three: Path) -> None:
    assert len(names(three)) == 3
    report = verify_journal(three / "journal", None, three / "journal" / "anchors.log")
    assert report.ok, report
    assert (report.segments, report.start, report.entries) == (3, 0, report.size)
    with Reader(three / "journal", three / "keys") as reader:
        entries = list(reader.entries(0, reader.size))
        assert [entry.seq for entry in entries] == list(range(report.size))
        assert all(reader.content(entry) for entry in entries if getattr(entry.data, "body", None))


def test_any_key_that_the_chain_names_verifies_it(three: Path) -> None:
    texts = []
    for name in names(three):
        with closing(sqlite3.connect(three / "journal" / name)) as database:
            texts.append(database.execute("SELECT value FROM meta WHERE key = 'vkey'").fetchone()[0])
    assert texts[2] == texts[1] != texts[0] or len(set(texts)) == 2
    for text in set(texts):
        assert verify_journal(three / "journal", text).ok
    assert (three / "journal" / "journal.vkey").read_text() in texts


def test_segments_carry_what_the_page_says(three: Path) -> None:
    name = names(three)[0] if names(three)[0] != "journal-000000000000.db" else names(three)[1]
    with closing(sqlite3.connect(three / "journal" / name)) as database:
        meta = dict(database.execute("SELECT key, value FROM meta"))
        (leaf,) = database.execute("SELECT leaf FROM entry ORDER BY seq LIMIT 1").fetchone()
    start = int(meta["start"])
    carry = json.loads(meta["carry"])
    assert [len(row) // 64 for row in carry] == [(start >> 8 * level) % 256 for level in range(len(carry))]
    carried = json.loads(meta["carried"])
    assert sorted(carried) == ["approvals", "exchanges", "grants"]
    assert [one["exchange"] for one in carried["exchanges"]] == [exchange_id(1000)]
    assert json.loads(leaf)["data"]["carried"] == hashlib.sha256(meta["carried"].encode()).hexdigest()


def test_the_oldest_can_be_moved_away_and_verified_there(three: Path, tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    cold.mkdir()
    oldest = "journal-000000000000.db"
    with closing(sqlite3.connect(three / "journal" / oldest)) as database:
        vkey = database.execute("SELECT value FROM meta WHERE key = 'vkey'").fetchone()[0]
    shutil.move(three / "journal" / oldest, cold / oldest)
    there = verify_journal(cold, vkey)
    assert there.ok, there
    here = verify_journal(three / "journal")
    assert here.ok, here
    assert here.start == there.size
    assert any("are not here" in warning for warning in here.warnings)
    write_journal(three, [refused()])
    assert verify_journal(three / "journal").ok


ATTACKS: dict[str, Callable[[Path, list[str]], object]] = {
    "a segment is gone": lambda folder, sealed: (folder / sealed[1]).unlink(),
    "the growing one is gone": lambda folder, _: (folder / "journal.db").unlink(),
    "carried is changed": lambda folder, _: _change(
        folder, 'UPDATE meta SET value = \'{"approvals":[],"exchanges":[],"grants":[]}\' WHERE key = \'carried\''
    ),
    "carry is changed": lambda folder, _: _change(
        folder, "UPDATE meta SET value = replace(value, 'a', 'b') WHERE key = 'carry'"
    ),
    "the seal is gone": lambda folder, sealed: _change(
        folder, "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)", sealed[1]
    ),
    "renamed": lambda folder, sealed: (folder / sealed[1]).rename(folder / "journal-000000000009.db"),
    "an entry of the first": lambda folder, sealed: _change(
        folder, "UPDATE entry SET leaf = CAST(replace(leaf, '10.0.0.1', '10.0.0.2') AS BLOB) WHERE seq = 1", sealed[0]
    ),
}


def _change(folder: Path, statement: str, name: str = "journal.db") -> None:
    with closing(sqlite3.connect(folder / name)) as database, database:
        assert database.execute(statement).rowcount


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_done_to_segments_is_found(three: Path, attack: str) -> None:
    sealed = [name for name in names(three) if name != "journal.db"]
    ATTACKS[attack](three / "journal", sealed)
    assert not verify_journal(three / "journal").ok


def test_it_goes_on_after_each_seal_and_proves_old_entries(three: Path) -> None:
    write_journal(three, typical(10, 200))
    assert verify_journal(three / "journal", None, three / "journal" / "anchors.log").ok
    with closing(Segments.open(three / "journal")) as segments:
        from gatekeeper.journal.merkle import leaf_hash
        from gatekeeper.journal.proofs import prove_inclusion, root_of_inclusion

        root = segments.root(segments.size)
        for seq, leaf in segments.leaves(0, segments.size):
            path = prove_inclusion(seq, segments.size, segments.subtree)
            assert root_of_inclusion(seq, segments.size, leaf_hash(leaf), path) == root


@pytest.mark.parametrize("rotate", [False, True])
@pytest.mark.parametrize("point", ["begin_segment", "move_database", "put_key_in_force", "replace"])
def test_a_crash_at_a_seam_is_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, *, rotate: bool
) -> None:
    class Crash(RuntimeError):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    async def crashing() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        await asyncio.gather(*[journal.submit(draft) for draft in [*typical(30), request(500)]])
        with monkeypatch.context() as patch:
            if point == "replace":
                moved = sealing.move_database
                patch.setattr(sealing, "move_database", lambda old, new: (moved(old, new), crash()))
            else:
                patch.setattr(module if point != "move_database" else sealing, point, crash)
            if point == "put_key_in_force" and not rotate:
                await journal.seal()
            else:
                with pytest.raises(JournalDown):
                    await journal.seal(rotate=rotate)
        with pytest.raises(JournalDown) if journal.failed else contextlib.nullcontext():
            await journal.close()

    asyncio.run(crashing())
    write_journal(tmp_path, typical(4, 600))
    report = verify_journal(tmp_path / "journal", None, tmp_path / "journal" / "anchors.log")
    assert report.ok, report
    assert not (tmp_path / "keys" / "journal.key.next").exists()


def test_a_full_segment_and_a_month_that_is_over_are_sealed(tmp_path: Path) -> None:
    month = 31 * 24 * 3600 * 1_000_000
    times = iter(range(0, 1000 * month, month // 40))

    async def write(limits: Limits, clock: Callable[[], Instant], count: int) -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING, clock, limits)
        for _ in range(count):
            await journal.submit(refused())
            await asyncio.sleep(0.002)
        await journal.close()

    asyncio.run(write(Limits(), lambda: Instant(next(times)), 200))
    monthly = len(names(tmp_path))
    assert monthly > 2
    asyncio.run(write(Limits(bytes=100_000, monthly=False), lambda: Instant(next(times)), 300))
    assert len(names(tmp_path)) > monthly
    assert verify_journal(tmp_path / "journal", None, tmp_path / "journal" / "anchors.log").ok


def test_no_segment_is_sealed_for_the_size_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is looked at while it is on its way to be sealed, too; what was seen then says nothing of the next."""
    monkeypatch.setattr(module, "SIZE_EVERY", 0.05)
    limit = 500_000

    class Slow(sealing.Following):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.due = time.monotonic() + 2.5 * module.SIZE_EVERY

        @override
        def result(self) -> sealing.OpenState | None:
            return super().result() if time.monotonic() >= self.due else None

    monkeypatch.setattr(module, "Following", Slow)

    async def write() -> None:
        limits = Limits(bytes=limit, monthly=False)
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING, limits=limits)
        while len(names(tmp_path)) < 3:
            await journal.submit(refused())
        await journal.close()

    asyncio.run(write())
    *sealed, _ = sorted((tmp_path / "journal").glob("journal*.db"), key=lambda path: path.stat().st_mtime)
    assert [path.stat().st_size >= limit for path in sealed] == [True] * len(sealed)


def test_a_reader_in_one_long_transaction_puts_a_seal_off_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEAL_AGAIN", 0.05)

    async def write() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        await journal.submit(refused())
        with closing(sqlite3.connect(f"file:{tmp_path / 'journal' / 'journal.db'}?mode=ro", uri=True)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entry").fetchone()
            await journal.submit(refused())
            sealed = journal.seal()
            for _ in range(20):
                await journal.submit(refused())
                await asyncio.sleep(0.02)
            assert not sealed.done()
        await asyncio.wait_for(sealed, 20)
        await journal.submit(refused())
        await journal.close()

    asyncio.run(write())
    assert len(names(tmp_path)) == 2
    assert verify_journal(tmp_path / "journal").ok


def test_it_verifies_and_reads_beside_a_writer_that_seals_all_the_time(tmp_path: Path) -> None:
    async def write() -> int:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        loop, looks = asyncio.get_running_loop(), 0

        def look() -> None:
            report = verify_journal(tmp_path / "journal")
            assert report.ok, report
            with Reader(tmp_path / "journal", None) as reader:
                size = reader.size
                assert [entry.seq for entry in reader.entries(0, size)] == list(range(size))

        for _ in range(12):
            looking = loop.run_in_executor(None, look)
            while not looking.done():
                await journal.submit(refused())
                await journal.seal()
            await looking
            looks += 1
        await journal.close()
        return looks

    assert asyncio.run(write()) == 12
    assert verify_journal(tmp_path / "journal").ok


BOT = Lock(kind=LockKind.SUBJECT, value="bot", issuer="https://issuer.example")
TOKEN = Lock(kind=LockKind.TOKEN, value="t-1", issuer="https://issuer.example")
EVERYBODY = Lock(kind=LockKind.ALL, value="", issuer="")


def admin(event: AdminEvent, lock: Lock) -> Draft:
    return Draft(data=lock_data(event, lock, "ops", "why"))


LOCKING = [
    admin(AdminEvent.LOCK, BOT),
    admin(AdminEvent.LOCK, EVERYBODY),
    admin(AdminEvent.REVOCATION, TOKEN),
    admin(AdminEvent.UNLOCK, EVERYBODY),
    Draft(data=AdminData(event=AdminEvent.BACKUP, by="ops", detail={"folder": "b"})),
]


def move_away(folder: Path) -> None:
    """Leave the newest segment alone."""
    for path in (folder / "journal").glob("journal-*.db"):
        path.unlink()


def test_what_is_locked_is_said_again_in_each_segment(tmp_path: Path) -> None:
    asyncio.run(run(tmp_path, put(request(1), *LOCKING), seal(), put(response(1), refused()), seal(), put(refused())))
    before = Locks.replay(read_admin(tmp_path / "journal")).held
    assert [held.lock for held in before] == [BOT, TOKEN]
    move_away(tmp_path)
    assert Locks.replay(read_admin(tmp_path / "journal")).held == before
    assert verify_journal(tmp_path / "journal").ok


def test_what_is_taken_off_is_not_said_again(tmp_path: Path) -> None:
    off = admin(AdminEvent.UNLOCK, BOT)
    asyncio.run(run(tmp_path, put(*LOCKING), seal(), put(off), seal()))
    move_away(tmp_path)
    assert [held.lock for held in Locks.replay(read_admin(tmp_path / "journal")).held] == [TOKEN]


def test_it_is_said_again_too_where_a_crash_came_before_the_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        msg = "power is gone"
        raise OSError(msg)

    async def stopped(journal: Journal) -> None:
        with pytest.raises(JournalDown):
            await journal.seal()
        with pytest.raises(JournalDown):
            await journal.close()

    with monkeypatch.context() as patch:
        patch.setattr(module, "begin_segment", crash)
        asyncio.run(run(tmp_path, put(request(1), *LOCKING), stopped, close=False))
    write_journal(tmp_path, [])
    move_away(tmp_path)
    assert [held.lock for held in Locks.replay(read_admin(tmp_path / "journal")).held] == [BOT, TOKEN]
    assert verify_journal(tmp_path / "journal").ok
