"""How many connections a subject may hold open: the next gets 429, and nobody else notices."""

import contextlib
import socket
import time
from collections.abc import Callable

import pytest
from harness import RunningGateway, Upstream, read_answer

from gatekeeper.journal import Reader, RefusedData

REQUEST = "GET / HTTP/1.1\r\nHost: localhost:{0}\r\n\r\n"


def ask(gateway: RunningGateway, head: str, token: str) -> bytes:
    """Send one head with a credential to the proxy port, and give the answer to it."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(f"{head}\r\nProxy-Authorization: Bearer {token}\r\n\r\n".encode())
        return read_answer(connection)


@pytest.mark.parametrize(
    "head",
    [
        "CONNECT localhost:{0} HTTP/1.1\r\nHost: localhost:{0}",
        "GET http://localhost:{0}/ HTTP/1.1\r\nHost: localhost:{0}",
    ],
    ids=["tunnel", "plain"],
)
def test_a_subject_that_holds_its_connections_open_gets_no_more(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream, head: str
) -> None:
    gateway = start_gateway("connections_per_subject = 2")
    head = head.format(upstream.port)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(gateway.tls("localhost", upstream.port)) for _ in range(2)]
        upstream.reset()
        answer = ask(gateway, head, gateway.token())
        assert answer.startswith(b"HTTP/1.1 429"), answer
        assert b"too-many-connections" in answer
        assert b"holds 2 connections open already" in answer
        assert b"retry-after: 1" in answer.lower()
        assert upstream.connections == 0
        with gateway.connect("localhost", upstream.port, gateway.token("other-bot")):
            pass
        for tunnel in held:  # those that are there go on
            tunnel.sendall(REQUEST.format(upstream.port).encode())
            assert read_answer(tunnel).startswith(b"HTTP/1.1 200")
    deadline = time.monotonic() + 20
    while ask(gateway, head, gateway.token()).startswith(b"HTTP/1.1 429"):  # until the gateway has seen them go
        assert time.monotonic() < deadline
        time.sleep(0.02)
    gateway.parts.refusals.flush()
    with Reader(gateway.config.journal.folder, None) as reader:
        refused = [entry.data.reason for entry in reader.entries(0, reader.size) if isinstance(entry.data, RefusedData)]
    assert "too-many-connections" in refused
