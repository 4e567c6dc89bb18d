"""The kill switch and revocation, by the command line's client: at once, for what is open too, over restarts."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import JSON_ANSWER, Authority, RunningGateway, Upstream, gateway_config, read_answer, run_gateway

from gatekeeper.cli.admin_client import AdminClient, SaidNo
from gatekeeper.journal import AdminData, ErrorData, Reader, RefusedData

REQUEST = b"GET /v1/thing HTTP/1.1\r\nHost: localhost:%d\r\n\r\n"


def admin(gateway: RunningGateway) -> AdminClient:
    return AdminClient(gateway.config.admin_socket)


def tunnel(gateway: RunningGateway, port: int, token: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
    return context.wrap_socket(gateway.connect("localhost", port, token), server_hostname="localhost")


def status_of_connect(gateway: RunningGateway, port: int, token: str) -> bytes:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        target = f"localhost:{port}"
        raw.sendall(
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Bearer {token}\r\n\r\n".encode()
        )
        return raw.recv(4096).split(b" ")[1]


def is_cut(connection: socket.socket) -> bool:
    connection.settimeout(10)
    try:
        return connection.recv(1) == b""
    except (ConnectionError, ssl.SSLError):
        return True


def entries(gateway: RunningGateway) -> list[object]:
    with Reader(gateway.config.journal.folder, None) as reader:
        return [entry.data for entry in reader.entries(0, reader.size)]


WAYS = {
    "all": ("all", "", ""),
    "subject": ("subject", "bot-a", ""),
    "subject of its issuer": ("subject", "bot-a", "https://gatekeeper.local"),
    "workflow": ("workflow", "close", ""),
}


@pytest.mark.parametrize(("kind", "value", "issuer"), WAYS.values(), ids=WAYS)
def test_a_lock_cuts_open_tunnels_and_refuses_new_ones_until_it_is_taken_off(
    kind: str, value: str, issuer: str, start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    gateway = start_gateway()
    upstream.reset()
    token = gateway.issuer.issue("bot-a", (), "close", 600, gateway.parts.clock())
    other = gateway.token("bot-b")
    with tunnel(gateway, upstream.port, token) as mine, tunnel(gateway, upstream.port, other) as theirs:
        mine.sendall(REQUEST % upstream.port)
        assert read_answer(mine).startswith(b"HTTP/1.1 200")
        with admin(gateway) as client:
            assert client.lock(kind, value, issuer, "an incident").cut == (2 if kind == "all" else 1)
        assert is_cut(mine)
        upstream.reset()
        assert status_of_connect(gateway, upstream.port, token) == b"403"
        if kind != "all":
            theirs.sendall(REQUEST % upstream.port)
            assert read_answer(theirs).startswith(b"HTTP/1.1 200")
    with admin(gateway) as client:
        (held,) = client.locks()
        assert (held.kind, held.value, held.reason) == (kind, value, "an incident")
        client.unlock(kind, value, issuer, "over")
        assert client.locks() == ()
    assert status_of_connect(gateway, upstream.port, token) == b"200"
    events = [data.event.value for data in entries(gateway) if isinstance(data, AdminData)]
    assert events == ["lock", "unlock"]
    assert "locked" in [data.reason for data in entries(gateway) if isinstance(data, RefusedData)]


@pytest.mark.parametrize("by", ["jti", "fingerprint", "key"])
def test_a_revoked_token_is_cut_off(by: str, start_gateway: Callable[..., RunningGateway], upstream: Upstream) -> None:
    gateway = start_gateway()
    token = gateway.token("bot-a")
    subject = gateway.parts.verifier.verify(token, gateway.parts.clock())
    kind, value = {
        "jti": ("token", str(subject.jti)),
        "fingerprint": ("token", subject.token),
        "key": ("key", subject.keys[0].sub),
    }[by]
    with tunnel(gateway, upstream.port, token) as mine:
        with admin(gateway) as client:
            assert client.lock(kind, value, "", "").cut == 1
        assert is_cut(mine)
    assert status_of_connect(gateway, upstream.port, token) == b"407"
    assert status_of_connect(gateway, upstream.port, gateway.token("bot-a")) == (b"407" if by == "key" else b"200")
    assert [data.event.value for data in entries(gateway) if isinstance(data, AdminData)] == ["revocation"]


def test_a_stream_under_way_is_cut_and_says_so_in_the_journal(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    gateway = start_gateway()
    release = threading.Event()

    def slow(_head: bytes) -> bytes:
        release.wait(20)
        return JSON_ANSWER

    upstream.reset(slow)
    with tunnel(gateway, upstream.port, gateway.token("bot-a")) as mine:
        mine.sendall(REQUEST % upstream.port)
        deadline = time.monotonic() + 20
        while not upstream.received and time.monotonic() < deadline:
            time.sleep(0.01)
        with admin(gateway) as client:
            assert client.lock("subject", "bot-a", "", "").cut == 1
        assert is_cut(mine)
    release.set()
    while not any(isinstance(data, ErrorData) for data in entries(gateway)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [data.reason for data in entries(gateway) if isinstance(data, ErrorData)] == ["locked"]


def test_a_request_on_plain_http_is_refused_too(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    gateway = start_gateway()
    token = gateway.token("bot-a")
    with admin(gateway) as client:
        client.lock("subject", "bot-a", "", "")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        raw.sendall(
            f"GET http://localhost:{upstream.port}/ HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n"
            f"Proxy-Authorization: Bearer {token}\r\n\r\n".encode()
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 403 ")


@contextmanager
def running(folder: Path, authority: Authority, upstream: Upstream) -> Iterator[RunningGateway]:
    gateway, stop = run_gateway(gateway_config(folder, authority, upstream))
    try:
        yield gateway
    finally:
        stop()


def test_locks_survive_a_restart_by_the_journal_and_nothing_else(
    tmp_path: Path, authority: Authority, upstream: Upstream
) -> None:
    with running(tmp_path, authority, upstream) as gateway, admin(gateway) as client:
        client.lock("subject", "bot-a", "", "")
        client.lock("workflow", "close", "", "")
        client.unlock("workflow", "close", "", "")
    kept = {path.relative_to(tmp_path) for path in (tmp_path / "data").rglob("*") if "lock" in path.name}
    assert kept == set()  # no file beside the journal says who is locked out
    for _ in range(2):
        with running(tmp_path, authority, upstream) as gateway:
            assert status_of_connect(gateway, upstream.port, gateway.token("bot-a")) == b"403"
            assert status_of_connect(gateway, upstream.port, gateway.token("bot-b")) == b"200"
    with running(tmp_path, authority, upstream) as gateway, admin(gateway) as client:
        client.unlock("subject", "bot-a", "", "")
    with running(tmp_path, authority, upstream) as gateway:
        assert status_of_connect(gateway, upstream.port, gateway.token("bot-a")) == b"200"


@pytest.mark.parametrize(
    ("kind", "value", "issuer", "reason"),
    [("planet", "x", "", ""), ("all", "x", "", ""), ("subject", "", "", ""), ("subject", "x", "", "a\nb"),
     ("subject", "x", "", "call ada@example.com")],
)  # fmt: skip
def test_what_can_not_be_locked_is_refused_and_not_recorded(
    kind: str, value: str, issuer: str, reason: str, start_gateway: Callable[..., RunningGateway]
) -> None:
    gateway = start_gateway()
    with admin(gateway) as client, pytest.raises(SaidNo):
        client.lock(kind, value, issuer, reason)
    assert not [data for data in entries(gateway) if isinstance(data, AdminData)]


def test_a_lock_that_is_not_there_can_not_be_taken_off(start_gateway: Callable[..., RunningGateway]) -> None:
    with admin(start_gateway()) as client, pytest.raises(SaidNo, match="no lock on subject x"):
        client.unlock("subject", "x", "", "")


@pytest.mark.parametrize("moved_away", [False, True])
def test_locks_survive_in_sealed_segments_too(
    tmp_path: Path, authority: Authority, upstream: Upstream, *, moved_away: bool
) -> None:
    with running(tmp_path, authority, upstream) as gateway, admin(gateway) as client:
        client.lock("subject", "bot-a", "", "")
        client.lock("subject", "bot-b", "", "")

        async def seal() -> None:
            await gateway.parts.journal.seal()

        gateway.background.run(seal())
        client.unlock("subject", "bot-b", "", "")
    (sealed,) = (tmp_path / "data" / "journal").glob("journal-*.db")
    if moved_away:
        sealed.rename(tmp_path / sealed.name)
    with running(tmp_path, authority, upstream) as gateway:
        assert status_of_connect(gateway, upstream.port, gateway.token("bot-a")) == b"403"
        assert status_of_connect(gateway, upstream.port, gateway.token("bot-b")) == b"200"


def test_a_held_call_is_not_released_once_its_subject_is_locked(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    hold = """
        [[rules]]
        name = "ask"
        hosts = ["localhost"]
        action = "hold"
        reviewers = ["leads"]
        [approvals.groups]
        leads = ["alice@example.com"]
    """
    gateway = start_gateway(hold)
    upstream.reset()
    with tunnel(gateway, upstream.port, gateway.token("bot-a")) as mine, admin(gateway) as client:
        mine.sendall(REQUEST % upstream.port)
        deadline = time.monotonic() + 20
        while not client.approvals() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert client.lock("subject", "bot-a", "", "").cut == 1
        assert is_cut(mine)
        assert client.approvals()[0].state == "pending"
    assert (bytes(upstream.received), upstream.connections) == (b"", 0)
