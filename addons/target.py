"""Where to: one name in CONNECT, SNI and Host, one reading of the path, and nothing that could be read in two ways."""

from typing import Final

from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow, Request
from mitmproxy.tls import ClientHelloData

from addons.guard import Refused, on_connect, on_connection, on_request, on_response_headers
from addons.inspection import header_fields
from addons.parts import Parts
from addons.state import connections, tunnel_of
from gatekeeper.egress import (
    KEPT,
    OF_PROXIES,
    ShapeError,
    Shapes,
    TargetError,
    asks_for_websocket,
    check_names,
    fields_problem,
    handshake_problem,
    normal_path,
    normalise_host,
)
from gatekeeper.exchange import Exchange, Message, Phase, Reason, Refusal, Scheme, Subject, established

HTTP1: Final = b"http/1.1"

# RFC 9110 §7.6.1: what concerns one connection is not forwarded. h2c and protocol upgrades go with it.
NOT_FORWARDED: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te", b"trailer", b"upgrade",
     b"http2-settings"}
)  # fmt: skip
# What only a proxy says of itself, also in the spelling that lenient servers take for the same.
FORWARDED: Final = frozenset(spelling.encode() for name in OF_PROXIES for spelling in (name, name.replace("-", "_")))
FRAMING: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})
"""What no `Connection` header can take out."""


class TargetNames:
    """Establishes the target."""

    name = "target"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.shapes = Shapes.of(parts.config.rules)

    @on_connect
    def http_connect(self, flow: HTTPFlow) -> None:
        tunnel = tunnel_of(flow.client_conn)
        if tunnel.connect is not None:
            raise Refused(_bad_request(Reason.MALFORMED, "CONNECT inside a tunnel"))
        try:
            tunnel.connect = normalise_host(flow.request.host), flow.request.port
        except TargetError as error:
            raise Refused(_bad_request(error.reason, str(error))) from error
        if tunnel.subject is not None:
            self._take_place(tunnel.subject, flow.client_conn)

    @on_connection
    def tls_clienthello(self, data: ClientHelloData) -> None:
        tunnel_of(data.context.client).sni = data.client_hello.sni
        # With an HTTP/1 upstream mitmproxy opens one connection for each h2 stream, and the sixth waits.
        if HTTP1 in data.client_hello.alpn_protocols:
            data.context.client.alpn = HTTP1

    @on_request
    def requestheaders(self, flow: HTTPFlow, exchange: Exchange) -> None:
        request, tunnel = flow.request, tunnel_of(flow.client_conn)
        self._take_place(established(exchange.subject), flow.client_conn)
        if flow.error is not None:  # mitmproxy has found the head malformed, and fires this hook all the same
            raise Refused(_bad_request(Reason.MALFORMED, "the request is not well-formed HTTP"))
        hosts = request.headers.get_all("Host")
        if request.is_http2:
            check_frames(request)
            hosts = [*dict.fromkeys([request.authority, *hosts])] if request.authority else hosts
        try:
            exchange.target = check_names(
                tunnel.connect, tunnel.sni, hosts, Scheme(request.scheme), request.host, request.port
            )
            path = normal_path(request.path)
        except TargetError as error:
            raise Refused(_bad_request(error.reason, str(error))) from error
        _, mark, query = request.path.partition("?")
        received, fields = request.headers.fields, header_fields(request)
        try:
            self.shapes.check(request.data.method.decode("latin-1"), exchange.target.host, path, query, fields)
        except ShapeError as error:
            message = f"Gatekeeper: {error}."
            raise Refused(Refusal(status=error.status, reason=error.reason, message=message)) from error
        # One reading of the path: what the rules saw is what goes upstream.
        request.path = path + mark + query
        check_framing(flow)
        exchange.websocket = asks_for_websocket(fields)
        if exchange.websocket:
            check_handshake(flow)
        _drop_hop_by_hop(flow, kept=KEPT if exchange.websocket else frozenset())
        if request.headers.fields is not received:
            fields = header_fields(request)
        exchange.request = Message(method=request.method, url=request.url, path=path, headers=fields)
        exchange.advance(Phase.TARGETED)

    @on_request
    def request(self, flow: HTTPFlow, exchange: Exchange) -> None:  # noqa: ARG002 - the guard's signature
        check_trailers(flow.request)
        check_length(flow.request)

    @on_response_headers
    def responseheaders(self, flow: HTTPFlow, exchange: Exchange) -> None:  # noqa: ARG002 - the guard's signature
        if flow.response is not None and flow.response.status_code == 407:  # noqa: PLR2004 - RFC 9110 §15.5.8
            message = "Gatekeeper: the upstream asks for a proxy's credentials, which it never gets."
            raise Refused(Refusal(status=502, reason=Reason.UPSTREAM_MALFORMED, message=message))

    @on_connection
    def client_disconnected(self, client: Client) -> None:
        connections.leave(client.id)

    def _take_place(self, subject: Subject, client: Client) -> None:
        limit = self.parts.config.egress.connections_per_subject
        if not connections.take(subject.iss, subject.sub, client.id, limit):
            message = f"Gatekeeper: this subject holds {limit} connections open already; close some, or share them"
            headers = (("Connection", "close"), ("Retry-After", "1"))
            raise Refused(
                Refusal(status=429, reason=Reason.TOO_MANY_CONNECTIONS, message=f"{message}.", headers=headers)
            )


def check_frames(request: Request) -> None:
    """Refuse what HTTP/2 can carry in a field and HTTP/1 could not."""
    if (problem := fields_problem(request.headers.fields)) is not None:
        raise Refused(_bad_request(Reason.MALFORMED, problem))


def check_trailers(request: Request) -> None:
    """Refuse fields after the body: they would go by every rule, and HTTP/1 upstreams would not get them."""
    if request.trailers:
        raise Refused(_bad_request(Reason.MALFORMED, "trailers after a request are not taken"))


def check_length(request: Request) -> None:
    """Refuse a length that frames did not bring: an HTTP/1 upstream would take it out of the next request.

    RFC 9113 §8.1.1; the h2 library compares only where a frame of a body has come.
    """
    said = request.headers.get("Content-Length")
    if request.is_http2 and said is not None and said != str(len(request.raw_content or b"")):
        raise Refused(_bad_request(Reason.MALFORMED, "the length that is said is not the body's"))


def check_framing(flow: HTTPFlow) -> None:
    """Refuse codings that can't be inspected."""
    headers = flow.request.headers
    if headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise Refused(_bad_request(Reason.MALFORMED, "the only transfer encoding taken is chunked"))


def check_handshake(flow: HTTPFlow) -> None:
    """Refuse a handshake that is none; of one that is, compression is taken out: its messages could not be bounded."""
    request = flow.request
    has_body = "Content-Length" in request.headers or "Transfer-Encoding" in request.headers
    problem = handshake_problem(
        request.data.method.decode("latin-1"), request.http_version, header_fields(request), has_body=has_body
    )
    if problem is not None:
        raise Refused(_bad_request(Reason.MALFORMED, problem))
    request.headers.pop("Sec-WebSocket-Extensions", None)
    request.headers["Connection"] = "Upgrade"


def _drop_hop_by_hop(flow: HTTPFlow, kept: frozenset[str]) -> None:
    headers = flow.request.headers
    names = [name.lower() for name, _ in headers.fields]
    if NOT_FORWARDED.isdisjoint(names) and FORWARDED.isdisjoint(names):
        return
    listed = b",".join(value for name, (_, value) in zip(names, headers.fields, strict=True) if name == b"connection")
    named = {name.strip().lower() for name in listed.split(b",")}
    dropped = (NOT_FORWARDED | FORWARDED | (named - FRAMING)) - {name.encode() for name in kept}
    headers.fields = tuple(field for name, field in zip(names, headers.fields, strict=True) if name not in dropped)


def _bad_request(reason: Reason, message: str) -> Refusal:
    return Refusal(status=400, reason=reason, message=f"Gatekeeper: {message}.")
