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
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.tls import TlsData

from gatekeeper.gateway.streams import GatewayHttp
from gatekeeper.gateway.tls import GatewayClientTls


class GatewayTls(TlsConfig):
    """mitmproxy's TLS with the gateway's CA, whose key is on P-256: leaves sign 15 times faster than with RSA."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._authority = key, certificate

    @override
    def configure(self, updated: set[str]) -> None:
        if self.certstore is None:
            key, certificate = self._authority
            self.certstore = certs.CertStore(
                key, certs.Cert(certificate), None, certs.dummy_crl(key, certificate), certs.DHParams(b"")
            )

    @override
    def tls_start_server(self, tls_start: TlsData) -> None:
        """Offer the upstream what the client speaks: h2 only to clients that know nothing else."""
        if tls_start.context.client.alpn != b"h2":
            tls_start.conn.alpn_offers = (b"http/1.1",)
        super().tls_start_server(tls_start)

    @override
    def request(self, flow: HTTPFlow) -> None:
        """Answer nothing: mitmproxy's revocation list would be an answer without an identity."""


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
        if starts_like_tls_record(data) and not any(
            isinstance(one, layers.ClientTLSLayer) for one in context.layers[1:]
        ):
            # The upstream is spoken to by TLS too, in a layer of its own once a request may go there.
            context.server.tls = True
            nextlayer.layer = GatewayClientTls(context)
        else:
            nextlayer.layer = GatewayHttp(context, HTTPMode.transparent)
