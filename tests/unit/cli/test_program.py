"""One line, one code: how the command line begins and how it fails."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from gatekeeper.cli import main
from gatekeeper.cli.problem import Problem, describe, one_line
from gatekeeper.cli.program import COMMANDS
from gatekeeper.config import ConfigError
from gatekeeper.journal import JournalDown

type Run = Callable[..., Result]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_and_tells_what_it_does(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Usage: ")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["frobnicate"], 2, "gatekeeper: No such command 'frobnicate'; see `gatekeeper --help`\n"),
        (["exec", "--subject"], 2, "gatekeeper: Option '--subject' requires an argument"),
        (["identity", "issue"], 2, "gatekeeper: Missing option '--subject'; see `gatekeeper identity issue --help`\n"),
        (["--config", "nowhere.toml", "config", "check"], 2, "gatekeeper: nowhere.toml: can't be read: No such file"),
        (["config", "check", "--set", "proxy.listen=1"], 2, "gatekeeper: config.toml: proxy.listen: expected str"),
        (["config", "check", "--set", "nonsense"], 2, "gatekeeper: --set nonsense: expected key=value"),
        (["journal", "list"], 2, "data/journal: there is no journal here"),
    ],
)
def test_an_error_is_one_line_with_its_code(run: Run, arguments: list[str], code: int, text: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert text in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_arguments_show_the_commands_and_are_wrong_use() -> None:
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "approvals" in result.stderr


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigError("config.toml: rules[0]: no"), "config.toml: rules[0]: no"),
        (JournalDown("the disk is full"), "the disk is full"),
        (FileNotFoundError(2, "No such file or directory", "a/b"), "a/b: No such file or directory"),
        (PermissionError(13, "Permission denied", b"a/b"), "a/b: Permission denied"),
        (FileNotFoundError("journal.db: there is no journal here"), "journal.db: there is no journal here"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("a defect"), None),
        (RuntimeError("a defect"), None),
    ],
)
def test_foreseen_errors_are_described_and_defects_are_not(error: Exception, text: str | None) -> None:
    assert describe(error) == text


def test_a_defect_is_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        msg = "a defect"
        raise ValueError(msg)

    monkeypatch.setattr("gatekeeper.config.load_config", broken)
    assert isinstance(run("config", "check").exception, ValueError)


def test_a_problem_of_several_lines_is_said_in_one() -> None:
    assert one_line(Problem("one\ntwo")) == "one two"
    assert one_line(click.UsageError("bare")) == "bare"


def test_ctrl_c_ends_with_130_and_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatekeeper.config.load_config", interrupted)
    result = run("config", "check")
    assert (result.exit_code, result.stderr.strip()) == (130, "")


def test_a_configuration_is_found_here_named_at_either_end_or_by_a_variable(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = folder / "elsewhere" / "other.toml"
    other.parent.mkdir()
    (folder / "config.toml").rename(other)
    for arguments in (["--config", str(other), "env"], ["env", "--config", str(other)]):
        assert f"{other.parent}/certs/bundle.pem" in run(*arguments).stdout
    monkeypatch.setenv("GATEKEEPER_CONFIG", str(other))
    assert f"{other.parent}/certs/bundle.pem" in run("env").stdout


def test_the_option_nearer_to_the_command_wins(run: Run, folder: Path) -> None:
    assert run("--config", "nowhere.toml", "env", "--config", str(folder / "config.toml")).exit_code == 0


def test_without_any_configuration_it_says_how_to_name_one(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "config.toml").unlink()
    monkeypatch.setattr("gatekeeper.__file__", str(folder / "site-packages" / "gatekeeper" / "__init__.py"))
    result = run("env")
    assert result.exit_code == 2
    assert "name yours with --config FILE" in result.stderr


def test_the_checkouts_configuration_serves_elsewhere(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = folder / "checkout"
    (checkout / "gatekeeper").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    (folder / "config.toml").rename(checkout / "config.toml")
    monkeypatch.setattr("gatekeeper.__file__", str(checkout / "gatekeeper" / "__init__.py"))
    assert f"{checkout}/certs/bundle.pem" in run("env").stdout


def test_variables_are_keys_of_the_configuration(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_PROXY__LISTEN", "127.0.0.1:7777")
    monkeypatch.setenv("GATEKEEPER_SOCKET", "/run/other.sock")
    assert "http://127.0.0.1:7777" in run("env").stdout


def test_help_starts_without_what_commands_need() -> None:
    program = (
        "import sys\nfrom gatekeeper.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'mitmproxy', 'rich', 'httpx', 'msgspec', 'cryptography', 'phonenumbers', 'regex', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
