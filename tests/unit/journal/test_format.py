"""The format, read with the standard library and `cryptography` alone: no code of ours checks what we wrote."""

import base64
import contextlib
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from journals import ORIGIN, refused, typical, write_journal


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def check_note(note: str, vkey: str, leaves: list[bytes]) -> None:
    origin, key_hash, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    assert key[0] == 1
    assert hashlib.sha256(origin.encode() + b"\n" + key).hexdigest()[:8] == key_hash
    text, separator, signature = note.partition("\n\n")
    name, size, encoded_root = text.split("\n")
    assert (name, separator) == (origin, "\n\n")
    assert base64.b64decode(encoded_root, validate=True) == root(leaves[: int(size)])
    dash, by, encoded = signature.split(" ")
    assert (dash, by, encoded[-1]) == ("\u2014", origin, "\n")
    signed = base64.b64decode(encoded[:-1], validate=True)
    assert signed[:4].hex() == key_hash
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signed[4:], (text + "\n").encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_journal(folder, typical(7))
    write_journal(folder, [refused() for _ in range(600)])
    return folder


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE sql IS NOT NULL")]
        assert sorted(names) == ["body", "checkpoint", "entry", "meta", "tile"]
        return {name: database.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names}


@pytest.fixture(scope="module")
def leaves(tables: dict[str, list[tuple[object, ...]]]) -> list[bytes]:
    assert [seq for seq, _ in tables["entry"]] == list(range(len(tables["entry"])))
    return [leaf for _, leaf in tables["entry"] if isinstance(leaf, bytes)]


def test_all_notes_are_signed_and_over_the_leaves(
    folder: Path, tables: dict[str, list[tuple[object, ...]]], leaves: list[bytes]
) -> None:
    vkey = (folder / "journal" / "journal.vkey").read_text()
    meta = dict(tables["meta"])
    assert meta == {"format": "1", "origin": ORIGIN, "vkey": vkey, "start": "0"}
    notes = {size: str(note) for size, note in tables["checkpoint"]}
    assert max(notes) == len(leaves)
    for size, note in notes.items():
        assert note.split("\n")[1] == str(size)
        check_note(note, vkey, leaves)
    assert (folder / "journal" / "head").read_text() == notes[len(leaves)]
    pieces = (folder / "journal" / "anchors.log").read_text().split("\n\n")
    assert pieces.pop() == ""
    anchors = [f"{text}\n\n{signature}\n" for text, signature in zip(pieces[::2], pieces[1::2], strict=True)]
    assert set(anchors) <= set(notes.values())
    assert anchors[-1] == notes[len(leaves)]


def test_the_signing_key_is_pkcs_8(folder: Path) -> None:
    key = load_pem_private_key((folder / "keys" / "journal.key").read_bytes(), None)
    public = base64.b64decode((folder / "journal" / "journal.vkey").read_text().split("+", 2)[2])
    assert key.public_key().public_bytes_raw() == public[1:]  # type: ignore[union-attr]


def test_tiles_are_full_and_exactly_those_of_the_size(
    tables: dict[str, list[tuple[object, ...]]], leaves: list[bytes]
) -> None:
    hashes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    expected = [(0, n, b"".join(hashes[n * 256 : (n + 1) * 256])) for n in range(len(leaves) >> 8)]
    assert tables["tile"] == expected


def test_bodies_are_exactly_those_that_leaves_name(
    tables: dict[str, list[tuple[object, ...]]], leaves: list[bytes]
) -> None:
    named = [
        (seq, part, digest)
        for seq, leaf in enumerate(leaves)
        for part, digest in enumerate(((json.loads(leaf)["data"].get("body") or {}).get("parts")) or ())
    ]
    stored = [(seq, part, hashlib.sha256(bytes(data)).hexdigest()) for seq, part, data in tables["body"]]  # type: ignore[arg-type]
    assert stored == named


def test_runs_state_the_tree_before_them(leaves: list[bytes]) -> None:
    first, second = [leaf for leaf in map(json.loads, leaves) if leaf["type"] == "open"]
    assert "previous" not in first["data"]
    size = second["data"]["previous"]["size"]
    assert size == second["seq"]
    assert second["data"]["previous"]["root"] == root(leaves[:size]).hex()
