"""`gatekeeper demo`: the whole story ends well, leaves what it promises, and nothing else."""

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
from e2e.stage import CARD, EMAIL, GATEKEEPER, Installation, basics, wait_for


def _running_in(folder: Path) -> list[str]:
    """Give the processes whose working directory is below `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def _demo(*arguments: str, temporary: Path, path: str | None = None) -> subprocess.Popen[str]:
    environment = basics() | {"TMPDIR": str(temporary)} | ({"PATH": path} if path else {})
    return subprocess.Popen(
        [*GATEKEEPER, "demo", *arguments],
        cwd=temporary,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_the_whole_story(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    told, _ = _demo("--keep", str(kept), temporary=tmp_path).communicate(timeout=120)
    assert "Done in" in told, told
    assert "card <CREDIT_CARD>" in told
    assert "apr-" in told
    assert "NOT VERIFIED" in told
    assert "\x1b" not in told  # plain where piped
    assert all(len(line) <= 80 for line in told.splitlines()), told
    assert not _running_in(kept)
    installation = Installation(kept)
    assert installation.command("journal", "verify").startswith("verified")
    assert not installation.found((CARD, EMAIL))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    for private in ("reviewer/id_ed25519", "upstreams/server.key"):
        assert stat.S_IMODE((kept / private).stat().st_mode) == 0o600
    refused, _ = (again := _demo("--keep", str(kept), temporary=tmp_path)).communicate(timeout=30)
    assert (again.returncode, refused.count("\n")) == (2, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    demo = _demo(temporary=tmp_path)
    wait_for(lambda: any("uvicorn" in process for process in _running_in(tmp_path)), "a server")
    demo.send_signal(number)
    told, _ = demo.communicate(timeout=60)
    assert demo.returncode == 128 + number
    assert "Traceback" not in told
    assert not _running_in(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failed_step_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "ssh-keygen").write_text("#!/bin/sh\necho no key today >&2\nexit 1\n")
    (broken / "ssh-keygen").chmod(0o755)
    demo = _demo(temporary=tmp_path, path=f"{broken}:{os.environ['PATH']}")
    told, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert told.splitlines()[-1].endswith("demo: ssh-keygen could not make the reviewer's key: no key today")
    assert "Traceback" not in told
    assert not _running_in(tmp_path)
