"""A while of coverage-guided fuzzing, where atheris is installed; `fuzz_identity.py` runs for as long as you like."""

import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 200_000


@pytest.mark.nightly
def test_no_parser_of_identity_or_relay_fails_otherwise_than_it_says(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("fuzz_identity.py"), f"-runs={RUNS}", "-max_len=600", "-seed=1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
