"""`admin.token_listen`: `POST /token` for containers, over TLS under the gateway's own CA, and nothing else.

Approvals, locks and the journal stay behind the Unix socket: who may open that is said by its group. Here anybody
may knock, and what counts is the token that is shown.
"""

import asyncio
import datetime as dt
import functools
import ipaddress
import os
import socket as sockets
import ssl
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Self, override

import h11
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatekeeper.gateway.admin import LONGEST_STOP, QuietServer

LIFE: Final = dt.timedelta(days=90)
SKEW: Final = dt.timedelta(days=1)
MOST_CALLS: Final = 100
"""Calls at the same time; what is beyond gets 503."""

TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

HERE: Final = ("localhost", "127.0.0.1", "::1")


def token_app(routes: list[Route], well: Callable[[], bool]) -> Starlette:
    """Build what is served: `/token`, and whether the gateway is well, in one word."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok" if well() else "failing"}, 200 if well() else 503)

    app = Starlette(routes=[*routes, Route("/healthz", healthz)])
    app.router.redirect_slashes = False
    return app


class PromptProtocol(H11Protocol):
    """Ends a connection that has not said its whole request, head and body, `patience` seconds after it could begin.

    uvicorn itself waits for ever, and a hundred of such connections would be all that there may be.
    """

    def __init__(self, patience: float, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._patience = patience
        self._due: asyncio.TimerHandle

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._begin()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._due.cancel()
        super().connection_lost(exc)

    @override
    def on_response_complete(self) -> None:
        self._due.cancel()
        super().on_response_complete()
        self._begin()

    def _begin(self) -> None:
        self._due = self.loop.call_later(self._patience, self._look)

    def _look(self) -> None:
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self.transport.write(TOO_SLOW)
            self.transport.close()


class TokenListener:
    """A running listener."""

    def __init__(self, server: QuietServer, task: asyncio.Task[None], port: int) -> None:
        self._server = server
        self._task = task
        self.port = port

    @classmethod
    async def start(cls, app: Starlette, address: tuple[str, int], context: ssl.SSLContext, patience: float) -> Self:
        """Listen; who takes longer than `patience` (s) for a request is cut off. Raises OSError."""
        listening = sockets.create_server(address, family=sockets.AF_INET6 if ":" in address[0] else sockets.AF_INET)
        config = uvicorn.Config(
            app,
            lifespan="off",
            http=functools.partial(PromptProtocol, patience),  # type: ignore[arg-type] # called as the class is
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_CALLS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=LONGEST_STOP,
        )
        config.load()
        config.ssl = context
        server = QuietServer(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        await server.ready.wait()
        return cls(server, task, listening.getsockname()[1])

    async def stop(self) -> None:
        """Stop answering."""
        self._server.should_exit = True
        await self._task


def server_context(
    key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, names: Iterable[str], folder: Path
) -> ssl.SSLContext:
    """Make a certificate for `names` and this machine, signed by the gateway's CA, and a context that shows it.

    OpenSSL reads keys from files only: it stands in `folder` for that moment.
    """
    own = ec.generate_private_key(ec.SECP256R1())
    leaf = _leaf(key, certificate, own, tuple(dict.fromkeys((*names, sockets.gethostname(), *HERE))))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".pem") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))  # fmt: skip
        file.write(leaf.public_bytes(serialization.Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _leaf(
    key: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
    own: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
) -> x509.Certificate:
    today = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gatekeeper")]))
        .issuer_name(certificate.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - SKEW)
        .not_valid_after(today + LIFE)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
