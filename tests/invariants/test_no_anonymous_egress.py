"""Invariant 1: without a valid identity nothing is sent upstream, not even a lookup of its name or a connection."""

import base64
import socket
import ssl
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from harness import RunningGateway, Upstream, read_answer

from gatekeeper.exchange import now

SECOND = 1_000_000


def _claims(**changed: object) -> dict[str, object]:
    seconds = now() // SECOND
    ours = {"iss": "https://gatekeeper.local", "aud": "gatekeeper", "sub": "x", "iat": seconds, "exp": seconds + 60}
    return ours | changed


def _signed(gateway: RunningGateway, **changed: object) -> str:
    path = gateway.config.keys / "issuer.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    kid = jwt.get_unverified_header(gateway.token())["kid"]
    return jwt.encode(_claims(**changed), key, algorithm="EdDSA", headers={"kid": kid})


def _by_another_key(gateway: RunningGateway) -> str:
    kid = jwt.get_unverified_header(gateway.token())["kid"]
    return jwt.encode(_claims(), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": kid})


def _unsigned(_: RunningGateway) -> str:
    return jwt.encode(_claims(), None, algorithm="none")


def _keyed(_: RunningGateway) -> str:
    return jwt.encode(_claims(), "a shared secret of enough bytes to be taken", algorithm="HS256")


TOKENS: dict[str, Callable[[RunningGateway], str]] = {
    "none": lambda _: "",
    "no JWT": lambda _: "sesame",
    "unsigned": _unsigned,
    "signed by a shared secret": _keyed,
    "signed by another key": _by_another_key,
    "of another issuer": lambda gateway: _signed(gateway, iss="https://elsewhere.example"),
    "for another audience": lambda gateway: _signed(gateway, aud="billing"),
    "expired": lambda gateway: _signed(gateway, iat=now() // SECOND - 7200, exp=now() // SECOND - 3600),
    "without an end": lambda gateway: _signed(gateway, exp=None),
    "that lives too long": lambda gateway: _signed(gateway, exp=now() // SECOND + 86400),
    "cut short": lambda gateway: gateway.token()[:-4],
}

type Send = Callable[[RunningGateway, int, str], bytes]


def _ask(gateway: RunningGateway, *heads: str, tls: bool = False) -> bytes:
    """Send heads one by one and give the answer to the last; a tunnel that is refused ends it."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        raw.sendall(heads[0].encode())
        answer = read_answer_head(raw)
        if len(heads) == 1 or not answer.startswith(b"HTTP/1.1 200"):
            return answer
        context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
        with context.wrap_socket(raw, server_hostname="localhost") if tls else raw as inner:
            inner.sendall(heads[1].encode())
            return read_answer(inner)


def read_answer_head(connection: socket.socket) -> bytes:
    answer = b""
    while b"\r\n\r\n" not in answer and (piece := connection.recv(4096)):
        answer += piece
    return answer


def _connect_head(port: int, more: str = "") -> str:
    return f"CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n{more}\r\n"


def _get_head(port: int, more: str = "", prefix: str = "") -> str:
    return f"GET {prefix}/thing HTTP/1.1\r\nHost: localhost:{port}\r\n{more}\r\n"


def _bearer_at_connect(gateway: RunningGateway, port: int, token: str) -> bytes:
    return _ask(gateway, _connect_head(port, f"Proxy-Authorization: Bearer {token}\r\n" if token else ""))


def _basic_at_connect(gateway: RunningGateway, port: int, token: str) -> bytes:
    value = base64.b64encode(f"workload:{token}".encode()).decode()
    return _ask(gateway, _connect_head(port, f"Proxy-Authorization: Basic {value}\r\n"))


def _on_plain_http(gateway: RunningGateway, port: int, token: str) -> bytes:
    more = f"Proxy-Authorization: Bearer {token}\r\n" if token else ""
    return _ask(gateway, _get_head(port, more, f"http://localhost:{port}"))


def _in_a_header(gateway: RunningGateway, port: int, token: str) -> bytes:
    more = f"X-Gatekeeper-Identity: {token}\r\n" if token else ""
    return _ask(gateway, _connect_head(port), _get_head(port, more), tls=True)


def _only_inside_the_tunnel(gateway: RunningGateway, port: int, token: str) -> bytes:
    more = f"Proxy-Authorization: Bearer {token}\r\n" if token else ""
    return _ask(gateway, _connect_head(port), _get_head(port, more), tls=True)


WAYS: dict[str, tuple[Send, str]] = {
    "bearer at CONNECT": (_bearer_at_connect, ""),
    "basic at CONNECT": (_basic_at_connect, ""),
    "plain HTTP": (_on_plain_http, ""),
    "header inside a tunnel": (_in_a_header, "[identity]\nheader_identity = true\n"),
    "proxy header inside a tunnel": (_only_inside_the_tunnel, "[identity]\nheader_identity = true\n"),
}


@pytest.fixture
def looked_up() -> list[object]:
    return []


def _watch(gateway: RunningGateway, looked_up: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    loop = gateway.background.loop
    resolve = loop.getaddrinfo

    async def watched(host: object, *arguments: object, **named: object) -> object:
        looked_up.append(host)
        return await resolve(host, *arguments, **named)

    monkeypatch.setattr(loop, "getaddrinfo", watched)


@pytest.mark.parametrize(("send", "more"), WAYS.values(), ids=WAYS)
def test_nothing_leaves_without_a_valid_identity(
    send: Send,
    more: str,
    start_gateway: Callable[..., RunningGateway],
    upstream: Upstream,
    looked_up: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = start_gateway(more=more)
    upstream.reset()
    _watch(gateway, looked_up, monkeypatch)
    for name, token in TOKENS.items():
        answer = send(gateway, upstream.port, token(gateway))
        assert answer.startswith((b"HTTP/1.1 407 ", b"HTTP/1.1 401 ")), (name, answer)
    assert (bytes(upstream.received), upstream.connections, looked_up) == (b"", 0, [])


@pytest.mark.parametrize("way", ["bearer at CONNECT", "basic at CONNECT", "header inside a tunnel"])
def test_the_same_call_with_an_identity_goes_through(
    way: str,
    start_gateway: Callable[..., RunningGateway],
    upstream: Upstream,
    looked_up: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The instruments see what they are there for."""
    send, more = WAYS[way]
    gateway = start_gateway(more=more)
    upstream.reset()
    _watch(gateway, looked_up, monkeypatch)
    assert send(gateway, upstream.port, gateway.token()).startswith(b"HTTP/1.1 200")
    if way == "header inside a tunnel":
        assert upstream.connections == 1
        assert "localhost" in looked_up
        assert gateway.token().encode() not in upstream.received
