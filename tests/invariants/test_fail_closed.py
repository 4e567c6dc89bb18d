"""Invariant 6: an exception anywhere in the chain ends that exchange with an error, and is recorded.

Each hook of each link is made to raise, below mitmproxy's own error handling and below our guard, in
a gateway that runs as in production. The fault's text carries a canary that must show up nowhere.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import RunningGateway, Upstream

from addons.chain import CHAIN
from gatekeeper.journal import Reader

CANARY = "canary-4111111111111111"

REQUEST_SIDE = {"http_connect", "requestheaders", "request", "tls_clienthello", "server_connect"}
HOOKS = [
    (link, name) for link in CHAIN for name in vars(link) if not name.startswith("_") and callable(getattr(link, name))
]


def _dead_port(stack: contextlib.ExitStack) -> int:
    """Give a port that is bound and refuses connections."""
    bound = stack.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    port: int = bound.getsockname()[1]
    return port


def _port_without_tls(stack: contextlib.ExitStack) -> int:
    """Give a port where whoever listens does not speak TLS."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def answer() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.sendall(b"no TLS here, and no HTTP either")
            connection.close()

    threading.Thread(target=answer, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


BROKEN_UPSTREAMS: dict[str, Callable[[contextlib.ExitStack], int]] = {
    "error": _dead_port,
    "server_connect_error": _dead_port,
    "tls_failed_server": _port_without_tls,
}
"""The hooks that fire only where the upstream fails, and what makes it fail."""


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


class Fault(Exception):
    pass


def _raise(*_args: object) -> None:
    raise Fault(CANARY)


@pytest.fixture
def faulty() -> Iterator[Callable[[type, str], None]]:
    """Put a raising function where the guard calls the hook; put the hook back at the end."""
    undo: list[Callable[[], None]] = []

    def break_hook(link: type, name: str) -> None:
        guarded = getattr(link, name)
        assert "hook" in guarded.__code__.co_freevars, f"{link.__name__}.{name} is not guarded"
        cell = guarded.__closure__[guarded.__code__.co_freevars.index("hook")]
        hook = cell.cell_contents
        cell.cell_contents = _raise
        _raise.__qualname__ = f"{link.__name__}.{name}"

        def restore() -> None:
            cell.cell_contents = hook

        undo.append(restore)

    yield break_hook
    for restore in undo:
        restore()


def test_every_hook_of_every_link_is_guarded() -> None:
    unguarded = [f"{link.__name__}.{name}" for link, name in HOOKS if not hasattr(getattr(link, name), "__wrapped__")]
    assert not unguarded
    assert len(HOOKS) > 15


IN_A_CALL = [(link, name) for link, name in HOOKS if not name.startswith("websocket_")]
"""The hooks of WebSockets are made to raise in tests/security/test_websocket.py, where there is one."""


@pytest.mark.parametrize(("link", "name"), IN_A_CALL, ids=[f"{link.__name__}.{name}" for link, name in IN_A_CALL])
def test_a_fault_ends_the_exchange(
    link: type,
    name: str,
    start_gateway: Callable[..., RunningGateway],
    upstream: Upstream,
    faulty: Callable[[type, str], None],
    capfd: pytest.CaptureFixture[str],
    stack: contextlib.ExitStack,
) -> None:
    upstream.reset()
    port = BROKEN_UPSTREAMS.get(name, lambda _: upstream.port)(stack)
    gateway = start_gateway(port=port)
    faulty(link, name)
    answer = _call(gateway, port)
    _wait_until(lambda: bool(_entries(gateway)))
    if name != "client_disconnected":
        assert not answer.startswith(b"HTTP/1.1 200"), answer
        assert b'"ok"' not in answer
    if name in REQUEST_SIDE:
        assert bytes(upstream.received) == b""
    assert CANARY.encode() not in answer
    output = capfd.readouterr()
    assert CANARY not in output.out + output.err
    for path in gateway.config.data.rglob("*"):
        assert path.is_dir() or CANARY.encode() not in path.read_bytes()


def _call(gateway: RunningGateway, port: int) -> bytes:
    request = f"GET /thing HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
    try:
        return gateway.exchange("localhost", port, request)
    except (AssertionError, OSError) as refused:
        return str(refused).encode()


def _entries(gateway: RunningGateway) -> list[str]:
    reader = Reader(Path(gateway.config.journal.folder), None)
    return [entry.kind for entry in reader.entries(0, reader.size) if entry.kind != "open"]


def _wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline, "nothing was recorded"
        time.sleep(0.05)


def test_the_chain_without_a_fault_passes(start_gateway: Callable[..., RunningGateway], upstream: Upstream) -> None:
    upstream.reset()
    gateway = start_gateway()
    assert _call(gateway, upstream.port).endswith(b'{"ok":true}')
