"""The demo's processes: each with a log of its own, all ended at the end, whatever happens."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

PATIENCE: Final = 30.0
"""Seconds that a process gets to start, to answer, or to end."""

GATEKEEPER: Final = (sys.executable, "-P", "-c", "from gatekeeper.cli import main; main(prog_name='gatekeeper')")
"""The command line under the interpreter that runs the demo, wherever its scripts are installed."""

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_BASICS: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


class StepFailed(RuntimeError):
    """A step of the demo failed. The text is one line; `log` names where to read on."""

    def __init__(self, what: str, log: Path | None = None) -> None:
        super().__init__(f"{what}; its log is {log}" if log else what)


class Started(msgspec.Struct, frozen=True):
    """A process that runs, and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def written(self) -> str:
        """Give what it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def expect_alive(self) -> None:
        """Raise StepFailed where it has ended by itself."""
        if (code := self.process.poll()) is not None:
            msg = f"{self.name} ended with {code}: {self._last_words()}"
            raise StepFailed(msg, self.log)

    def wait(self) -> None:
        """Wait for its end; raises StepFailed where it does not come, or not well."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            msg = f"{self.name} did not end within {PATIENCE:.0f} s"
            raise StepFailed(msg, self.log) from error
        if code:
            msg = f"{self.name} ended with {code}: {self._last_words()}"
            raise StepFailed(msg, self.log)

    def _last_words(self) -> str:
        return next(reversed(self.written().strip().splitlines()), "without a word")


class Processes:
    """Starts processes in one folder; leaving the context ends those that still run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._logs = folder / "logs"
        self._logs.mkdir(mode=0o700)
        self._started: list[Started] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for started in reversed(self._started):
            started.process.terminate()
        for started in reversed(self._started):
            try:
                started.process.wait(PATIENCE / 2)
            except subprocess.TimeoutExpired:
                started.process.kill()
                started.process.wait()

    def start(
        self, name: str, command: Sequence[str], more: Mapping[str, str], listening: socket.socket | None = None
    ) -> Started:
        """Start a program in the folder; its environment holds nothing but the basics and `more`."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as output, undisturbed():
            process = subprocess.Popen(  # noqa: S603 - the demo's own programs
                command,
                cwd=self._folder,
                env=basics() | dict(more),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[listening.fileno()] if listening else [],
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the others in order
            )
            started = Started(name, process, log)
            self._started.append(started)
        return started

    def run(self, *arguments: str, expected: int = 0) -> str:
        """Run `gatekeeper ARGUMENTS` to its end; gives what it printed. Raises StepFailed for another exit code."""
        command = f"gatekeeper {' '.join(arguments)}"
        try:
            done = subprocess.run(  # noqa: S603 - our own command line
                [*GATEKEEPER, *arguments],
                cwd=self._folder,
                env=basics() | {"COLUMNS": "76"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            msg = f"`{command}` gave no answer within {PATIENCE:.0f} s"
            raise StepFailed(msg) from error
        printed = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode != expected:
            log = self._logs / "command.log"
            log.write_text(printed, encoding="utf-8")
            msg = f"`{command}` ended with {done.returncode} instead of {expected}"
            raise StepFailed(msg, log)
        return done.stdout.decode(errors="replace") or printed


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put off signals that end the demo: a process that was begun and is not noted yet would be left over."""
    came: list[int] = []
    usual = {number: signal.signal(number, lambda given, _: came.append(given)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


def basics() -> dict[str, str]:
    """Give what a program needs to run at all, and nothing of proxies, keys or tracing."""
    return {name: os.environ[name] for name in _BASICS if name in os.environ}


def wait_for[T](what: str, look: Callable[[], T | None], *watched: Started) -> T:
    """Look until there is something; raises StepFailed once a watched process has ended, or time is over."""
    deadline = time.monotonic() + PATIENCE
    while (found := look()) is None:
        for started in watched:
            started.expect_alive()
        if time.monotonic() > deadline:
            msg = f"{what} did not come within {PATIENCE:.0f} s"
            raise StepFailed(msg, watched[0].log if watched else None)
        time.sleep(0.05)
    return found
