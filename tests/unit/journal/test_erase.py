"""Erasing: the entry first, then the key, so that no copy of it is left in any file."""

import asyncio
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from journals import OPENING, ORIGIN, SESSION, request, response, write_journal

from gatekeeper.exchange import SessionId
from gatekeeper.journal import EraseData, Journal, Reader, verify_journal
from gatekeeper.journal import files as files_module
from gatekeeper.journal.files import open_for_reading

OTHER = SessionId("0a" * 16)


def other(number: int) -> list[object]:
    return [msgspec.structs.replace(draft, session=OTHER) for draft in (request(number), response(number))]


def key_of(folder: Path, session: str) -> bytes | None:
    with closing(open_for_reading(folder / "keys" / "keys.db")) as database:
        row = database.execute("SELECT key FROM data_key WHERE session = ?", [session]).fetchone()
    return row[0] if row else None


def written(folder: Path, first: int = 1) -> tuple[bytes, bytes]:
    async def write() -> tuple[bytes, bytes]:
        journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, OPENING)
        for draft in [request(first), response(first), *other(first + 1)]:
            await journal.submit(draft)  # type: ignore[arg-type]
        keys = key_of(folder, SESSION), key_of(folder, OTHER)
        await journal.erase(SESSION, "ops", "Art. 17")
        assert_gone(folder, keys[0] or b"")
        await journal.submit(request(first + 2))
        await journal.submit(response(first + 2))
        await journal.close()
        return keys[0] or b"", keys[1] or b""

    return asyncio.run(write())


def assert_gone(folder: Path, key: bytes) -> None:
    assert len(key) == 32
    for path in folder.rglob("*"):
        if path.is_file():
            assert key not in path.read_bytes(), path


def test_no_copy_of_the_key_is_left_and_the_rest_verifies(tmp_path: Path) -> None:
    erased, kept = written(tmp_path)
    assert_gone(tmp_path, erased)
    assert kept in (tmp_path / "keys" / "keys.db").read_bytes()
    report = verify_journal(tmp_path / "journal")
    assert report.ok, report
    with Reader(tmp_path / "journal", tmp_path / "keys") as reader:
        contents = {entry.seq: reader.content(entry) for entry in reader.entries(0, reader.size)}
        kinds = [entry.kind for entry in reader.entries(0, reader.size)]
        erase = next(entry for entry in reader.entries(0, reader.size) if entry.kind == "erase")
    assert kinds == ["open", "request", "response", "request", "response", "erase", "request", "response", "close"]
    assert [contents[seq] is not None for seq in range(9)] == [True, False, False, True, True, False, True, True, False]
    assert isinstance(erase.data, EraseData)
    assert (erase.data.session, erase.data.by, erase.data.why, len(erase.data.keys)) == (SESSION, "ops", "Art. 17", 1)


def test_keys_that_a_backup_brings_back_are_destroyed_at_start(tmp_path: Path) -> None:
    write_journal(tmp_path, [request(1), response(1)])
    key = key_of(tmp_path, SESSION) or b""
    backup = (tmp_path / "keys" / "keys.db").read_bytes()
    written(tmp_path, first=10)
    (tmp_path / "keys" / "keys.db").write_bytes(backup)
    assert key in (tmp_path / "keys" / "keys.db").read_bytes()
    write_journal(tmp_path, [])
    assert_gone(tmp_path, key)


def test_a_session_without_a_key_is_said_to_be_none_and_nothing_is_recorded(tmp_path: Path) -> None:
    async def erase() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        with pytest.raises(LookupError, match="no key"):
            await journal.erase(SESSION, "ops", "Art. 17")
        await journal.close()

    asyncio.run(erase())
    with Reader(tmp_path / "journal", None) as reader:
        assert [entry.kind for entry in reader.entries(0, reader.size)] == ["open", "close"]


def test_a_reader_that_keeps_the_wal_is_named_and_the_next_start_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "BUSY_TIMEOUT", 0.05)

    async def erase() -> bytes:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        await journal.submit(request(1))
        key = key_of(tmp_path, SESSION) or b""
        with closing(open_for_reading(tmp_path / "keys" / "keys.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM data_key").fetchall()
            with pytest.raises(TimeoutError, match="reader"):
                await journal.erase(SESSION, "ops", "Art. 17")
        await journal.close()
        return key

    key = asyncio.run(erase())
    write_journal(tmp_path, [])
    assert_gone(tmp_path, key)
