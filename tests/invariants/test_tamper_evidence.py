"""Invariant 7: any change to recorded entries is found by `journal verify`, or by comparing an earlier checkpoint.

One case for each class of attack that JOURNAL.md promises to find, and random bit flips.
"""

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from journals import refused, typical, write_journal

from gatekeeper.exchange import Instant
from gatekeeper.journal import Draft, OpenData, files, verify_journal
from gatekeeper.journal.anchors import split_anchors
from gatekeeper.journal.codec import Codec
from gatekeeper.journal.draft import encode_draft
from gatekeeper.journal.group import Growth
from gatekeeper.journal.keys import DataKey, SessionKey, create_signing_key, load_signing_key
from gatekeeper.journal.merkle import Frontier, Hash, leaf_hash
from gatekeeper.journal.note import Checkpoint, VerificationKey, sign_checkpoint, verification_key
from gatekeeper.journal.store import LogStore


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with a full tile, several runs, bodies, chunks, errors."""
    folder = tmp_path_factory.mktemp("journal")
    write_journal(folder, typical(3))
    write_journal(folder, [refused() for _ in range(300)])
    assert verify_journal(folder / "journal").ok
    return folder


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def change(folder: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database, database:
        for statement in statements:
            database.execute(statement)


EDIT = "UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), '{}', '{}') AS BLOB) WHERE seq = {}"

LAST = "(SELECT max(seq) FROM entry)"

ATTACKS = {
    "edit": [EDIT.format("10.0.0.1", "10.0.0.2", 1)],
    "edit of a verdict": [EDIT.format('"allow"', '"denys"', 2)],
    "altered time": [EDIT.format('"time":1', '"time":2', 5)],
    "delete": ["DELETE FROM entry WHERE seq = 4"],
    "delete and close the gap": ["DELETE FROM entry WHERE seq = 4", "UPDATE entry SET seq = seq - 1 WHERE seq > 4"],
    "insert": [f"INSERT INTO entry SELECT {LAST} + 1, leaf FROM entry WHERE seq = 1"],
    "reorder": [
        "UPDATE entry SET seq = -7 WHERE seq = 1",
        "UPDATE entry SET seq = 1 WHERE seq = 2",
        "UPDATE entry SET seq = 2 WHERE seq = -7",
    ],
    "swapped bodies": [
        "UPDATE body SET seq = -7 WHERE seq = 2",
        "UPDATE body SET seq = 2 WHERE seq = 3",
        "UPDATE body SET seq = 3 WHERE seq = -7",
    ],
    "changed body": ["UPDATE body SET data = zeroblob(length(data)) WHERE seq = 2"],
    "missing body": ["DELETE FROM body WHERE seq = 2"],
    "body of nobody": ["INSERT INTO body VALUES (1, 0, x'00')"],
    "body part too many": ["INSERT INTO body VALUES (2, 1, x'00')"],
    "changed tile": ["UPDATE tile SET hashes = zeroblob(8192)"],
    "missing tile": ["DELETE FROM tile"],
    "tile too many": ["INSERT INTO tile VALUES (0, 1, zeroblob(8192))"],
    "tile of another level": ["INSERT INTO tile VALUES (3, 0, zeroblob(8192))"],
    "truncation that leaves checkpoints": [f"DELETE FROM entry WHERE seq >= {LAST} - 2"],
    "checkpoint without a signature": [
        "UPDATE checkpoint SET note = substr(note, 1, 90) WHERE size = (SELECT max(size) FROM checkpoint)"
    ],
    "checkpoint moved": ["UPDATE checkpoint SET size = size - 1 WHERE size = (SELECT max(size) FROM checkpoint)"],
    "no checkpoint": ["DELETE FROM checkpoint"],
    "table too many": ["CREATE TABLE notes (text TEXT)"],
    "index too many": ["CREATE INDEX by_level ON tile (level)"],
    "view": ["CREATE VIEW entries AS SELECT * FROM entry"],
    "trigger": ["CREATE TRIGGER eraser AFTER INSERT ON entry BEGIN DELETE FROM body; END"],
    "meta": ["UPDATE meta SET value = 'other.example' WHERE key = 'origin'"],
    "meta too many": ["INSERT INTO meta VALUES ('note', 'value')"],
    "user_version": ["PRAGMA user_version = 2"],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_log_is_found(copy: Path, attack: str) -> None:
    change(copy, *ATTACKS[attack])
    report = verify_journal(copy / "journal")
    assert not report.ok
    assert report.problem


FIRST_BAD = {
    "edit": 1,
    "edit of a verdict": 2,
    "delete": 4,
    "delete and close the gap": 4,
    "reorder": 1,
    "swapped bodies": 2,
    "changed body": 2,
    "missing body": 2,
    "body of nobody": 1,
    "body part too many": 2,
}


@pytest.mark.parametrize("attack", FIRST_BAD)
def test_the_first_bad_entry_is_named(copy: Path, attack: str) -> None:
    change(copy, *ATTACKS[attack])
    assert verify_journal(copy / "journal").first_bad == FIRST_BAD[attack]


def test_an_entry_that_its_tile_does_not_hold_is_named(copy: Path) -> None:
    change(copy, EDIT.format("10.0.0.1", "10.0.0.2", 20))
    assert verify_journal(copy / "journal").first_bad == 20


def test_with_its_tile_changed_too_an_entry_is_named_by_the_last_good_checkpoint(copy: Path) -> None:
    """An edited leaf and tiles to match: only the signed roots tell, and no checkpoint stands between 1 and 12."""
    sizes = checkpoints(copy)
    change(copy, EDIT.format("10.0.0.1", "10.0.0.2", 20))
    rebuild_tiles(copy)
    report = verify_journal(copy / "journal")
    assert not report.ok
    assert report.first_bad == max(size for size in sizes if size <= 20)


def read(folder: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database:
        return database.execute(query).fetchall()


def checkpoints(folder: Path) -> list[int]:
    return [int(str(size)) for (size,) in read(folder, "SELECT size FROM checkpoint ORDER BY size")]


def rebuild_tiles(folder: Path) -> None:
    frontier = Frontier()
    tiles = [
        tile
        for (leaf,) in read(folder, "SELECT leaf FROM entry ORDER BY seq")
        for tile in frontier.append(leaf_hash(leaf if isinstance(leaf, bytes) else b""))
    ]
    with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database, database:
        database.execute("DELETE FROM tile")
        database.executemany("INSERT INTO tile VALUES (?, ?, ?)", tiles)


HEADS = {
    "of more entries": lambda folder: signed_head(folder, 10_000),
    "of other entries": lambda folder: signed_head(folder, 5),
    "unsigned": lambda folder: (folder / "journal" / "head").write_text("test.example/journal\n5\n"),
    "no text": lambda folder: (folder / "journal" / "head").write_bytes(b"\xff\xfe"),
}


def signed_head(folder: Path, size: int) -> int:
    note = sign_checkpoint(
        Checkpoint("test.example/journal", size, Hash(bytes(32))), load_signing_key(folder / "keys" / "journal.key")
    )
    return (folder / "journal" / "head").write_text(note)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_the_log_does_not_extend_is_found(copy: Path, head: str) -> None:
    HEADS[head](copy)
    assert not verify_journal(copy / "journal").ok


def test_a_segment_is_not_passed_unread(copy: Path) -> None:
    shutil.copy(copy / "journal" / "journal.db", copy / "journal" / "journal-000000000000.db")
    report = verify_journal(copy / "journal")
    assert not report.ok
    assert "segment" in (report.problem or "")


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE entry", "CREATE VIEW entry AS SELECT 0 AS seq, x'00' AS leaf"],
        ["PRAGMA writable_schema = 1", "UPDATE sqlite_schema SET sql = NULL WHERE name = 'tile'"],
        ["PRAGMA writable_schema = 1", "UPDATE sqlite_schema SET sql = 'CREATE TABLE tile (' WHERE name = 'tile'"],
        ["PRAGMA writable_schema = 1", "UPDATE sqlite_schema SET name = NULL WHERE name = 'tile'"],
        ["UPDATE checkpoint SET size = 9223372036854775807 WHERE size = (SELECT max(size) FROM checkpoint)"],
        ["UPDATE checkpoint SET size = -size"],
        ["INSERT INTO tile VALUES (9223372036854775807, 9223372036854775807, x'00')"],
        ["INSERT INTO entry VALUES (9223372036854775807, x'00')"],
        ["INSERT INTO body VALUES (-9223372036854775808, -1, x'00')"],
        ["UPDATE checkpoint SET note = CAST(x'ff' AS TEXT)"],
        ["UPDATE meta SET value = CAST(x'ff' AS TEXT)"],
        [EDIT.format('"10.0.0.1"', "[" * 20_000 + "]" * 20_000, 1)],
        [EDIT.format('"peer":"10.0.0.1"', '"peer":"\xff"', 1)],
    ],
)
def test_hostile_content_gets_a_report_not_a_traceback(copy: Path, statements: list[str]) -> None:
    change(copy, *statements)
    report = verify_journal(copy / "journal")
    assert not report.ok
    assert report.problem
    assert report.problem.isprintable()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE entry SET leaf = zeroblob(300000) WHERE seq = 1", "UPDATE body SET data = zeroblob(300000) WHERE seq = 2"],
)
def test_a_huge_value_is_not_read_into_memory(copy: Path, monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    monkeypatch.setattr(files, "VALUE_LIMIT", 200_000)
    change(copy, statement)
    assert "too big" in (verify_journal(copy / "journal").problem or "")


def rebuild(folder: Path, key: Ed25519PrivateKey, size: int | None = None) -> None:
    """Make tiles and checkpoints anew over what stands in the log, as a thief of the key would."""
    with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database, database:
        if size is not None:
            database.execute("DELETE FROM entry WHERE seq >= ?", [size])
            database.execute("DELETE FROM body WHERE seq >= ?", [size])
        database.execute("DELETE FROM tile")
        database.execute("DELETE FROM checkpoint")
        frontier = Frontier()
        for (leaf,) in database.execute("SELECT leaf FROM entry ORDER BY seq").fetchall():
            database.executemany("INSERT INTO tile VALUES (?, ?, ?)", frontier.append(leaf_hash(leaf)))
        (origin,) = database.execute("SELECT value FROM meta WHERE key = 'origin'").fetchone()
        note = sign_checkpoint(Checkpoint(origin, frontier.size, frontier.root()), key)
        database.execute("INSERT INTO checkpoint VALUES (?, ?)", [frontier.size, note])


def test_a_replaced_key_is_found_by_a_pinned_one(copy: Path) -> None:
    journal = copy / "journal"
    pinned = (journal / "journal.vkey").read_text()
    thief = Ed25519PrivateKey.generate()
    old = VerificationKey.parse(pinned)
    vkey = verification_key(old.origin, thief).text()
    for statement in (
        EDIT.format("10.0.0.1", "10.0.0.2", 1),
        f"UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), '{old.text()}', '{vkey}') AS BLOB)",
        f"UPDATE meta SET value = '{vkey}' WHERE key = 'vkey'",
    ):
        change(copy, statement)
    rebuild(copy, thief)
    (journal / "journal.vkey").write_text(vkey + "\n")
    assert not verify_journal(journal, pinned).ok


def rolled_back(folder: Path) -> None:
    """Leave the log as it was after its first run, whose `close` stands at its end."""
    rebuild(folder, load_signing_key(folder / "keys" / "journal.key"), size=11)


def re_signed(folder: Path) -> None:
    change(folder, EDIT.format("10.0.0.1", "10.0.0.2", 1))
    rebuild(folder, load_signing_key(folder / "keys" / "journal.key"))


@pytest.mark.parametrize("attack", [rolled_back, re_signed])
def test_with_the_key_stolen_only_an_anchor_from_outside_tells(copy: Path, attack: Callable[[Path], None]) -> None:
    outside = copy / "anchors-elsewhere"
    shutil.copy(copy / "journal" / "anchors.log", outside)
    pinned = (copy / "journal" / "journal.vkey").read_text()
    attack(copy)
    assert not verify_journal(copy / "journal", pinned, outside).ok


def test_anchors_of_another_journal_are_never_a_pass(copy: Path, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    anchors.write_text((copy / "journal" / "anchors.log").read_text().replace("test.example", "other.example"))
    report = verify_journal(copy / "journal", None, anchors)
    assert not report.ok
    assert report.anchors_useless


def test_anchors_that_others_signed_too_are_compared(copy: Path, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    text = (copy / "journal" / "anchors.log").read_text()
    witness = "\u2014 witness.example AAAAAAAA\n"
    anchors.write_text("".join(f"{note}{witness}\n" for note in split_anchors(text.encode())[0]))
    report = verify_journal(copy / "journal", None, anchors)
    assert report.ok, report
    assert report.anchors_checked == 4


def test_an_anchor_that_is_not_signed_by_the_key_is_never_a_pass(copy: Path, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    note = sign_checkpoint(Checkpoint("test.example/journal", 1, Hash(bytes(32))), Ed25519PrivateKey.generate())
    anchors.write_text((copy / "journal" / "anchors.log").read_text() + note + "\n")
    assert not verify_journal(copy / "journal", None, anchors).ok


@pytest.mark.parametrize("text", ["garbage\n" * 1000, "\0"])
def test_a_file_that_holds_no_anchors_is_never_a_pass(copy: Path, tmp_path: Path, text: str) -> None:
    anchors = tmp_path / "anchors"
    anchors.write_text(text)
    assert not verify_journal(copy / "journal", None, anchors).ok


FORGERIES = {
    "type that it does not know": (1, EDIT.format('"type":"refused"', '"type":"surprise"', 1)),
    "version that it does not know": (1, EDIT.format('"v":1}', '"v":2}', 1)),
    "time before the last": (4, EDIT.format('"time":1', '"time":-1', 4)),
    "leaf with white space": (1, EDIT.format('"peer":', '"peer": ', 1)),
    "leaf with a float": (1, EDIT.format('"count":1', '"count":1.0', 1)),
    "leaf with further keys beside data": (1, EDIT.format('"v":1}', '"v":1,"w":1}', 1)),
    "leaf with another seq": (1, EDIT.format('"seq":1,', '"seq":2,', 1)),
    "open with another key": (0, EDIT.format('"vkey":"test.example', '"vkey":"best.example', 0)),
    "open with another tree before it": (11, EDIT.format('"size":11}', '"size":10}', 11)),
    "open with another root before it": (11, EDIT.format('"root":"', '"root":"0', 11)),
    "open without the tree before it": (11, EDIT.format('"previous":', '"previouz":', 11)),
    "answer from upstream to what was denied": (3, EDIT.format('"action":"allow"', '"action":"deny"', 2)),
    "exchange that begins twice": (4, EDIT.format(f"{1:016x}", f"{0:016x}", 4)),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_the_format_does_not_allow_is_refused_although_the_key_signed_it(copy: Path, forgery: str) -> None:
    seq, statement = FORGERIES[forgery]
    before = read(copy, "SELECT leaf FROM entry")
    change(copy, statement)
    assert read(copy, "SELECT leaf FROM entry") != before
    rebuild(copy, load_signing_key(copy / "keys" / "journal.key"))
    (copy / "journal" / "head").unlink()
    report = verify_journal(copy / "journal")
    assert not report.ok
    assert report.first_bad == seq


def test_a_checkpoint_states_the_size_that_it_stands_for(copy: Path) -> None:
    frontier = Frontier()
    for (leaf,) in read(copy, "SELECT leaf FROM entry WHERE seq < 5 ORDER BY seq"):
        frontier.append(leaf_hash(leaf if isinstance(leaf, bytes) else b""))
    key = load_signing_key(copy / "keys" / "journal.key")
    note = sign_checkpoint(Checkpoint("test.example/journal", 6, frontier.root()), key)
    change(copy, f"INSERT INTO checkpoint VALUES (5, '{note}')")
    assert "another size" in (verify_journal(copy / "journal").problem or "")


def test_a_damaged_index_is_found_although_nothing_reads_it(copy: Path) -> None:
    change(
        copy,
        "PRAGMA writable_schema = 1",
        "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name LIKE '%autoindex_tile%')"
        " WHERE name LIKE '%autoindex_meta%'",
    )
    assert "integrity" in (verify_journal(copy / "journal").problem or "")


def test_tiles_of_tiles_are_compared(tmp_path: Path) -> None:
    """65,536 entries make the first tile of level 1; it is written in bulk, as one group."""
    key = create_signing_key(tmp_path / "journal.key")
    vkey = verification_key("test.example/journal", key)
    growth = Growth(vkey.origin, key, Frontier(), Instant(1))
    opening = OpenData(version="1", config="0" * 64, vkey=vkey.text(), signers="")
    grown = growth.add(
        [encode_draft(Draft(data=opening)), *[encode_draft(refused())] * 65_600],
        Instant(1),
        lambda _: SessionKey(DataKey(bytes(32)), Codec([])),
    )
    with contextlib.closing(LogStore.for_writing(files.JournalFiles(tmp_path)).database) as database:
        LogStore(database).create(
            {"format": "1", "origin": vkey.origin, "vkey": vkey.text(), "start": "0"}, grown.group
        )
        assert database.execute("SELECT count(*) FROM tile WHERE level = 1").fetchone() == (1,)
        database.execute("UPDATE tile SET hashes = zeroblob(8192) WHERE level = 1")
    report = verify_journal(tmp_path, vkey.text())
    assert "tile 1/0" in (report.problem or "")
    assert report.first_bad == 0


def logical(folder: Path) -> object:
    """All that the log says; None where SQLite can't read it."""
    try:
        uri = f"file:{folder / 'journal' / 'journal.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            names = ("meta", "entry", "body", "tile", "checkpoint")
            return [database.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names] + [
                database.execute("SELECT type, name, sql FROM sqlite_schema").fetchall(),
                database.execute("PRAGMA user_version").fetchall(),
            ]
    except sqlite3.Error:
        return None


def test_random_bit_flips_are_found_or_have_no_effect(original: Path, copy: Path) -> None:
    flip_bits(original, copy, 150)


@pytest.mark.nightly
def test_a_thousand_bit_flips_are_found_or_have_no_effect(original: Path, copy: Path) -> None:
    flip_bits(original, copy, 1000)


def flip_bits(original: Path, copy: Path, flips: int) -> None:
    before, path = logical(original), copy / "journal" / "journal.db"
    content = path.read_bytes()
    chance = random.Random(flips)  # noqa: S311 - a seed that repeats
    for _ in range(flips):
        at, bit = chance.randrange(len(content)), chance.randrange(8)
        flipped = bytearray(content)
        flipped[at] ^= 1 << bit
        path.write_bytes(flipped)
        if logical(copy) != before:
            assert not verify_journal(copy / "journal").ok, f"byte {at}, bit {bit}"
