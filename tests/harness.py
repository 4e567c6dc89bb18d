"""What several kinds of tests share: a throw-away CA, an upstream that counts every byte, a gateway in this process."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from addons.parts import Parts, open_parts
from gatekeeper.config import Config, parse_config
from gatekeeper.exchange import now
from gatekeeper.gateway.first_run import prepare
from gatekeeper.gateway.loop import PinnedLoop
from gatekeeper.gateway.server import Gateway
from gatekeeper.identity import EmbeddedIssuer


@dataclass
class Authority:
    """A throw-away CA for upstreams."""

    folder: Path
    certificate: Path
    _key: ec.EllipticCurvePrivateKey
    _name: x509.Name

    @classmethod
    def make(cls, folder: Path) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test upstream CA")])
        certificate = _builder(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        path = folder / "upstream-ca.pem"
        path.write_bytes(certificate.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return cls(folder, path, key, name)

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Give a server's TLS context with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = [x509.DNSName(name) for name in names] + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        leaf = _builder(subject, self._name, key).add_extension(
            x509.SubjectAlternativeName(alternatives), critical=False
        )
        path = self.folder / f"{names[0]}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + leaf.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["h2", "http/1.1"])  # what is served is HTTP/1: whoever asks for h2 first breaks
        return context


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    today = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=2))
    )


JSON_ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@dataclass
class Upstream:
    """A TLS server that answers each request head with `answer`, and keeps every byte and connection it gets."""

    context: ssl.SSLContext
    answer: bytes | Callable[[bytes], bytes] = JSON_ANSWER
    received: bytearray = field(default_factory=bytearray)
    connections: int = 0
    port: int = 0

    def reset(self, answer: bytes | Callable[[bytes], bytes] = JSON_ANSWER) -> None:
        self.answer = answer
        self.received.clear()
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pending = b""
        while data := await reader.read(65536):
            self.received += data
            pending += data
            while b"\r\n\r\n" in pending:
                head, _, rest = pending.partition(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length:")
                    ),
                    0,
                )
                if len(rest) < length:
                    break
                pending = rest[length:]
                writer.write(self.answer(head) if callable(self.answer) else self.answer)
        writer.close()


class Background:
    """An event loop in a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.thread = threading.Thread(target=loop.run_forever, daemon=True)
        self.thread.start()

    def run[T](self, work: "asyncio.Future[T] | object", timeout: float = 30) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)  # type: ignore[arg-type]

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@dataclass
class RunningGateway:
    """A gateway in a thread of this process, for tests that reach into it."""

    config: Config
    parts: Parts
    port: int
    issuer: EmbeddedIssuer
    background: Background

    def token(self, subject: str = "test-bot", groups: tuple[str, ...] = ()) -> str:
        return self.issuer.issue(subject, groups, None, 600, now())

    def connect(self, host: str, port: int, credential: str | None = None) -> socket.socket:
        """Open a tunnel; raises AssertionError where it is refused."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        raw.sendall(
            f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Proxy-Authorization: Bearer {credential or self.token()}\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = raw.recv(4096)
            assert piece, f"tunnel refused: {answer!r}"
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return raw

    def tls(self, host: str, port: int) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.config.proxy.certs / "ca.pem"))
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context.wrap_socket(self.connect(host, port), server_hostname=host)

    def exchange(self, host: str, port: int, request: bytes) -> bytes:
        """Send bytes through a tunnel and give all that comes back until it is quiet for a moment or closed."""
        with self.tls(host, port) as tunnel:
            tunnel.sendall(request)
            return read_answer(tunnel)


def read_answer(connection: socket.socket) -> bytes:
    """Read one answer with a Content-Length, or until the connection ends."""
    answer = b""
    try:
        while True:
            head, found, body = answer.partition(b"\r\n\r\n")
            if found:
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                if lengths and len(body) >= int(lengths[0].split(b":")[1]):
                    return answer
                if b"chunked" in head.lower() and body.endswith(b"0\r\n\r\n"):
                    return answer
            piece = connection.recv(65536)
            if not piece:
                return answer
            answer += piece
    except (ConnectionError, ssl.SSLError):
        return answer


def gateway_config(
    folder: Path, authority: Authority, upstream: Upstream, rules: str = "", more: str = "", port: int = 0
) -> Config:
    text = f"""
        [proxy]
        listen = "127.0.0.1:0"
        upstream_ca = "{authority.certificate}"
        {more}
        [egress]
        ports = [{port or upstream.port}]
        private_networks = ["127.0.0.0/8", "::1/128"]
        {rules}
        [[rules]]
        name = "local"
        hosts = ["localhost"]
        action = "allow"
    """
    return parse_config(text, folder / "config.toml")


def run_gateway(config: Config) -> tuple[RunningGateway, Callable[[], None]]:
    """Start a gateway in a thread; gives it and what stops it."""
    prepare(config, now())
    background = Background(PinnedLoop())
    bound = threading.Event()
    address: list[int] = []
    made: list[Gateway] = []

    async def serve() -> None:
        made.append(Gateway(await open_parts(config)))

        def ready(_host: str, port: int) -> None:
            address.append(port)
            bound.set()

        await made[0].run(ready, signals=())

    serving = asyncio.run_coroutine_threadsafe(serve(), background.loop)
    serving.add_done_callback(lambda _: bound.set())
    assert bound.wait(20)
    if serving.done():
        serving.result()
    issuer = config.embedded_issuer
    assert issuer is not None
    running = RunningGateway(
        config, made[0].parts, address[0], EmbeddedIssuer.load(config.keys / "issuer.key", issuer), background
    )

    def stop() -> None:
        background.loop.call_soon_threadsafe(made[0].stopping.set)
        serving.result(30)
        background.end()

    return running, stop
