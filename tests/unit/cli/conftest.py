"""A configuration in a folder, and the command line, in this process or in one of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gatekeeper.cli import main
from gatekeeper.config import load_config
from gatekeeper.exchange import now
from gatekeeper.gateway.first_run import prepare

CONFIG = """
[proxy]
listen = "127.0.0.1:0"
[journal]
origin = "test.example/journal"
[[rules]]
name = "refunds"
hosts = ["payments.example.com"]
methods = ["POST"]
findings = ["CREDIT_CARD"]
action = "hold"
reviewers = ["leads"]
[[rules]]
name = "model"
hosts = ["api.openai.com"]
groups = ["agents"]
action = "allow"
[[rules]]
name = "never"
hosts = ["evil.example.com"]
action = "deny"
[approvals.groups]
leads = ["alice@example.com"]
[credentials."api.openai.com"]
value = "Bearer ${env:SPECIAL_ACCESS}"
"""
PROGRAM = (sys.executable, "-c", "from gatekeeper.cli import main; main()")

type Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, and the working directory."""
    for name in [name for name in os.environ if name.startswith("GATEKEEPER_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def installed(folder: Path) -> Path:
    """A folder in which a first run has made certificates, the issuer and a token."""
    prepare(load_config(folder / "config.toml", (), {}), now())
    return folder


@pytest.fixture
def run(folder: Path) -> Run:  # noqa: ARG001 - the working directory
    """Run the command line in this process."""

    def run(*arguments: str, input: bytes | str | None = None) -> Result:  # noqa: A002 - click's own name
        return CliRunner().invoke(main, list(arguments), input=input)

    return run


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process of its own; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=folder,
            env=os.environ | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
