"""The upstream: a TLS server in a process of its own that does as little as possible."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from multiprocessing.connection import Connection
from pathlib import Path
from typing import override

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from workload import HOST, answers


class Answerer(asyncio.Protocol):
    """Answers each request by its path, a stream piece by piece."""

    def __init__(self, prepared: dict[bytes, list[bytes]]) -> None:
        self._prepared = prepared
        self._pending = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._pending += data
        head, found, rest = self._pending.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or 0)
        if len(rest) < length:
            return
        self._pending = rest[length:]
        self._send(self._prepared[head.split(b" ", 2)[1]], 0)

    def _send(self, pieces: list[bytes], position: int) -> None:
        self._transport.write(pieces[position])
        if position + 1 < len(pieces):
            asyncio.get_running_loop().call_soon(self._send, pieces, position + 1)


def serve(certificate: Path, told: Connection) -> None:
    """Serve until the process is ended; tells its port."""

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        prepared = answers()
        server = await asyncio.get_running_loop().create_server(
            lambda: Answerer(prepared), "127.0.0.1", 0, ssl=context, backlog=1024
        )
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """Make a throw-away CA and a server's certificate under it; gives the files of both."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name("Benchmark CA")
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    root = _builder(issuer, issuer, authority, authority, x509.BasicConstraints(ca=True, path_length=None))
    root = root.add_extension(usage, critical=True)  # Python 3.13 asks for it
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = _builder(_name(HOST), issuer, key, authority, names)
    root_file, leaf_file = folder / "upstream-ca.pem", folder / "upstream.pem"
    encoding = serialization.Encoding.PEM
    root_file.write_bytes(root.sign(authority, hashes.SHA256()).public_bytes(encoding))
    leaf_file.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.sign(authority, hashes.SHA256()).public_bytes(encoding)
    )
    return root_file, leaf_file


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.CertificateBuilder:
    today = dt.datetime.now(dt.UTC)
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=2))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(signer, critical=False)
    )
