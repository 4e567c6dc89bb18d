"""Where to: one name in CONNECT, SNI and Host, one reading of the path, and nothing that could be read in two ways."""

from typing import Final

from mitmproxy.http import HTTPFlow
from mitmproxy.tls import ClientHelloData

from addons.guard import Refused, on_connect, on_connection, on_request
from addons.inspection import header_fields
from addons.parts import Parts
from addons.state import tunnel_of
from gatekeeper.egress import TargetError, check_names, normal_path, normalise_host
from gatekeeper.exchange import Exchange, Message, Phase, Reason, Refusal, Scheme

HTTP1: Final = b"http/1.1"

# RFC 9110 §7.6.1: what concerns one connection is not forwarded. h2c and protocol upgrades go with it.
NOT_FORWARDED: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te", b"trailer", b"upgrade",
     b"http2-settings"}
)  # fmt: skip
FRAMING: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
"""What no `Connection` header can take out."""


class TargetNames:
    """Establishes the target."""

    name = "target"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_connect
    def http_connect(self, flow: HTTPFlow) -> None:
        tunnel = tunnel_of(flow.client_conn)
        if tunnel.connect is not None:
            raise Refused(_bad_request(Reason.MALFORMED, "CONNECT inside a tunnel"))
        try:
            tunnel.connect = normalise_host(flow.request.host), flow.request.port
        except TargetError as error:
            raise Refused(_bad_request(error.reason, str(error))) from error

    @on_connection
    def tls_clienthello(self, data: ClientHelloData) -> None:
        tunnel_of(data.context.client).sni = data.client_hello.sni
        # With an HTTP/1 upstream mitmproxy opens one connection for each h2 stream, and the sixth waits.
        if HTTP1 in data.client_hello.alpn_protocols:
            data.context.client.alpn = HTTP1

    @on_request
    def requestheaders(self, flow: HTTPFlow, exchange: Exchange) -> None:
        request, tunnel = flow.request, tunnel_of(flow.client_conn)
        if flow.error is not None:  # mitmproxy has found the head malformed, and fires this hook all the same
            raise Refused(_bad_request(Reason.MALFORMED, "the request is not well-formed HTTP"))
        hosts = request.headers.get_all("Host")
        if request.is_http2 and request.authority:
            hosts = [*dict.fromkeys([request.authority, *hosts])]
        try:
            exchange.target = check_names(
                tunnel.connect, tunnel.sni, hosts, Scheme(request.scheme), request.host, request.port
            )
            path = normal_path(request.path)
        except TargetError as error:
            raise Refused(_bad_request(error.reason, str(error))) from error
        # One reading of the path: what the rules saw is what goes upstream.
        request.path = path + "".join(request.path.partition("?")[1:])
        _check_framing(flow)
        _drop_hop_by_hop(flow)
        exchange.request = Message(method=request.method, url=request.url, path=path, headers=header_fields(request))
        exchange.advance(Phase.TARGETED)


def _check_framing(flow: HTTPFlow) -> None:
    headers = flow.request.headers
    if headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise Refused(_bad_request(Reason.MALFORMED, "the only transfer encoding taken is chunked"))
    if "websocket" in headers.get("Upgrade", "").lower():
        message = "WebSocket is not passed by this version"
        raise Refused(Refusal(status=501, reason=Reason.UNSUPPORTED, message=f"Gatekeeper: {message}."))


def _drop_hop_by_hop(flow: HTTPFlow) -> None:
    headers = flow.request.headers
    names = [name.lower() for name, _ in headers.fields]
    if NOT_FORWARDED.isdisjoint(names):
        return
    listed = b",".join(value for name, (_, value) in zip(names, headers.fields, strict=True) if name == b"connection")
    named = {name.strip().lower() for name in listed.split(b",")}
    dropped = NOT_FORWARDED | (named - FRAMING)
    headers.fields = tuple(field for name, field in zip(names, headers.fields, strict=True) if name not in dropped)


def _bad_request(reason: Reason, message: str) -> Refusal:
    return Refusal(status=400, reason=reason, message=f"Gatekeeper: {message}.")
