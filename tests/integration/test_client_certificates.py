"""TLS to the proxy port itself, with client certificates: who shows one, and what a token may be bound to."""

import asyncio
import datetime as dt
import hashlib
import ipaddress
import socket
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from forgery import base64url
from harness import RunningGateway, Upstream

from gatekeeper.journal import Reader, RefusedData, RequestData
from gatekeeper.relay import FileToken, Relay


@dataclass
class ClientAuthority:
    """A CA of clients."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @classmethod
    def make(cls, folder: Path, name: str = "clients") -> "ClientAuthority":
        key = ec.generate_private_key(ec.SECP256R1())
        authority = cls(folder, key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        certificate = authority._builder(authority.name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        (folder / f"{name}-ca.pem").write_bytes(
            certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return authority

    def issue(self, *names: str, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH, days: int = 1) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
        builder = self._builder(subject, key, days).add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_name(name) for name in names]), critical=False
            )
        path = self.folder / f"client-{x509.random_serial_number()}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1) -> x509.CertificateBuilder:
        today = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - dt.timedelta(days=3))
            .not_valid_after(today + dt.timedelta(days=days))
        )


def _name(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    return x509.DNSName(name)


BOT = "spiffe://prod.example/ns/agents/sa/billing-bot"


@pytest.fixture
def clients(tmp_path: Path) -> ClientAuthority:
    return ClientAuthority.make(tmp_path)


@pytest.fixture
def start(start_gateway: Callable[..., RunningGateway], clients: ClientAuthority) -> Callable[..., RunningGateway]:
    def begin(asks: str, rules: str = "") -> RunningGateway:
        more = f'client_certificates = "{asks}"\nclient_ca = "{clients.folder / "clients-ca.pem"}"\n'
        return start_gateway(rules, more)

    return begin


def call(gateway: RunningGateway, port: int, certificate: Path | None = None, token: str = "") -> httpx.Response:
    bundle = str(gateway.config.proxy.certs / "ca.pem")
    outer = ssl.create_default_context(cafile=bundle)
    if certificate is not None:
        outer.load_cert_chain(certificate)
    user = f"workload:{token}@" if token else ""
    proxy = httpx.Proxy(f"https://{user}127.0.0.1:{gateway.port}", ssl_context=outer)
    with httpx.Client(proxy=proxy, verify=ssl.create_default_context(cafile=bundle), trust_env=False) as client:
        return client.get(f"https://localhost:{port}/v1/thing")


def recorded[T](gateway: RunningGateway, kind: type[T]) -> list[T]:
    with Reader(gateway.config.journal.folder, None) as reader:
        return [entry.data for entry in reader.entries(0, reader.size) if isinstance(entry.data, kind)]


def thumbprint(certificate: Path) -> str:
    shown = x509.load_pem_x509_certificate(certificate.read_bytes())
    return base64url(hashlib.sha256(shown.public_bytes(serialization.Encoding.DER)).digest())


def bound(gateway: RunningGateway, certificate: Path) -> str:
    """Make a token of the embedded issuer that is bound to a certificate (RFC 8705 §3.1)."""
    plain = gateway.token("bound-bot")
    claims: dict[str, Any] = jwt.decode(plain, options={"verify_signature": False})
    claims["cnf"] = {"x5t#S256": thumbprint(certificate)}
    return jwt.encode(claims, gateway.issuer._key, algorithm="EdDSA", headers={"kid": gateway.issuer._kid})


def test_a_proxy_over_tls_without_client_certificates(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    gateway = start_gateway()
    assert call(gateway, upstream.port, token=gateway.token()).status_code == 200


@pytest.mark.parametrize("asks", ["optional", "required"])
def test_the_spiffe_id_of_a_certificate_is_the_subject(
    asks: str, start: Callable[..., RunningGateway], clients: ClientAuthority, upstream: Upstream
) -> None:
    gateway = start(asks)
    assert call(gateway, upstream.port, clients.issue(BOT)).status_code == 200
    (request,) = recorded(gateway, RequestData)
    assert (request.subject.iss, request.subject.sub) == ("spiffe://prod.example", BOT)


def test_a_host_name_is_the_subject_where_there_is_no_uri(
    start: Callable[..., RunningGateway], clients: ClientAuthority, upstream: Upstream
) -> None:
    gateway = start("required")
    assert call(gateway, upstream.port, clients.issue("billing-bot.agents.example")).status_code == 200
    (request,) = recorded(gateway, RequestData)
    assert (request.subject.iss, request.subject.sub) == ("x509://clients", "billing-bot.agents.example")


def test_rules_name_who_shows_a_certificate(
    start: Callable[..., RunningGateway], clients: ClientAuthority, upstream: Upstream
) -> None:
    rule = '[[rules]]\nname = "no"\nhosts = ["localhost"]\nissuers = ["spiffe://prod.example"]\naction = "deny"\n'
    gateway = start("required", rule)
    assert call(gateway, upstream.port, clients.issue(BOT)).status_code == 403
    assert call(gateway, upstream.port, clients.issue("spiffe://dev.example/a")).status_code == 200


def test_curl_shows_a_certificate(
    start: Callable[..., RunningGateway], clients: ClientAuthority, upstream: Upstream
) -> None:
    gateway = start("required")
    bundle = str(gateway.config.proxy.certs / "ca.pem")
    certificate = str(clients.issue(BOT))
    done = subprocess.run(
        ["curl", "-sS", "--cacert", bundle, "--proxy-cacert", bundle, "--proxy-cert", certificate,
         f"https://localhost:{upstream.port}/v1/thing"],
        env={"HTTPS_PROXY": f"https://127.0.0.1:{gateway.port}", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, '{"ok":true}'), done.stderr
    assert recorded(gateway, RequestData)[0].subject.sub == BOT


STRANGERS: dict[str, Callable[[ClientAuthority], Path | None]] = {
    "none": lambda _: None,
    "another CA's": lambda clients: ClientAuthority.make(clients.folder, "others").issue(BOT),
    "expired": lambda clients: clients.issue(BOT, days=-1),
    "for servers": lambda clients: clients.issue(BOT, usage=ExtendedKeyUsageOID.SERVER_AUTH),
    "of nobody": lambda clients: clients.issue(),
    "of two": lambda clients: clients.issue(BOT, "spiffe://prod.example/b"),
    "of many": lambda clients: clients.issue("*.agents.example"),
    "of a bad SPIFFE ID": lambda clients: clients.issue("spiffe://prod.example/a/../b"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_certificate_that_is_not_good_reaches_nothing_even_with_a_token(
    name: str, start: Callable[..., RunningGateway], clients: ClientAuthority, upstream: Upstream
) -> None:
    gateway = start("required")
    upstream.reset()
    with pytest.raises((httpx.ProxyError, httpx.TransportError)):
        call(gateway, upstream.port, STRANGERS[name](clients), gateway.token())
    assert (bytes(upstream.received), upstream.connections) == (b"", 0)
    assert recorded(gateway, RequestData) == []


def test_where_a_certificate_is_required_a_plain_connection_reaches_nothing(
    start: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    gateway = start("required")
    upstream.reset()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as raw:
        target = f"localhost:{upstream.port}"
        fields = f"Host: {target}\r\nProxy-Authorization: Bearer {gateway.token()}\r\n"
        raw.sendall(f"CONNECT {target} HTTP/1.1\r\n{fields}\r\n".encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 407 ")
    assert recorded(gateway, RefusedData)[0].reason == "no-certificate"
    assert upstream.connections == 0


def test_where_a_certificate_is_optional_a_token_alone_is_enough(
    start: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    gateway = start("optional")
    assert call(gateway, upstream.port, token=gateway.token()).status_code == 200
    with pytest.raises(httpx.ProxyError, match="407"):
        call(gateway, upstream.port)


def test_a_bound_token_is_taken_with_its_certificate_and_with_no_other(
    start: Callable[..., RunningGateway], clients: ClientAuthority, upstream: Upstream
) -> None:
    gateway = start("optional")
    mine, other = clients.issue(BOT), clients.issue("spiffe://prod.example/other")
    token = bound(gateway, mine)
    assert call(gateway, upstream.port, mine, token).status_code == 200
    assert recorded(gateway, RequestData)[0].subject.sub == "bound-bot"
    upstream.reset()
    for certificate in (other, None):
        with pytest.raises(httpx.ProxyError, match="407"):
            call(gateway, upstream.port, certificate, token)
    assert upstream.connections == 0


def test_who_shows_a_certificate_can_be_locked_out(
    start: Callable[..., RunningGateway], clients: ClientAuthority, upstream: Upstream
) -> None:
    from gatekeeper.cli.admin_client import AdminClient

    gateway = start("required")
    certificate = clients.issue(BOT)
    assert call(gateway, upstream.port, certificate).status_code == 200
    with AdminClient(gateway.config.admin_socket) as client:
        client.lock("subject", BOT, "", "")
    with pytest.raises(httpx.ProxyError, match="403"):
        call(gateway, upstream.port, certificate)


def test_addresses_are_no_names_of_clients(clients: ClientAuthority) -> None:
    from gatekeeper.identity import IdentityError, read_certificate

    key = ec.generate_private_key(ec.SECP256R1())
    builder = clients._builder(clients.name, key).add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("10.0.0.1"))]), critical=False
    )
    der = builder.sign(clients.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    with pytest.raises(IdentityError):
        read_certificate(der, "x509://clients")


def test_the_relay_shows_its_certificate_and_trusts_its_gateway_only(
    start: Callable[..., RunningGateway], clients: ClientAuthority, upstream: Upstream, tmp_path: Path
) -> None:
    gateway = start("required")
    mine = clients.issue(BOT)
    (tmp_path / "token.jwt").write_text(bound(gateway, mine))
    bundle = str(gateway.config.proxy.certs / "ca.pem")

    async def through(ca: str, certificate: Path | None) -> httpx.Response:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate)
        relay = Relay(FileToken(tmp_path / "token.jwt"), ("127.0.0.1", gateway.port), tls=context)
        port = await relay.start()
        trust = ssl.create_default_context(cafile=bundle)
        try:
            proxy = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(proxy=proxy, verify=trust, trust_env=False) as client:
                return await client.get(f"https://localhost:{upstream.port}/v1/thing")
        finally:
            await relay.stop()

    assert asyncio.run(through(bundle, mine)).status_code == 200
    upstream.reset()
    for ca, certificate in (
        (bundle, None),
        (bundle, clients.issue("spiffe://prod.example/other")),
        (str(tmp_path / "clients-ca.pem"), mine),
    ):
        with pytest.raises(httpx.HTTPError):
            asyncio.run(through(ca, certificate))
    assert upstream.connections == 0
