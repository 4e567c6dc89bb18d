"""HTTP/1 below the hooks: what mitmproxy would hang on, or answer with a page that echoes foreign bytes.

Written for mitmproxy 12.2 and 12.3; a test pins the versions. `install` replaces, by name, the two
HTTP/1 classes in `mitmproxy.proxy.layers.http`, and the error pages of HTTP/1 and HTTP/2. It raises
where a name is missing, so that a gateway without these checks does not start.
"""

import re
import time
from collections.abc import Callable, Collection
from typing import Final, cast, override
from weakref import WeakSet

import h11
import msgspec
from h11._readers import ContentLengthReader
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.http import HTTPFlow, Request, Response
from mitmproxy.net.http import http1
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode, _http1, _http2
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    HttpEvent,
    RequestData,
    RequestEndOfMessage,
    RequestHeaders,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)

from addons.answers import own_answer, plain_answer
from addons.seal import upstream_refusal
from addons.state import exchange_of, has_begun
from gatekeeper.exchange import Headers, Reason, Refusal
from gatekeeper.gateway.heads import CHUNKED, HeadBuffer, plain_size, read_request, read_response
from gatekeeper.gateway.replace import replace

SLOWEST_BODY: Final = 1024
"""Bytes of a body that must come in each `header_timeout`; slower is a drip."""

_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d(?: |\r|$)")

_SWITCHING: Final = re.compile(rb"HTTP/1\.[01] 101(?: |\r|$)")

type Report = Callable[[context.Context, Reason], None]
type Events = layer.CommandGenerator[None]


class Limits(msgspec.Struct, frozen=True):
    """`header_bytes` before a head is complete; `seconds` until it must be."""

    header_bytes: int
    seconds: float


class Malformed(Exception):
    """A message that HTTP/1 can't frame, or that carries trailers, which mitmproxy can't read."""


class StrictBody:
    """Wraps h11's body reader so that broken framing and trailers are one kind of fault."""

    def __init__(self, reader: _http1.TBodyReader) -> None:
        self._reader = reader

    def __call__(self, buffer: ReceiveBuffer) -> object:
        """Give h11's next event, or None; raises Malformed."""
        try:
            return _without_trailers(self._reader(buffer))
        except h11.ProtocolError as error:
            raise Malformed from error

    def read_eof(self) -> object:
        """Give the event that the end of the connection means; raises Malformed."""
        try:
            return _without_trailers(self._reader.read_eof())
        except h11.ProtocolError as error:
            raise Malformed from error


def _without_trailers(event: object) -> object:
    if isinstance(event, h11.EndOfMessage) and event.headers:
        raise Malformed
    return event


class Progress:
    """Whether a peer that has begun a head or a body goes on with it."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.received = 0

    def begin(self) -> None:
        """Start the clock, unless it runs."""
        if self.since is None:
            self.since, self.received = time.monotonic(), 0

    def end(self) -> None:
        """Stop the clock: the head or the body is complete."""
        self.since = None

    def too_slow(self, now: float, limits: Limits, *, body: bool) -> bool:
        """Tell whether the time is over; a body that came fast enough gets another period."""
        if self.since is None or now - self.since < limits.seconds:
            return False
        if body and self.received >= SLOWEST_BODY:
            self.since, self.received = now, 0
            return False
        return True


def head_problem(head: bytes) -> str | None:
    """Say what is wrong with the lines of a complete head, or None (RFC 9112 §2.2, §5.2)."""
    if b"\0" in head:
        return "the head holds NUL"
    lines = head.split(b"\r\n")
    if any(b"\r" in line or b"\n" in line for line in lines):
        return "a line of the head does not end with CR LF"
    if any(line[:1] in {b" ", b"\t"} for line in lines[1:]):
        return "the head has a folded header"
    return None


def target_problem(line: bytes, *, at_proxy_port: bool) -> str | None:
    """Say what is wrong with a request line, or None (RFC 9112 §3)."""
    words = line.split(b" ")
    if len(words) != 3:  # noqa: PLR2004 - method, target, version
        return "the request line is not method, target, version"
    method, target, version = words
    if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
        return "the only versions taken are HTTP/1.1 and HTTP/1.0"
    if at_proxy_port:
        if method != b"CONNECT" and not target.lower().startswith(b"http://"):
            return "a proxy takes CONNECT, or http:// in absolute form; https goes through CONNECT"
    elif method == b"CONNECT":
        return "CONNECT inside a tunnel"
    elif not target.startswith(b"/"):
        return "inside a tunnel a request names its path only"
    return None


servers: WeakSet["StrictServer"] = WeakSet()
"""The HTTP/1 servers of all open client connections, for the sweep."""


arrived: WeakSet[Client] = WeakSet()
"""The clients that have sent a complete head, for the sweep."""


class StrictServer(_http1.Http1Server):
    """An HTTP/1 server that answers what it can't read with a 4xx of our own."""

    limits: Limits
    report: Report
    buf: HeadBuffer

    def __init__(self, context: context.Context) -> None:
        super().__init__(context)
        self.buf = HeadBuffer()
        self._in_tunnel = not _is_proxy_port(context)
        self._has_arrived = False
        self.progress = Progress()
        self.progress.begin()
        self.overdue = False
        servers.add(self)

    @override
    def _handle_event(self, event: events.Event) -> Events:
        if isinstance(event, events.DataReceived):
            self.progress.received += len(event.data)
        elif isinstance(event, events.ConnectionClosed) and self.overdue:
            message = "the request did not come within proxy.header_timeout"
            yield commands.SendData(
                self.conn, _plain_answer(Refusal(status=408, reason=Reason.TOO_SLOW, message=message))
            )
        yield from super()._handle_event(event)

    @override
    def read_headers(self, event: events.ConnectionEvent) -> Events:
        if not isinstance(event, events.DataReceived):
            if isinstance(event, events.ConnectionClosed):
                self.buf = HeadBuffer()  # mitmproxy would log what is in it
            yield from super().read_headers(event)
            return
        plain = self.buf.plain_head() if self._in_tunnel else None
        if (
            plain is not None
            and len(plain) <= self.limits.header_bytes
            and (request := read_request(plain)) is not None
        ):
            yield from self._begin(plain, request, event)
            return
        while bytes(self.buf).startswith(b"\r\n"):  # RFC 9112 §2.2: empty lines before a request line are skipped
            self.buf.maybe_extract_at_most(2)
        if len(self.buf):
            self.progress.begin()
        head = _head(self.buf, self.limits)
        if head is None:
            if len(self.buf) > self.limits.header_bytes:
                yield from self._refuse(431, Reason.HEADERS_TOO_LARGE, "the request's head is over proxy.header_limit")
            return
        problem = head_problem(head) or target_problem(head.split(b"\r\n")[0], at_proxy_port=not self._in_tunnel)
        if problem is not None:
            yield from self._refuse(400, Reason.MALFORMED, problem)
            return
        self.progress.end()
        self._arrive()
        yield from super().read_headers(event)
        if self.state == self.done and self.request is None:
            self.report(self.context, Reason.MALFORMED)

    def _arrive(self) -> None:
        if not self._has_arrived:
            self._has_arrived = True
            arrived.add(self.context.client)

    def _begin(self, head: bytes, request: Request, event: events.DataReceived) -> Events:
        """Go on as mitmproxy does after it has read a head."""
        self.progress.end()
        self._arrive()
        self.buf.drop_head(head)
        self.request = request
        size = plain_size(request)
        yield ReceiveHttp(RequestHeaders(self.stream_id, request, end_stream=size == 0))
        self.body_reader = _body_reader(size)
        self.state = self.read_body
        yield from self.state(event)

    @override
    def read_body(self, event: events.Event) -> Events:
        if self._in_tunnel and isinstance(event, events.DataReceived) and (body := _whole_body(self)) is not None:
            if body:
                yield ReceiveHttp(RequestData(self.stream_id, body))
            yield ReceiveHttp(RequestEndOfMessage(self.stream_id))
            yield from self.mark_done(request=True)
            return
        if not isinstance(self.body_reader, StrictBody):
            self.body_reader = cast("_http1.TBodyReader", StrictBody(self.body_reader))
        self.progress.begin()
        stream_id = self.stream_id
        try:
            yield from super().read_body(event)
        except Malformed:
            if not self.overdue:
                yield from self._refuse(400, Reason.MALFORMED, "the request's body is not framed as its head says")
            yield ReceiveHttp(RequestProtocolError(stream_id, "malformed body", ErrorCode.GENERIC_CLIENT_ERROR))

    @override
    def mark_done(self, *, request: bool = False, response: bool = False) -> Events:
        if request:
            self.progress.end()
        yield from super().mark_done(request=request, response=response)

    @override
    def send(self, event: HttpEvent) -> Events:
        if isinstance(event, ResponseProtocolError):
            if self.conn.state & ConnectionState.CAN_WRITE:
                if not self.response and event.code.http_status_code() is not None:
                    yield commands.SendData(self.conn, _error_answer(self.context, event))
                yield commands.CloseConnection(self.conn)
            return
        yield from super().send(event)

    def _refuse(self, status: int, reason: Reason, message: str) -> Events:
        self.report(self.context, reason)
        self.progress.end()
        yield commands.SendData(self.conn, _plain_answer(Refusal(status=status, reason=reason, message=message)))
        yield commands.CloseConnection(self.conn)
        self.state = self.done


def answering(clients: Collection[Client]) -> bool:
    """Whether the answer to one of these clients, recorded or not, is still to be handed to its connection."""
    return any(
        server.request is not None and not server.response_done
        for server in [*servers]
        if server.context.client in clients
    )


class StrictClient(_http1.Http1Client):
    """An HTTP/1 client that skips 1xx, and ends what it can't read as a fault of the upstream."""

    limits: Limits
    buf: HeadBuffer

    def __init__(self, context: context.Context) -> None:
        super().__init__(context)
        self.buf = HeadBuffer()

    @override
    def read_headers(self, event: events.ConnectionEvent) -> Events:
        plain = self.buf.plain_head() if self.request and isinstance(event, events.DataReceived) else None
        if (
            plain is not None and len(plain) <= self.limits.header_bytes and self.request and self.stream_id is not None
            and (response := read_response(plain, self.request.data.method)) is not None
        ):  # fmt: skip
            self.buf.drop_head(plain)
            self.response = response
            size = plain_size(response)
            yield ReceiveHttp(ResponseHeaders(self.stream_id, response, end_stream=size == 0))
            self.body_reader = _body_reader(size)
            self.state = self.read_body
            yield from self.state(event)
            return
        while isinstance(event, events.DataReceived) and self.request and self._interim():
            pass
        if isinstance(event, events.DataReceived) and self.request:
            head = _head(self.buf, self.limits)
            too_large = head is None and len(self.buf) > self.limits.header_bytes
            if too_large or (head is not None and (head_problem(head) or _SWITCHING.match(head))):
                yield from self._broken("malformed head")
                return
        if not self.request:
            self.buf = HeadBuffer()  # mitmproxy would log what an idle upstream sends
        elif isinstance(event, events.ConnectionClosed) and len(self.buf):
            self.buf = HeadBuffer()  # mitmproxy would put it into the error's text
        yield from super().read_headers(event)

    @override
    def read_body(self, event: events.Event) -> Events:
        stream_id = self.stream_id
        if (
            isinstance(event, events.DataReceived) and stream_id is not None
            and (body := _whole_body(self)) is not None
        ):  # fmt: skip
            if body:
                yield ReceiveHttp(ResponseData(stream_id, body))
            yield ReceiveHttp(ResponseEndOfMessage(stream_id))
            yield from self.mark_done(response=True)
            return
        if not isinstance(self.body_reader, StrictBody):
            self.body_reader = cast("_http1.TBodyReader", StrictBody(self.body_reader))
        try:
            if isinstance(event, events.DataReceived) and stream_id is not None:
                yield from self._read_on(self.body_reader, stream_id)
            else:
                yield from super().read_body(event)
        except Malformed:
            yield from self._broken("malformed body")

    def _read_on(self, reader: _http1.TBodyReader, stream_id: int) -> Events:
        """Hand on what has come of a body in one piece, however many chunks it came in; raises Malformed."""
        pieces: list[bytes] = []
        part: object = None
        try:
            while isinstance(part := reader(self.buf), h11.Data):
                pieces.append(bytes(part.data))
        finally:
            if data := b"".join(pieces):
                yield ReceiveHttp(ResponseData(stream_id, data))
        if part is not None:
            yield ReceiveHttp(ResponseEndOfMessage(stream_id))
            yield from self.mark_done(response=True)

    def _interim(self) -> bool:
        """Take a 1xx off the buffer (RFC 9110 §15.2), but for 101: nothing here asks to switch protocols."""
        head = _head(self.buf, self.limits)
        if head is None or not _INTERIM.match(head):
            return False
        self.buf.maybe_extract_lines()
        return True

    def _broken(self, why: str) -> Events:
        stream_id = self.stream_id
        yield commands.CloseConnection(self.conn)
        self.state = self.done
        if stream_id is not None:
            yield ReceiveHttp(ResponseProtocolError(stream_id, why, ErrorCode.GENERIC_SERVER_ERROR))


def install(limits: Limits, report: Report) -> None:
    """Put the strict classes in mitmproxy's place; raises RuntimeError where it no longer has one.

    `report` records a refusal that no hook sees.
    """
    server = type("Http1Server", (StrictServer,), {"limits": limits, "report": staticmethod(report)})
    client = type("Http1Client", (StrictClient,), {"limits": limits})
    replace(http_layers, Http1Server=server, Http1Client=client)
    replace(_http1, make_error_response=_page_http1)
    replace(_http2, format_error=_page_http2)


def _page_http1(status_code: int, message: str = "") -> bytes:  # noqa: ARG001 - mitmproxy's signature; its text is not passed on
    return _plain_answer(_refusal_of_status(status_code))


def _page_http2(status_code: int, message: str) -> bytes:  # noqa: ARG001 - mitmproxy's signature; its text is not passed on
    return plain_answer(_refusal_of_status(status_code))[1]


def _refusal_of_status(status: int) -> Refusal:
    reasons = {413: Reason.BODY_TOO_LARGE, 502: Reason.UPSTREAM_MALFORMED, 504: Reason.UPSTREAM_TIMEOUT}
    refusal = upstream_refusal(reasons.get(status, Reason.MALFORMED))
    return msgspec.structs.replace(refusal, status=status)


def _error_answer(ctx: context.Context, event: ResponseProtocolError) -> bytes:
    """Answer a broken exchange in its dialect's error shape, where the exchange is known."""
    flow = _flow_of(ctx, event.stream_id)
    status = event.code.http_status_code() or 502
    if flow is None or not has_begun(flow):
        return _plain_answer(_refusal_of_status(status))
    exchange = exchange_of(flow)
    refusal = exchange.refusal or _refusal_of_status(status)
    headers, body = own_answer(exchange, refusal)
    return _message(refusal.status, headers, body)


def _flow_of(ctx: context.Context, stream_id: int) -> HTTPFlow | None:
    http = next((one for one in reversed(ctx.layers) if isinstance(one, HttpLayer)), None)
    stream = http.streams.get(stream_id) if http is not None else None
    return getattr(stream, "flow", None)


def _is_proxy_port(ctx: context.Context) -> bool:
    http = next((one for one in reversed(ctx.layers) if isinstance(one, HttpLayer)), None)
    return http is not None and http.mode is HTTPMode.regular


def _head(buffer: ReceiveBuffer, limits: Limits) -> bytes | None:
    """Give a head without its last line end, once it is complete; a pair of bare LF ends one too, to be refused."""
    start = bytes(buffer)[: limits.header_bytes + 4]
    ends = [at for at in (start.find(b"\r\n\r\n"), start.find(b"\n\n"), start.find(b"\n\r\n")) if at >= 0]
    if not ends:
        return None
    end = min(ends)
    return start[: end + 1] if start[end : end + 1] == b"\n" else start[:end]


def _body_reader(size: int | None) -> _http1.TBodyReader:
    return _http1.make_body_reader(None if size == CHUNKED else size)


def _whole_body(connection: StrictServer | StrictClient) -> bytes | None:
    """Take the body off the buffer, where its length is known and all of it has come, as it mostly has."""
    reader = connection.body_reader
    if type(reader) is not ContentLengthReader or len(connection.buf) < (size := reader._remaining):  # noqa: SLF001
        return None
    return bytes(connection.buf.maybe_extract_at_most(size) or b"")


def _plain_answer(refusal: Refusal) -> bytes:
    return _message(refusal.status, *plain_answer(refusal))


def _message(status: int, headers: Headers, body: bytes) -> bytes:
    response = Response.make(status, body, dict(headers))
    response.headers["Connection"] = "close"
    return bytes(http1.assemble_response(response))
