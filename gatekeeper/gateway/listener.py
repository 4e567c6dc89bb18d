"""mitmproxy's own addons, cut to what a gateway needs: TLS under its CA, and no layer that can't be inspected."""

from typing import override

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from mitmproxy import certs
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.http import HTTPFlow
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import layer, layers
from mitmproxy.proxy.layers.http import HTTPMode, HttpStream
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from gatekeeper.config.model import ClientTls
from gatekeeper.gateway.streams import GatewayHttp
from gatekeeper.gateway.tls import GatewayClientTls


class GatewayTls(TlsConfig):
    """mitmproxy's TLS with the gateway's CA, whose key is on P-256: leaves sign 15 times faster than with RSA.

    Around the proxy protocol itself (`HTTPS_PROXY=https://…`) clients may be asked for a certificate: it must be
    signed under `client_ca`.
    """

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        asks: ClientTls = ClientTls.OFF,
        client_ca: str = "",
    ) -> None:
        self._authority = key, certificate
        self._asks = asks
        self._client_ca = client_ca

    @override
    def configure(self, updated: set[str]) -> None:
        if self.certstore is None:
            key, certificate = self._authority
            self.certstore = certs.CertStore(
                key, certs.Cert(certificate), None, certs.dummy_crl(key, certificate), certs.DHParams(b"")
            )

    @override
    def tls_start_client(self, tls_start: TlsData) -> None:
        """Ask for a certificate where the proxy protocol begins; inside tunnels the client talks to a site."""
        in_tunnel = any(isinstance(one, HttpStream) for one in tls_start.context.layers)
        if self._asks is ClientTls.OFF or in_tunnel:
            super().tls_start_client(tls_start)
            return
        entry = self.get_cert(tls_start.context)
        context = _asking(self._client_ca, demanding=self._asks is ClientTls.REQUIRED)
        context.use_certificate(entry.cert.to_cryptography())
        context.use_privatekey(entry.privatekey)
        tls_start.ssl_conn = SSL.Connection(context)
        tls_start.ssl_conn.set_accept_state()

    @override
    def tls_start_server(self, tls_start: TlsData) -> None:
        """Offer the upstream what the client speaks: h2 only to clients that know nothing else."""
        if tls_start.context.client.alpn != b"h2":
            tls_start.conn.alpn_offers = (b"http/1.1",)
        super().tls_start_server(tls_start)

    @override
    def request(self, flow: HTTPFlow) -> None:
        """Answer nothing: mitmproxy's revocation list would be an answer without an identity."""


def _asking(client_ca: str, *, demanding: bool) -> SSL.Context:
    """Make a context that verifies clients. No sessions: a resumed one would skip what is asked for."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.load_verify_locations(client_ca)
    context.set_verify(SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if demanding else 0))
    context.set_alpn_select_callback(
        lambda _, offered: b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS
    )
    return context


def _has_tls(around: list[layer.Layer]) -> bool:
    """Whether TLS stands inside the tunnel already; what is around the proxy protocol doesn't count."""
    tunnel = next((at for at, one in enumerate(around) if isinstance(one, HttpStream)), 0)
    return any(isinstance(one, layers.ClientTLSLayer) for one in around[tunnel:])


class InspectedLayers(NextLayer):
    """Chooses HTTP, or TLS and then HTTP, and never raw TCP, UDP or DNS, whatever the port."""

    @override
    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        context, data = nextlayer.context, nextlayer.data_client()
        if isinstance(context.layers[-1], HttpProxy):
            super().next_layer(nextlayer)
            return
        if not data:
            return
        if starts_like_tls_record(data) and not _has_tls(context.layers):
            # The upstream is spoken to by TLS too, in a layer of its own once a request may go there.
            context.server.tls = True
            nextlayer.layer = GatewayClientTls(context)
        else:
            nextlayer.layer = GatewayHttp(context, HTTPMode.transparent)
