"""A program behind the gateway: what it is given, and that its end and its signals are its own."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatekeeper.config import load_config
from gatekeeper.exchange import now
from gatekeeper.identity import Verifier

type Start = Callable[..., subprocess.Popen[str]]

ANSWER = b"HTTP/1.1 200 Connection established\r\n\r\n"
CALL = """
import os, socket, urllib.parse
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
with socket.create_connection((proxy.hostname, proxy.port)) as connection:
    connection.sendall(b"CONNECT api.example.com:443 HTTP/1.1\\r\\nHost: api.example.com:443\\r\\n\\r\\n")
    print(connection.recv(100).split(b"\\r\\n")[0].decode())
"""
TRAP = """
import signal, sys, time
for number in map(int, sys.argv[1:]):
    signal.signal(number, lambda got, _: (print("got", signal.Signals(got).name, flush=True), sys.exit(7)))
print("waiting", flush=True)
time.sleep(60)
"""


class FakeGateway:
    """Takes CONNECT, keeps the heads, answers that the tunnel is there."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self) -> None:
        # A thread that waits in accept() keeps a socket listening although it is closed.
        self.listening.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
                    head += piece
                if head:
                    self.heads.append(head)
                    connection.sendall(ANSWER)


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    fake = FakeGateway()
    yield fake
    if fake.thread.is_alive():
        fake.close()


def behind(gateway: FakeGateway, *command: str, options: tuple[str, ...] = ("--subject", "bot")) -> list[str]:
    return ["exec", *options, "--set", f"proxy.listen=127.0.0.1:{gateway.port}", "--", *command]


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return sys.executable, "-c", program, *arguments


def token_of(head: bytes) -> str:
    line = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"proxy-authorization:"))
    return line.split(b"Bearer ")[1].decode()


def test_the_programs_calls_carry_a_token_of_its_subject(installed: Path, start: Start, gateway: FakeGateway) -> None:
    options = ("--subject", "billing-bot", "--group", "agents", "--workflow", "w")
    process = start(*behind(gateway, *python(CALL), options=options))
    assert process.communicate(timeout=30) == ("HTTP/1.1 200 Connection established\n", "")
    verifier = Verifier.load(load_config(installed / "config.toml", (), {}).identity)
    subject = verifier.verify(token_of(gateway.heads[-1]), now())
    assert (subject.sub, subject.groups, subject.workflow) == ("billing-bot", ("agents",), "w")


@pytest.mark.parametrize("option", ["--token-file", "--token-command"])
def test_tokens_may_come_from_a_file_or_a_command(
    installed: Path, start: Start, gateway: FakeGateway, option: str
) -> None:
    token = installed / "data" / "first-token.jwt"
    value = str(token) if option == "--token-file" else f"cat '{token}'"
    process = start(*behind(gateway, *python(CALL), options=(option, value)))
    process.communicate(timeout=30)
    assert token_of(gateway.heads[-1]) == token.read_text().strip()


def test_the_operators_credentials_are_not_handed_on(installed: Path, start: Start, gateway: FakeGateway) -> None:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    secrets = dict.fromkeys(["OPENAI_API_KEY", "SPECIAL_ACCESS", "GITHUB_TOKEN", "GATEKEEPER_PROXY__LISTEN"], "s3cret")
    secrets["GATEKEEPER_PROXY__LISTEN"] = "127.0.0.1:9"
    process = start(*behind(gateway, *python(program)), PLAIN="kept", **secrets)
    environment = json.loads(process.communicate(timeout=30)[0])
    assert "s3cret" not in environment.values()
    assert "GATEKEEPER_PROXY__LISTEN" not in environment
    assert environment["PLAIN"] == "kept"
    assert environment["OPENAI_API_KEY"] == "placeholder"
    assert environment["SSL_CERT_FILE"] == str(installed / "certs" / "bundle.pem")
    assert environment["HTTPS_PROXY"].startswith("http://127.0.0.1:")
    assert str(gateway.port) not in environment["HTTPS_PROXY"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_exit_code_is_the_programs(start: Start, gateway: FakeGateway, code: int) -> None:
    process = start(*behind(gateway, *python(f"raise SystemExit({code})")))
    assert process.wait(30) == code


@pytest.mark.usefixtures("installed")
def test_an_end_by_signal_is_128_and_its_number(start: Start, gateway: FakeGateway) -> None:
    process = start(*behind(gateway, "sh", "-c", "kill -KILL $$"))
    assert process.wait(30) == 128 + signal.SIGKILL


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2]
)
def test_signals_are_passed_on(start: Start, gateway: FakeGateway, number: signal.Signals) -> None:
    process = start(*behind(gateway, *python(TRAP, str(int(number)))))
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    assert process.communicate(timeout=30)[0] == f"got {number.name}\n"
    assert process.returncode == 7


@pytest.mark.usefixtures("installed")
def test_ctrl_c_on_a_terminal_reaches_the_program_once(gateway: FakeGateway) -> None:
    program = """
import signal, time
count = 0
def count_up(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, count_up)
print("waiting", flush=True)
deadline = time.monotonic() + 1
while time.monotonic() < deadline:
    time.sleep(0.05)
print("count", count, flush=True)
"""
    terminal, end = pty.openpty()
    # A session of its own, of which this is the terminal: what is typed signals its foreground group.
    begin = "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from gatekeeper.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", begin, *behind(gateway, *python(program))],
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
    )
    os.close(end)
    said = b""
    while b"waiting" not in said:
        said += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    while not re.search(rb"count \d", said):
        said += os.read(terminal, 4096)
    assert process.wait(30) == 0
    os.close(terminal)
    assert b"count 1" in said


@pytest.mark.parametrize(("name", "code"), [("no-such-program", 127), ("not-executable", 126)])
def test_a_program_that_cant_be_run(installed: Path, start: Start, gateway: FakeGateway, name: str, code: int) -> None:
    (installed / "not-executable").touch(0o600)
    process = start(*behind(gateway, str(installed / name)))
    assert process.communicate(timeout=30)[1].startswith(f"gatekeeper: {installed / name}: ")
    assert process.returncode == code


def test_without_a_gateway_it_says_so_and_runs_nothing(installed: Path, start: Start, gateway: FakeGateway) -> None:
    gateway.close()
    process = start(*behind(gateway, "touch", str(installed / "ran")))
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, (installed / "ran").exists()) == (2, False)
    assert (
        errors == f"gatekeeper: 127.0.0.1:{gateway.port}: no gateway answers there; start one with `gatekeeper run`\n"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ((), "one of --subject, --token-file and --token-command"),
        (("--subject", "a", "--token-file", "f"), "one of --subject, --token-file and --token-command"),
        (("--token-file", "f", "--group", "g"), "--group and --workflow go with --subject"),
        (("--token-command", "'"), "--token-command: no closing quotation"),
        (("--token-command", " "), "--token-command: is empty"),
        (("--token-command", "false"), "ended with exit code 1"),
        (("--token-file", "nowhere"), "nowhere: the token can't be read: No such file"),
        (("--subject", ""), "subject and workflow must be printable text"),
    ],
)
def test_wrong_sources_of_tokens_are_wrong_use(
    installed: Path, start: Start, gateway: FakeGateway, options: tuple[str, ...], text: str
) -> None:
    process = start(*behind(gateway, "touch", str(installed / "ran"), options=options))
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.count("\n"), (installed / "ran").exists()) == (2, 1, False)
    assert text in errors


@pytest.mark.usefixtures("folder")
def test_before_the_first_run_it_says_what_makes_the_key(start: Start, gateway: FakeGateway) -> None:
    process = start(*behind(gateway, "true"))
    assert "`gatekeeper run` makes it on its first run" in process.communicate(timeout=30)[1]
    assert process.returncode == 2


def test_without_certificates_it_says_what_makes_them(installed: Path, start: Start, gateway: FakeGateway) -> None:
    (installed / "certs" / "bundle.pem").unlink()
    process = start(*behind(gateway, "true"))
    assert "bundle.pem: is missing" in process.communicate(timeout=30)[1]
    assert process.returncode == 2
