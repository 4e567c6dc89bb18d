"""Who calls: a token at CONNECT, on the request, or in a header of its own; all are taken out."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from mitmproxy.http import HTTPFlow
from mitmproxy.tls import TlsData

from addons.guard import Refused, on_arrival, on_connect, on_connection
from addons.parts import Parts
from addons.state import Tunnel, begin, tunnel_of
from gatekeeper.config.model import ClientTls
from gatekeeper.exchange import Exchange, Instant, Phase, Reason, Refusal, Subject, new_exchange_id
from gatekeeper.identity import Credential, IdentityError, check_expiry, read_certificate, read_proxy_credential

IDENTITY_HEADER: Final = "X-Gatekeeper-Identity"
PROXY_AUTHORIZATION: Final = "Proxy-Authorization"
"""RFC 9110 §11.7.2"""


class Identity:
    """Establishes the subject; without one nothing else is looked at."""

    name = "identity"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_connect
    async def http_connect(self, flow: HTTPFlow) -> None:
        values, tunnel, now = _take(flow, PROXY_AUTHORIZATION), tunnel_of(flow.client_conn), self.parts.clock()
        tunnel.claimed = claimed_subject(values)
        try:
            token = read_proxy_credential(values)
            tunnel.subject = await self._by_proxy(tunnel, token, now)
            if tunnel.subject is not None:
                self.parts.locks.check(tunnel.subject)
            elif not self.parts.config.identity.header_identity:
                raise _missing()
            tunnel.credential = Credential(token) if token is not None else None
        except IdentityError as error:
            raise Refused(self._proxy_refusal(error)) from error

    @on_connection
    def tls_established_client(self, data: TlsData) -> None:
        tunnel = tunnel_of(data.context.client)
        if tunnel.connect is not None or not data.conn.certificate_list:
            return
        try:
            shown = data.conn.certificate_list[0].to_cryptography().public_bytes(Encoding.DER)
            tunnel.certificate = read_certificate(shown, self.parts.config.identity.certificate_issuer)
        except IdentityError as error:
            raise Refused(self._proxy_refusal(error)) from error

    @on_arrival
    async def requestheaders(self, flow: HTTPFlow) -> None:
        now = self.parts.clock()
        exchange = Exchange(id=new_exchange_id(), received=now)
        begin(flow, exchange)
        tunnel = tunnel_of(flow.client_conn)
        in_tunnel = tunnel.connect is not None
        proxy_values, header_values = _take(flow, PROXY_AUTHORIZATION), _take(flow, IDENTITY_HEADER)
        try:
            exchange.subject = await self._subject(tunnel, () if in_tunnel else proxy_values, header_values, now)
        except IdentityError as error:
            raise Refused(_unauthorized(error) if in_tunnel else self._proxy_refusal(error)) from error
        exchange.session = self.parts.windows.session_for(
            exchange.subject, flow.request.headers.get("traceparent"), now
        )
        exchange.advance(Phase.IDENTIFIED)

    async def _subject(
        self, tunnel: Tunnel, proxy_values: Sequence[str], header_values: Sequence[str], now: Instant
    ) -> Subject:
        by_header = await self._by_header(tunnel, header_values, now)
        token = tunnel.credential.token if tunnel.credential else read_proxy_credential(proxy_values)
        # Verified again for each request: a token runs out, and a key is taken away, while a tunnel is open.
        by_proxy = await self._by_proxy(tunnel, token, now)
        if by_header and token is None:
            by_proxy = None  # the certificate is then only what the token may be bound to
        if by_header and by_proxy and by_header.token != by_proxy.token:
            raise IdentityError(Reason.TWO_CREDENTIALS, "two credentials that differ; send one")
        subject = by_header or by_proxy
        if subject is None:
            raise _missing()
        self.parts.locks.check(subject)
        return subject

    async def _by_proxy(self, tunnel: Tunnel, token: str | None, now: Instant) -> Subject | None:
        """Say who it is by the token that the proxy protocol brings, else by the connection's certificate."""
        certificate, asks = tunnel.certificate, self.parts.config.proxy.client_certificates
        if certificate is None and asks is ClientTls.REQUIRED:
            raise IdentityError(
                Reason.NO_CERTIFICATE, "this proxy wants a client certificate; use https:// to it, and show one"
            )
        if certificate is not None:
            check_expiry(certificate.subject, 0, now)
        if token is not None:
            return await self.parts.verifier.identify(token, now, _thumbprint(tunnel))
        return certificate.subject if certificate is not None else None

    async def _by_header(self, tunnel: Tunnel, values: Sequence[str], now: Instant) -> Subject | None:
        if not values or not self.parts.config.identity.header_identity:
            return None
        if len(set(values)) > 1:
            raise IdentityError(Reason.TWO_CREDENTIALS, f"several {IDENTITY_HEADER} headers; send one")
        return await self.parts.verifier.identify(values[0], now, _thumbprint(tunnel))

    def _proxy_refusal(self, error: IdentityError) -> Refusal:
        if error.reason is Reason.LOCKED:
            return _locked_out(error)
        realm = self.parts.config.identity.proxy_realm
        return Refusal(
            status=407,
            reason=error.reason,
            message=f"Gatekeeper: {error}",
            headers=(
                ("Proxy-Authenticate", f'Basic realm="{realm}"'),
                ("Proxy-Authenticate", f'Bearer realm="{realm}"'),
            ),
        )


def claimed_subject(values: Sequence[str]) -> str | None:
    """Give the user name of proxy Basic credentials, for the record of a refusal: a claim, never an identity."""
    for value in values:
        scheme, _, rest = value.partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, _ = base64.b64decode(rest, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return user[:64] if user.isascii() and user.isprintable() and user.count(".") != 2 else None  # noqa: PLR2004 - a JWT has two dots
    return None


def _thumbprint(tunnel: Tunnel) -> str | None:
    return tunnel.certificate.thumbprint if tunnel.certificate is not None else None


def _missing() -> IdentityError:
    return IdentityError(
        Reason.NO_CREDENTIAL,
        "no identity; put a token into the proxy address: http://workload:TOKEN@gateway:8080 "
        "(`gatekeeper identity issue` makes one)",
    )


def _locked_out(error: IdentityError) -> Refusal:
    """Say no in a way that no other token would change."""
    message = f"Gatekeeper: {error}"
    return Refusal(status=403, reason=error.reason, message=message, headers=(("Connection", "close"),))


def _unauthorized(error: IdentityError) -> Refusal:
    if error.reason is Reason.LOCKED:
        return _locked_out(error)
    # The connection ends, so that the next one can bring a new token.
    message = f"Gatekeeper: {error}"
    return Refusal(status=401, reason=error.reason, message=message, headers=(("Connection", "close"),))


def _take(flow: HTTPFlow, header: str) -> list[str]:
    values: list[str] = flow.request.headers.get_all(header)
    if values:
        del flow.request.headers[header]
    return values
