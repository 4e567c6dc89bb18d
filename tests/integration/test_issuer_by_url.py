"""A gateway whose issuer is found by discovery: rotation, outage, restarts of the issuer, reloads."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from forgery import ED, ED_2, jwk
from harness import Authority, Background, RunningGateway, Upstream, read_answer

from gatekeeper.identity import key_url
from gatekeeper.identity.key_url import StaleKeys
from gatekeeper.journal import AdminData, Reader


@dataclass
class IdentityProvider:
    """Discovery and a key set over TLS; says what it is told to, or nothing."""

    port: int = 0
    keys: list[dict[str, object]] = field(default_factory=lambda: [jwk(ED, kid="a")])
    mode: str = "well"
    asked: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.asked.append(path)
            if self.mode == "silent":
                await reader.read()  # until the client has had enough
            pages = {
                "/.well-known/openid-configuration": {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"},
                "/keys": {"keys": self.keys},
            }
            body = b"<html>" if self.mode == "garbage" else json.dumps(pages[path]).encode()
            status = "503 Unavailable" if self.mode == "down" else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def token(self, kid: str = "a", key: Ed25519PrivateKey = ED, **changes: object) -> str:
        at = int(time.time())
        claims = {"iss": self.issuer, "aud": "gatekeeper", "sub": "bot", "iat": at, "exp": at + 600, **changes}
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid})


@contextmanager
def provider(authority: Authority, port: int = 0) -> Iterator[IdentityProvider]:
    made = IdentityProvider()
    background = Background(asyncio.new_event_loop())

    async def start() -> asyncio.Server:
        context = authority.server_context("localhost")
        context.set_alpn_protocols(["http/1.1"])
        return await asyncio.start_server(made.serve, "localhost", port, ssl=context)

    server = background.run(start())
    made.port = server.sockets[0].getsockname()[1]
    yield made
    background.loop.call_soon_threadsafe(server.close)
    background.loop.call_soon_threadsafe(server.abort_clients)
    background.end()


@pytest.fixture
def idp(authority: Authority) -> Iterator[IdentityProvider]:
    with provider(authority) as made:
        yield made


def issuers(idp: IdentityProvider) -> str:
    return f"""
        [[identity.issuers]]
        issuer = "https://gatekeeper.local"
        jwks = "data/issuer.jwks.json"
        [[identity.issuers]]
        issuer = "{idp.issuer}"
    """


def works(gateway: RunningGateway, port: int, token: str) -> bool:
    context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
    try:
        raw = gateway.connect("localhost", port, token)
    except AssertionError:
        return False
    with context.wrap_socket(raw, server_hostname="localhost") as tunnel:
        tunnel.sendall(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % port)
        return read_answer(tunnel).startswith(b"HTTP/1.1 200")


def test_keys_are_there_when_the_gateway_is_ready_and_a_new_one_is_fetched_when_it_comes(
    start_gateway: Callable[..., RunningGateway], idp: IdentityProvider, upstream: Upstream
) -> None:
    gateway = start_gateway(issuers(idp))
    upstream.reset()
    assert idp.asked == ["/.well-known/openid-configuration", "/keys"]
    assert works(gateway, upstream.port, idp.token())
    assert len(idp.asked) == 2
    idp.keys = [jwk(ED, kid="a"), jwk(ED_2, kid="b")]
    assert works(gateway, upstream.port, idp.token("b", ED_2))
    assert len(idp.asked) == 4


@pytest.mark.parametrize("mode", ["down", "silent", "garbage"])
def test_in_an_outage_known_keys_work_on_and_unknown_ones_ask_once(
    mode: str, start_gateway: Callable[..., RunningGateway], idp: IdentityProvider, upstream: Upstream
) -> None:
    gateway = start_gateway(issuers(idp))
    upstream.reset()
    idp.mode = mode
    for _ in range(3):
        assert not works(gateway, upstream.port, idp.token("b", ED_2))
        assert works(gateway, upstream.port, idp.token(jti=str(time.monotonic_ns())))
    assert len(idp.asked) == 3  # two at the start, one discovery for all the unknown keys


def test_an_issuer_that_is_down_at_the_start_keeps_nobody_elses_callers_out(
    start_gateway: Callable[..., RunningGateway], idp: IdentityProvider, upstream: Upstream
) -> None:
    idp.mode = "down"
    gateway = start_gateway(issuers(idp))
    upstream.reset()
    assert works(gateway, upstream.port, gateway.token())
    assert not works(gateway, upstream.port, idp.token())
    idp.mode = "well"
    deadline = time.monotonic() + 20
    while not works(gateway, upstream.port, idp.token()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert works(gateway, upstream.port, idp.token())


def test_stale_keys_are_on_record(start_gateway: Callable[..., RunningGateway], idp: IdentityProvider) -> None:
    gateway = start_gateway(issuers(idp))
    at = gateway.parts.clock()
    source = next(
        issuer.source
        for issuer in gateway.parts.verifier._issuers.values()
        if isinstance(issuer.source, key_url.KeyUrl)
    )
    deadline = time.monotonic() + 10
    while source.tell.__module__ != "gatekeeper.gateway.fresh_keys" and time.monotonic() < deadline:
        time.sleep(0.05)
    gateway.background.loop.call_soon_threadsafe(source.tell, StaleKeys(idp.issuer, at, at))
    found: list[AdminData] = []
    while not found and time.monotonic() < deadline:
        with Reader(gateway.config.journal.folder, None) as reader:
            found = [entry.data for entry in reader.entries(0, reader.size) if isinstance(entry.data, AdminData)]
    assert (found[0].event.value, found[0].detail["issuer"]) == ("stale-keys", idp.issuer)


def test_a_token_of_one_issuer_says_nothing_in_the_name_of_another(
    start_gateway: Callable[..., RunningGateway], idp: IdentityProvider, upstream: Upstream
) -> None:
    rule = (
        '[[rules]]\nname = "no"\nhosts = ["localhost"]\nsubjects = ["https://gatekeeper.local|bot"]\naction = "deny"\n'
    )
    gateway = start_gateway(issuers(idp) + rule)
    upstream.reset()
    assert works(gateway, upstream.port, idp.token())
    assert not works(gateway, upstream.port, gateway.token("bot"))
