"""The relay as a process: one ready line, then it serves until it is told to end."""

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.cli.relay import gateway_address
from gatekeeper.config import parse_config

type Start = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_once_where_it_listens_and_ends_in_order(folder: Path, start: Start, number: signal.Signals) -> None:
    token = folder / "token"
    token.write_text("a.b.c")
    (folder / "config.toml").unlink()  # with --gateway and a file it needs none
    process = start("relay", "--listen", "127.0.0.1:0", "--gateway", "gw.example:8080", "--token-file", str(token))
    assert process.stdout is not None
    ready = process.stdout.readline()
    assert ready.startswith("ready: http://127.0.0.1:")
    assert ready.endswith(" passes calls to the gateway at gw.example:8080\n")
    port = int(ready.split("127.0.0.1:")[1].split()[0])
    socket.create_connection(("127.0.0.1", port), timeout=10).close()
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--listen", "0.0.0.0:0", "--token-file", "token"], "the relay listens on loopback only"),
        (["--listen", "nowhere", "--token-file", "token"], "expected host:port, got 'nowhere'"),
        (["--listen", "127.0.0.1:1", "--token-file", "absent"], "absent: the token can't be read"),
        (["--listen", "127.0.0.1:{taken}", "--token-file", "token"], "choose another port"),
        ([], "one of --subject, --token-file and --token-command"),
    ],
)
def test_wrong_use_is_said_in_one_line(folder: Path, start: Start, arguments: list[str], text: str) -> None:
    (folder / "token").write_text("a.b.c")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = start("relay", *(argument.replace("{taken}", port) for argument in arguments))
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.count("\n")) == (2, 1)
    assert text in errors


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("0.0.0.0:80", ("127.0.0.1", 80)),
        ("[::]:80", ("::1", 80)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
    ],
)
def test_where_a_gateway_is_reached_from_here(listen: str, address: tuple[str, int]) -> None:
    config = parse_config(f'[proxy]\nlisten = "{listen}"', Path("config.toml"))
    assert gateway_address(config) == address
