from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.journal.anchors import NOTE_LIMIT, last_anchor, read_head, split_anchors
from gatekeeper.journal.files import JournalFiles
from gatekeeper.journal.merkle import Hash
from gatekeeper.journal.note import Checkpoint, sign_checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOTES = [sign_checkpoint(Checkpoint("a.example/journal", size, Hash(bytes(32))), KEY) for size in (1, 20, 300)]
WHOLE = "".join(f"{note}\n" for note in NOTES).encode()


def test_a_list_of_notes_is_taken_apart() -> None:
    assert split_anchors(b"") == ([], False)
    assert split_anchors(WHOLE) == (NOTES, False)


def test_notes_with_several_signatures_are_taken_apart() -> None:
    cosigned = NOTES[0] + "\u2014 witness.example AAAAAAAA\n"
    assert split_anchors(f"{cosigned}\n{NOTES[1]}\n".encode()) == ([cosigned, NOTES[1]], False)


@pytest.mark.parametrize("cut", range(1, len(NOTES[2]) + 1))
def test_a_torn_end_is_told(cut: int) -> None:
    assert split_anchors(WHOLE[:-cut]) == (NOTES[:2], True)


@pytest.mark.parametrize(
    "data", [b"garbage\n" + WHOLE, WHOLE + b"x" * (NOTE_LIMIT + 1), WHOLE + b"\n" + WHOLE, WHOLE.replace(b"20", b"2O")]
)
def test_anything_else_is_no_list_of_notes(data: bytes) -> None:
    with pytest.raises(ValueError, match="no list of notes"):
        split_anchors(data)


def files_with(tmp_path: Path, anchors: bytes) -> JournalFiles:
    files = JournalFiles(tmp_path)
    files.anchors.write_bytes(anchors)
    return files


def test_the_last_anchor_is_given(tmp_path: Path) -> None:
    assert last_anchor(JournalFiles(tmp_path)) is None
    assert last_anchor(files_with(tmp_path, b"")) is None
    assert last_anchor(files_with(tmp_path, WHOLE)) == NOTES[2]
    assert last_anchor(files_with(tmp_path, WHOLE * 1000)) == NOTES[2]


@pytest.mark.parametrize("before", [b"", WHOLE, WHOLE * 1000])
@pytest.mark.parametrize("torn", [b"a.example/journal\n17\nabc", b"\xe2\x80", b"a"])
def test_a_torn_end_is_cut_off(tmp_path: Path, before: bytes, torn: bytes) -> None:
    files = files_with(tmp_path, before + torn)
    assert last_anchor(files) == (NOTES[2] if before else None)
    assert files.anchors.read_bytes() == before


def test_garbage_is_not_cut_off(tmp_path: Path) -> None:
    garbage = WHOLE + b"x" * (NOTE_LIMIT + 1)
    with pytest.raises(ValueError, match="no list of notes"):
        last_anchor(files_with(tmp_path, garbage))
    assert (tmp_path / "anchors.log").read_bytes() == garbage


def test_a_missing_or_empty_head_is_none(tmp_path: Path) -> None:
    files = JournalFiles(tmp_path)
    assert read_head(files) is None
    files.head.write_text("")
    assert read_head(files) is None
    files.head.write_text(NOTES[0])
    assert read_head(files) == NOTES[0]
    files.head.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="utf-8"):
        read_head(files)
