from pathlib import Path

import pytest

from gatekeeper.cli.demo.processes import StepFailed
from gatekeeper.cli.demo.story import flip_byte


def test_one_byte_is_flipped(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    before = b'x{"status":200}y{"status":200}'
    path.write_bytes(before)
    flip_byte(path)
    after = path.read_bytes()
    assert [place for place, (one, other) in enumerate(zip(before, after, strict=True)) if one != other] == [11]
    assert after == b'x{"status":300}y{"status":200}'


def test_a_journal_without_an_answer_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"nothing")
    with pytest.raises(StepFailed, match="holds no recorded answer"):
        flip_byte(path)
