import sys
from pathlib import Path

import pytest

from gatekeeper.cli.demo.processes import Processes, StepFailed, wait_for

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")


def test_what_runs_is_ended_whatever_happens(tmp_path: Path) -> None:
    processes = Processes(tmp_path)

    def interrupted() -> None:
        with processes:
            processes.start("one", SLEEP, {})
            processes.start("two", SLEEP, {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [started.process.poll() for started in processes._started] == [-15, -15]


def test_what_does_not_end_when_asked_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekeeper.cli.demo.processes.PATIENCE", 1.0)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    with Processes(tmp_path) as processes:
        started = processes.start("deaf", [sys.executable, "-c", deaf], {})
        wait_for("its line", lambda: started.written() or None, started)
    assert started.process.returncode == -9


def test_a_process_that_ends_too_early_is_told_with_its_last_line_and_log(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        program = "import sys; print('one', flush=True); sys.exit('two')"
        started = processes.start("broken", [sys.executable, "-c", program], {})
        with pytest.raises(StepFailed) as failed:
            wait_for("anything", lambda: None, started)
    assert str(failed.value) == f"broken ended with 1: two; its log is {tmp_path / 'logs' / 'broken.log'}"


def test_a_process_that_ends_badly_or_late_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Processes(tmp_path) as processes:
        with pytest.raises(StepFailed, match="bad ended with 3: without a word"):
            processes.start("bad", [sys.executable, "-c", "raise SystemExit(3)"], {}).wait()
        monkeypatch.setattr("gatekeeper.cli.demo.processes.PATIENCE", 0.2)
        with pytest.raises(StepFailed, match="late did not end"):
            processes.start("late", SLEEP, {}).wait()


def test_what_does_not_come_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekeeper.cli.demo.processes.PATIENCE", 0.2)
    with Processes(tmp_path), pytest.raises(StepFailed, match="the answer did not come"):
        wait_for("the answer", lambda: None)


def test_the_environment_is_the_basics_and_what_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere")
    with Processes(tmp_path) as processes:
        started = processes.start("env", [sys.executable, "-c", "import os; print(sorted(os.environ))"], {"GIVEN": "x"})
        started.wait()
        names = set(eval(started.written()))  # noqa: S307 - a list that we printed
    assert "GIVEN" in names
    assert names <= {"GIVEN", "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR"}


def test_a_command_that_fails_names_its_log(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        with pytest.raises(StepFailed) as failed:
            processes.run("no-such-command")
        assert processes.run("no-such-command", expected=2).startswith("gatekeeper: ")
    assert "`gatekeeper no-such-command` ended with 2 instead of 0" in str(failed.value)
    assert "no-such-command" in (tmp_path / "logs" / "command.log").read_text()
