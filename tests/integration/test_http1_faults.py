"""What reaches no hook of mitmproxy: malformed heads and bodies, drips, and upstreams that can't be read.

Each ends in an answer of our own or a closed connection, never in a hang, mitmproxy's page, or echoed bytes.
"""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Authority, RunningGateway, Upstream, gateway_config, read_answer, run_gateway

from gatekeeper.journal import ErrorData, Reader, RefusedData, verify_journal

SECRET = "4111-1111-1111-1111"


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, upstream: Upstream
) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("gateway")
    config = gateway_config(
        folder, authority, upstream, more='header_timeout = "1s"\nheader_limit = "4KiB"\nbody_limit = "64KiB"'
    )
    running, stop = run_gateway(config)
    yield running
    stop()
    report = verify_journal(Path(config.journal.folder))
    assert report.ok, report


@pytest.fixture(autouse=True)
def quiet_upstream(upstream: Upstream) -> None:
    upstream.reset()


def recorded(gateway: RunningGateway) -> list[str]:
    with Reader(gateway.config.journal.folder, None) as reader:
        return [
            entry.data.reason
            for entry in reader.entries(0, reader.size)
            if isinstance(entry.data, RefusedData | ErrorData)
        ]


def send_to_proxy(gateway: RunningGateway, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(data)
        return read_answer(connection)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET https://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"CONNECT localhost HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT :443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT localhost:port HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT local host:443 HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03not tls at all\r\n\r\n", 0),
        (b"GARBAGE\r\n\r\n", 400),
        (b"CONNECT localhost:443 HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),
        (b"CONNECT localhost:443 HTTP/1.1\nHost: a\n\n", 400),
        (b"CONNECT localhost:443 HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
        (b"CONNECT localhost:443 HTTP/1.1\r\nX: " + b"a" * 8192, 431),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ],
)
def test_the_proxy_port_answers_what_it_cannot_read(
    gateway: RunningGateway, upstream: Upstream, request_bytes: bytes, status: int
) -> None:
    answer = send_to_proxy(gateway, request_bytes)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()) if status else not answer.startswith(b"HTTP/1.1 2")
    assert b"mitmproxy" not in answer
    assert upstream.connections == 0


HEAD = b"Host: localhost:%d\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET http://localhost/ HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        (b"CONNECT other:443 HTTP/1.1\r\nHost: other\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n", 400),
        (b"GET /a/%2e%2e%2f/b HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X : a\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: +5\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n20000\r\n" + b"a" * 0x20000, 413),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Encoding: rot13\r\nContent-Length: 1\r\n\r\nx", 415),
    ],
)
def test_a_tunnel_answers_what_it_cannot_read_and_sends_nothing_on(
    gateway: RunningGateway, upstream: Upstream, request_bytes: bytes, status: int
) -> None:
    request = request_bytes.replace(b"%d", str(upstream.port).encode())
    answer = gateway.exchange("localhost", upstream.port, request)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"mitmproxy" not in answer
    assert bytes(upstream.received) == b""


@pytest.mark.parametrize("so_far", [b"", b"CONNECT local", b"CONNECT localhost:443 HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_drips_is_cut(gateway: RunningGateway, so_far: bytes) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
        connection.sendall(so_far)
        answer = read_answer(connection)
    assert answer.startswith(b"HTTP/1.1 408 ") if so_far else answer == b""


def test_a_body_that_drips_is_cut_and_nothing_of_it_is_sent(gateway: RunningGateway, upstream: Upstream) -> None:
    request = f"POST / HTTP/1.1\r\nHost: localhost:{upstream.port}\r\nContent-Length: 100\r\n\r\na".encode()
    with gateway.tls("localhost", upstream.port) as tunnel:
        tunnel.sendall(request)
        assert read_answer(tunnel).startswith(b"HTTP/1.1 408 ")
    assert bytes(upstream.received) == b""
    assert "too-slow" in recorded(gateway)


def call(gateway: RunningGateway, upstream: Upstream) -> bytes:
    return gateway.exchange(
        "localhost", upstream.port, f"GET / HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n".encode()
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: %s\0\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded %s\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nX: a\rb%s\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n%s",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n%s",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ%s\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nTrailer: %s\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n%s",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 9000 + b"%s\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n%s",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\nContent-Length: 19\r\n\r\n%s",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\n\r\n",
        b"NOT HTTP %s\r\n\r\n",
        b"%s\r\n\r\n",
    ],
)
def test_a_malformed_answer_is_a_502_of_our_own_without_its_words(
    gateway: RunningGateway, upstream: Upstream, answer: bytes
) -> None:
    upstream.reset(answer.replace(b"%s", SECRET.encode()))
    got = call(gateway, upstream)
    assert got.startswith(b"HTTP/1.1 502 "), got
    assert SECRET.encode() not in got
    assert b"mitmproxy" not in got


def test_interim_answers_are_skipped(gateway: RunningGateway, upstream: Upstream) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
    upstream.reset(early + final)
    got = call(gateway, upstream)
    assert got.startswith(b"HTTP/1.1 200 OK"), got
    assert got.endswith(b"hi")


def test_alt_svc_is_taken_out(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.reset(b'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":443"\r\nContent-Length: 2\r\n\r\nhi')
    got = call(gateway, upstream)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert b"alt-svc" not in got.lower()


def test_one_connection_carries_several_calls(gateway: RunningGateway, upstream: Upstream) -> None:
    request = f"GET / HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n".encode()
    with gateway.tls("localhost", upstream.port) as tunnel:
        for _ in range(8):
            tunnel.sendall(request)
            assert read_answer(tunnel).endswith(b'{"ok":true}')
    assert upstream.connections == 1


def test_a_client_that_leaves_while_the_upstream_thinks_is_recorded(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    upstream.reset(b"")
    tunnel = gateway.tls("localhost", upstream.port)
    tunnel.sendall(f"GET /leaves HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n".encode())
    _wait_until(lambda: bytes(upstream.received) != b"")
    tunnel.close()
    _wait_until(lambda: "client-gone" in recorded(gateway))


def _wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)
