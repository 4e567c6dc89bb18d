import asyncio
import contextlib
import errno
import hashlib
import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from journals import OPENING, ORIGIN, SESSION, refused, request, response, typical, write, write_journal

from gatekeeper.exchange import Instant
from gatekeeper.journal import Content, Draft, Journal, JournalDown, Opening, Reader, RefusedData, verify_journal
from gatekeeper.journal import keys as keys_module
from gatekeeper.journal import writer as writer_module
from gatekeeper.journal.anchors import split_anchors
from gatekeeper.journal.keys import load_signing_key
from gatekeeper.journal.leaf import LEAF_LIMIT
from gatekeeper.journal.merkle import Frontier, leaf_hash
from gatekeeper.journal.note import Checkpoint, sign_checkpoint
from gatekeeper.journal.store import LogStore


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database:
        return database.execute(query).fetchall()


def test_what_is_written_is_read_back_in_order(tmp_path: Path) -> None:
    drafts = typical()
    receipts = write_journal(tmp_path, drafts)
    with Reader(tmp_path / "journal", tmp_path / "keys") as reader:
        entries = list(reader.entries(0, reader.size))
        assert [entry.seq for entry in entries] == list(range(reader.size))
        assert [entry.kind for entry in entries] == ["open", *(draft.data.kind for draft in drafts), "close"]
        assert [entry.leaf_hash.hex() for entry in entries[1:-1]] == [receipt.leaf for receipt in receipts]
        body = reader.content(reader.entry(2))
        assert body is not None
        assert body.data == b'{"q":"hello"}'
        assert body.timeline is None
        (session,) = reader.sessions()
        assert session[0] == SESSION


def test_it_verifies_with_a_key_from_outside_and_with_its_anchors(tmp_path: Path) -> None:
    write_journal(tmp_path, typical(20))
    vkey = (tmp_path / "journal" / "journal.vkey").read_text()
    report = verify_journal(tmp_path / "journal", vkey, tmp_path / "journal" / "anchors.log")
    assert report.ok, report
    assert report.key_from_outside
    assert report.anchors_checked == 2
    assert report.entries == report.size


def test_without_a_key_from_outside_it_says_so(tmp_path: Path) -> None:
    write_journal(tmp_path, [])
    report = verify_journal(tmp_path / "journal")
    assert report.ok
    assert not report.key_from_outside
    assert any("folder's own" in warning for warning in report.warnings)


def test_leaves_have_the_canonical_form_of_the_page(tmp_path: Path) -> None:
    write_journal(tmp_path, typical())
    for (leaf,) in rows(tmp_path, "SELECT leaf FROM entry"):
        assert isinstance(leaf, bytes)
        value = json.loads(leaf)
        assert json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == leaf
        assert set(value) - {"exchange", "session"} == {"data", "seq", "time", "type", "v"}
        assert "type" not in value["data"]


def test_a_body_can_be_opened_from_the_page_alone(tmp_path: Path) -> None:
    import zstandard

    write_journal(tmp_path, [request(0), response(0)])
    ((leaf, stored),) = rows(tmp_path, "SELECT leaf, data FROM entry JOIN body USING (seq) WHERE seq = 1")
    body = json.loads(leaf)["data"]["body"]
    assert body["parts"] == [hashlib.sha256(stored).hexdigest()]
    with contextlib.closing(sqlite3.connect(tmp_path / "keys" / "keys.db")) as keys:
        (key,) = keys.execute("SELECT key FROM data_key WHERE id = ?", [body["key"]]).fetchone()
        (dictionary,) = keys.execute("SELECT value FROM secret WHERE name = 'dictionary-1'").fetchone()
    assert hashlib.sha256(key).hexdigest() == body["key"]
    place = (1).to_bytes(8) + (0).to_bytes(8)
    frame = AESGCM(key).decrypt(stored[:12], stored[12:], place)
    plain = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary)).decompress(frame)
    assert plain == b'{"q":"hello"}'
    assert body["size"] == len(plain)


def test_runs_are_chained_and_time_never_goes_back(tmp_path: Path) -> None:
    write_journal(tmp_path, [refused()], lambda: Instant(2_000_000))
    write_journal(tmp_path, [refused()], lambda: Instant(1_000_000))
    assert verify_journal(tmp_path / "journal").ok
    with Reader(tmp_path / "journal", None) as reader:
        times = [entry.time for entry in reader.entries(0, reader.size)]
    assert times == [2_000_000] * len(times)


def test_an_exchange_that_a_crash_left_open_is_marked_truncated_in_order(tmp_path: Path) -> None:
    crashed = tmp_path / "crashed"

    async def crash() -> None:
        journal = Journal.open(tmp_path / "live" / "journal", tmp_path / "live" / "keys", ORIGIN, OPENING)
        for draft in [request(1), request(2), response(1), request(3)]:
            await journal.submit(draft)
        shutil.copytree(tmp_path / "live", crashed)
        await journal.close()

    asyncio.run(crash())
    write_journal(crashed, [])
    assert verify_journal(crashed / "journal").ok
    with Reader(crashed / "journal", None) as reader:
        kinds = [(entry.kind, entry.exchange) for entry in reader.entries(0, reader.size)]
    assert kinds[-4:] == [
        ("open", None),
        ("truncated", f"{2:016x}"),
        ("truncated", f"{3:016x}"),
        ("close", None),
    ]


def test_files_are_the_owners_alone(tmp_path: Path) -> None:
    async def look() -> dict[str, int]:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        await journal.submit(refused())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
        await journal.close()
        return modes

    modes = asyncio.run(look())
    assert {"journal.db", "journal.db-wal", "head", "anchors.log", "journal.vkey", "journal.key", "keys.db"} <= set(
        modes
    )
    for name, mode in modes.items():
        assert mode == (0o700 if name in {"journal", "keys"} else 0o600), name


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    async def two() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        with pytest.raises(JournalDown, match="another gateway writes"):
            Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        await journal.close()

    asyncio.run(two())


def test_an_entry_that_does_not_fit_is_refused_at_once_and_the_journal_goes_on(tmp_path: Path) -> None:
    async def too_large() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        data = RefusedData(reason="x" * LEAF_LIMIT, subject=None, peer="", target=None, count=1)
        with pytest.raises(ValueError, match="64 KiB"):
            journal.submit(Draft(data=data))
        lone = RefusedData(reason="\ud800", subject=None, peer="", target=None, count=1)
        with pytest.raises(ValueError, match="surrogate"):
            journal.submit(Draft(data=lone))
        await journal.submit(refused())
        await journal.close()

    asyncio.run(too_large())
    assert verify_journal(tmp_path / "journal").ok


def test_nothing_is_taken_once_it_is_closed(tmp_path: Path) -> None:
    async def late() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        await journal.close()
        with pytest.raises(JournalDown):
            journal.submit(refused())

    asyncio.run(late())


def test_order_of_entries_is_order_of_calls_under_load(tmp_path: Path) -> None:
    async def flood() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        futures = [journal.submit(request(number, body=str(number).encode())) for number in range(500)]
        futures += [journal.submit(response(number)) for number in range(500)]
        receipts = await asyncio.gather(*futures)
        assert [receipt.seq for receipt in receipts] == list(range(1, 1001))
        await journal.close()

    asyncio.run(flood())
    assert verify_journal(tmp_path / "journal").ok


def test_checkpoints_are_kept_one_a_minute(tmp_path: Path) -> None:
    ticks = iter(range(10**9))

    async def minutes() -> None:
        journal = Journal.open(
            tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING, lambda: Instant(next(ticks) * 1_000_000)
        )
        for _ in range(200):
            await journal.submit(refused())
        await journal.close()

    asyncio.run(minutes())
    report = verify_journal(tmp_path / "journal")
    assert report.ok, report
    kept = [size for (size,) in rows(tmp_path, "SELECT size FROM checkpoint ORDER BY size")]
    assert kept[0] == 1
    assert kept[-1] == report.size
    assert len(kept) in {4, 5}
    assert (tmp_path / "journal" / "head").read_text() == rows(
        tmp_path, "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1"
    )[0][0]


def test_the_newest_checkpoint_is_anchored_after_a_while_also_when_idle_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "ANCHOR_EVERY", 0.1)
    anchors = tmp_path / "journal" / "anchors.log"

    async def idle() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        await journal.submit(refused())
        while anchors.read_text().count("\n\n") < 4:  # noqa: ASYNC110 - what is awaited is a file
            await asyncio.sleep(0.01)
        await journal.submit(refused())
        await journal.close()

    asyncio.run(asyncio.wait_for(idle(), 30))
    notes, _ = split_anchors(anchors.read_bytes())
    assert [note.splitlines()[1] for note in notes][:2] == ["1", "2"]
    kept = {note for (note,) in rows(tmp_path, "SELECT note FROM checkpoint")}
    assert set(notes) <= kept


PARTS = ["journal/journal.db", "keys/journal.key", "journal/journal.vkey", "keys/keys.db"]


@pytest.mark.parametrize("missing", PARTS)
def test_half_a_journal_is_no_journal_and_nothing_is_made_in_its_place(tmp_path: Path, missing: str) -> None:
    write_journal(tmp_path, typical())
    (tmp_path / missing).unlink()
    before = contents(tmp_path)
    with pytest.raises(JournalDown, match=f"{missing}: is missing while .* is there; restore the folder") as caught:
        write_journal(tmp_path, [])
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("left", [*PARTS, "journal/head", "journal/anchors.log"])
def test_what_is_left_of_a_journal_is_not_built_upon(tmp_path: Path, left: str) -> None:
    write_journal(tmp_path, [])
    for name in (*PARTS, "journal/head", "journal/anchors.log"):
        if name != left:
            (tmp_path / name).unlink()
    before = contents(tmp_path)
    with pytest.raises(JournalDown, match="is missing while"):
        write_journal(tmp_path, [])
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def other_vkey(folder: Path) -> None:
    other = folder / "other"
    write_journal(other, [])
    shutil.copy(other / "journal" / "journal.vkey", folder / "journal" / "journal.vkey")


def other_key(folder: Path) -> None:
    other = folder / "other"
    write_journal(other, [])
    shutil.copy(other / "keys" / "journal.key", folder / "keys" / "journal.key")


def no_key(folder: Path) -> None:
    (folder / "keys" / "journal.key").write_text("no key")


def rsa_key(folder: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "keys" / "journal.key").write_bytes(pem)


def empty_keys(folder: Path) -> None:
    (folder / "keys" / "keys.db").write_bytes(b"")


def empty_log(folder: Path) -> None:
    (folder / "journal" / "journal.db").write_bytes(b"")


def statement(text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database:
            database.execute(text)
            database.commit()

    return change


def garbage_head(folder: Path) -> None:
    (folder / "journal" / "head").write_text("garbage")


def garbage_anchors(folder: Path) -> None:
    (folder / "journal" / "anchors.log").write_text("garbage\n" * 1000)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (other_vkey, "is not the key that signs here"),
        (other_key, "is not the key that signs here"),
        (no_key, "signing key can't be read"),
        (rsa_key, "no Ed25519 key"),
        (empty_keys, "does not hold the keys"),
        (empty_log, "holds no journal"),
        (garbage_head, "not of the form"),
        (garbage_anchors, "no list of notes"),
        (statement("UPDATE meta SET value = '5' WHERE key = 'start'"), "does not write"),
        (statement("UPDATE meta SET value = '2' WHERE key = 'format'"), "does not write"),
        (statement("DELETE FROM checkpoint"), "newest checkpoint"),
        (statement("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)"), "newest checkpoint"),
        (statement("UPDATE entry SET leaf = x'00' WHERE seq = 3"), "newest checkpoint"),
    ],
)
def test_a_journal_that_is_not_whole_does_not_start(tmp_path: Path, change: Callable[[Path], None], says: str) -> None:
    write_journal(tmp_path, typical())
    change(tmp_path)
    entries = rows(tmp_path, "SELECT * FROM entry") if change is not empty_log else []
    with pytest.raises(JournalDown, match=says) as caught:
        write_journal(tmp_path, [])
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    if entries:
        assert rows(tmp_path, "SELECT * FROM entry") == entries


def test_what_fails_before_the_first_commit_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(LogStore, "create", full)
        with pytest.raises(JournalDown, match="No space left"):
            write_journal(tmp_path, [])
    assert contents(tmp_path) == {}
    write_journal(tmp_path, [refused()])
    assert verify_journal(tmp_path / "journal").ok


def test_signers_that_do_not_fit_are_named(tmp_path: Path) -> None:
    opening = Opening(version="1", config_text="", signers="x" * LEAF_LIMIT)
    with pytest.raises(JournalDown, match="allowed_signers does not fit"):
        Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, opening)
    assert contents(tmp_path) == {}


def test_a_missing_or_older_head_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_journal(tmp_path, [refused()])
    head = tmp_path / "journal" / "head"
    older = head.read_bytes()
    write_journal(tmp_path, [refused()])
    assert not caplog.records
    head.write_bytes(older)
    write_journal(tmp_path, [])
    assert "older" in caplog.text
    head.unlink()
    write_journal(tmp_path, [])
    assert "missing" in caplog.text
    assert verify_journal(tmp_path / "journal").ok


def test_what_is_open_when_it_closes_is_truncated(tmp_path: Path) -> None:
    write_journal(tmp_path, [request(1), request(2), response(1)])
    assert verify_journal(tmp_path / "journal").ok
    with Reader(tmp_path / "journal", None) as reader:
        assert [entry.kind for entry in reader.entries(4, reader.size)] == ["truncated", "close"]


def test_keys_of_sessions_last_over_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "MOST_KNOWN", 0)
    for number in range(3):
        write_journal(tmp_path, [request(number), response(number)])
    with contextlib.closing(sqlite3.connect(tmp_path / "keys" / "keys.db")) as keys:
        assert keys.execute("SELECT session FROM data_key ORDER BY session").fetchall() == [("",), (SESSION,)]
    with Reader(tmp_path / "journal", tmp_path / "keys") as reader:
        contents = [reader.content(entry) for entry in reader.entries(0, reader.size) if entry.kind == "request"]
    assert [content.data for content in contents if content is not None] == [b'{"q":"hello"}'] * 3


def test_another_origin_is_refused(tmp_path: Path) -> None:
    write_journal(tmp_path, [])
    with pytest.raises(JournalDown, match="another origin"):
        Journal.open(tmp_path / "journal", tmp_path / "keys", "other.example", OPENING)


def test_a_log_that_was_rolled_back_does_not_start(tmp_path: Path) -> None:
    write_journal(tmp_path, [refused()])
    old = (tmp_path / "journal" / "journal.db").read_bytes()
    write_journal(tmp_path, [refused()])
    (tmp_path / "journal" / "journal.db").write_bytes(old)
    with pytest.raises(JournalDown, match="are gone"):
        write_journal(tmp_path, [])


def test_a_log_of_other_entries_does_not_start_even_if_the_key_signed_it(tmp_path: Path) -> None:
    write_journal(tmp_path, [refused()])
    beside = (tmp_path / "journal" / "head").read_bytes(), (tmp_path / "journal" / "anchors.log").read_bytes()
    key = load_signing_key(tmp_path / "keys" / "journal.key")
    with contextlib.closing(sqlite3.connect(tmp_path / "journal" / "journal.db")) as database, database:
        database.execute("UPDATE entry SET leaf = CAST(replace(leaf, '10.0.0.1', '10.0.0.2') AS BLOB) WHERE seq = 1")
        frontier = Frontier()
        for (leaf,) in database.execute("SELECT leaf FROM entry ORDER BY seq").fetchall():
            frontier.append(leaf_hash(leaf))
        database.execute("DELETE FROM checkpoint")
        note = sign_checkpoint(Checkpoint(ORIGIN, frontier.size, frontier.root()), key)
        database.execute("INSERT INTO checkpoint VALUES (?, ?)", [frontier.size, note])
    assert ((tmp_path / "journal" / "head").read_bytes(), (tmp_path / "journal" / "anchors.log").read_bytes()) == beside
    with pytest.raises(JournalDown, match="head is over other entries"):
        write_journal(tmp_path, [])
    (tmp_path / "journal" / "head").unlink()
    with pytest.raises(JournalDown, match="the last anchor is over other entries"):
        write_journal(tmp_path, [])


def test_a_torn_anchor_is_taken_off_and_an_empty_head_is_no_head(tmp_path: Path) -> None:
    write_journal(tmp_path, [refused()])
    with (tmp_path / "journal" / "anchors.log").open("a") as anchors:
        anchors.write("test.example/journal\n17\nabc")
    (tmp_path / "journal" / "head").write_text("")
    write_journal(tmp_path, [refused()])
    report = verify_journal(tmp_path / "journal", None, tmp_path / "journal" / "anchors.log")
    assert report.ok, report
    assert report.anchors_checked == 4


def test_it_can_be_read_and_verified_beside_its_writer(tmp_path: Path) -> None:
    async def beside() -> None:
        await write(tmp_path, typical(), close=True)
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        await journal.submit(Draft(data=request(9).data, exchange=request(9).exchange, session=SESSION,
                                   content=Content("text/plain", b"x")))  # fmt: skip
        report = await asyncio.to_thread(verify_journal, tmp_path / "journal")
        assert report.ok, report
        await journal.submit(response(9))
        await journal.close()

    asyncio.run(beside())


def test_a_long_reader_shows_in_the_wal_and_when_it_ends_the_wal_is_taken_in(tmp_path: Path) -> None:
    async def write() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        log = tmp_path / "journal" / "journal.db"
        with contextlib.closing(sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entry").fetchone()
            for number in range(20):
                await journal.submit(request(number, body=os.urandom(1 << 18)))
            assert journal.wal > 4 << 20
        await journal.submit(refused())
        await journal.seal()
        await journal.submit(refused())
        assert journal.wal < 4 << 20
        await journal.close()

    asyncio.run(write())
    assert verify_journal(tmp_path / "journal").ok
