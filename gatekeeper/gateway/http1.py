"""HTTP/1 below the hooks: what mitmproxy would hang on, or answer with a page that echoes foreign bytes.

Written for mitmproxy 12.2 and 12.3; `gatekeeper.gateway.protocols` puts the two classes in the place of mitmproxy's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast, override

import h11
from h11._readers import ChunkedReader, ContentLengthReader
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.connection import ConnectionState
from mitmproxy.http import Request
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode, _http1
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

from addons.inspection import header_fields
from gatekeeper.egress import acceptance_problem, heads
from gatekeeper.exchange import Headers, Reason, Refusal
from gatekeeper.gateway.chunks import StrictChunks
from gatekeeper.gateway.heads import CHUNKED, HeadBuffer, plain_size, read_request, read_response
from gatekeeper.gateway.limits import Limits, Progress, Report, arrived, clients, servers
from gatekeeper.gateway.pages import error_page, message, plain_page

MOST_INTERIMS: Final = 16
"""1xx answers before the final one; more of them are a flood."""

_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d(?: |\r|$)")

_SWITCHING: Final = re.compile(rb"HTTP/1\.[01] 101(?: |\r|$)")

type Events = layer.CommandGenerator[None]


class Malformed(Exception):
    """A message that HTTP/1 can't frame, or that carries trailers, which mitmproxy can't read."""


@dataclass
class Several(HttpEvent):
    """What a stream sends in one breath."""

    events: Sequence[HttpEvent]


class StrictBody:
    """Wraps h11's body reader so that broken framing and trailers are one kind of fault.

    `alone`: nothing may follow in the same breath. A client may send its next request at once; an upstream
    that says more than its answer has lost count, or means to answer what nobody asked (RFC 9112 §9.2).
    """

    def __init__(self, reader: _http1.TBodyReader, *, alone: bool) -> None:
        self._reader = StrictChunks() if isinstance(reader, ChunkedReader) else reader
        self._alone = alone

    def __call__(self, buffer: ReceiveBuffer) -> object:
        """Give h11's next event, or None; raises Malformed."""
        try:
            event: object = self._reader(buffer)
        except h11.ProtocolError as error:
            raise Malformed from error
        if self._alone and isinstance(event, h11.EndOfMessage) and len(buffer):
            raise Malformed
        return event

    def read_eof(self) -> object:
        """Give the event that the end of the connection means; raises Malformed."""
        try:
            return self._reader.read_eof()
        except h11.ProtocolError as error:
            raise Malformed from error


class StrictServer(_http1.Http1Server):
    """An HTTP/1 server that answers what it can't read with a 4xx of our own."""

    limits: Limits
    report: Report
    buf: HeadBuffer

    def __init__(self, context: context.Context) -> None:
        super().__init__(context)
        self.buf = HeadBuffer()
        self._has_arrived = False
        self._in_tunnel = not _is_proxy_port(context)
        self.progress = Progress()
        self.progress.begin()
        self.overdue = False
        servers.add(self)

    @override
    def _handle_event(self, event: events.Event) -> Events:
        if isinstance(event, events.DataReceived):
            self.progress.received += len(event.data)
        elif isinstance(event, events.ConnectionClosed) and self.overdue:
            why = "the request did not come within proxy.header_timeout"
            yield commands.SendData(self.conn, plain_page(Refusal(status=408, reason=Reason.TOO_SLOW, message=why)))
        yield from super()._handle_event(event)

    @property
    def waiting(self) -> bool:
        """Whether a head has yet to come, or to be completed."""
        return self.progress.since is not None

    @property
    def answering(self) -> bool:
        """Whether an answer is still to be handed to the connection."""
        return self.request is not None and not self.response_done

    def too_slow(self, now: float, limits: Limits) -> bool:
        """Tell whether a head or a body drips."""
        return self.progress.too_slow(now, limits, body=self.request is not None)

    def give_up(self) -> None:
        """Note that the sweep cuts this connection: it is told so, and the clock stops."""
        self.progress.end()
        self.overdue = True

    @override
    def read_headers(self, event: events.ConnectionEvent) -> Events:
        if not isinstance(event, events.DataReceived):
            if isinstance(event, events.ConnectionClosed):
                self.buf = HeadBuffer()  # mitmproxy would log what is in it
            yield from super().read_headers(event)
            return
        if self._in_tunnel and (plain := self._plain()) is not None:
            yield from self._begin(*plain, event)
            return
        self._skip_empty_lines()
        head = _head(self.buf, self.limits)
        if head is None:
            if len(self.buf) > self.limits.header_bytes:
                yield from self._refuse(431, Reason.HEADERS_TOO_LARGE, "the request's head is over proxy.header_limit")
            return
        problem = heads.request_problem(head, at_proxy_port=not self._in_tunnel)
        if problem is not None:
            yield from self._refuse(400, Reason.MALFORMED, problem)
            return
        self.progress.end()
        if not head.startswith(b"CONNECT "):
            self._arrive()
        yield from super().read_headers(event)
        if self.state == self.done and self.request is None:
            self.report(self.context, Reason.MALFORMED)

    def _skip_empty_lines(self) -> None:
        """Take off empty lines before a request line (RFC 9112 §2.2); what is left has begun a head."""
        while bytes(self.buf).startswith(b"\r\n"):
            self.buf.maybe_extract_at_most(2)
        if len(self.buf):
            self.progress.begin()

    def _arrive(self) -> None:
        if not self._has_arrived:
            self._has_arrived = True
            arrived.add(self.context.client)

    def _plain(self) -> tuple[bytes, Request] | None:
        head = self.buf.plain_head()
        if head is None or len(head) > self.limits.header_bytes:
            return None
        request = read_request(head)
        return (head, request) if request is not None else None

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
            self.body_reader = cast("_http1.TBodyReader", StrictBody(self.body_reader, alone=False))
        self.progress.begin()
        stream_id = self.stream_id
        try:
            yield from super().read_body(event)
        except Malformed:
            if not self.overdue:
                yield from self._refuse(400, Reason.MALFORMED, "the request's body is not framed as its head says")
            yield ReceiveHttp(RequestProtocolError(stream_id, "malformed body", ErrorCode.GENERIC_CLIENT_ERROR))

    @override
    def wait(self, event: events.Event) -> Events:
        if isinstance(event, events.DataReceived) and len(self.buf) > self.limits.header_bytes:
            self.buf = HeadBuffer()
            self.report(self.context, Reason.MALFORMED)
            yield commands.CloseConnection(self.conn)
            event = events.ConnectionClosed(self.conn)  # what waits is given up: too much came behind it
        yield from super().wait(event)

    @override
    def mark_done(self, *, request: bool = False, response: bool = False) -> Events:
        if request:
            self.progress.end()
        if response and self.request_done and _stays_open(self):
            self.stream_id += 2
            yield from _next_message(self)
            return
        yield from super().mark_done(request=request, response=response)

    @override
    def send(self, event: HttpEvent) -> Events:
        if isinstance(event, Several):
            for one in event.events:
                yield from self.send(one)
            return
        if isinstance(event, ResponseProtocolError):
            if self.conn.state & ConnectionState.CAN_WRITE:
                if not self.response and event.code.http_status_code() is not None:
                    yield commands.SendData(self.conn, message(*error_page(self.context, event)))
                yield commands.CloseConnection(self.conn)
            return
        yield from super().send(event)

    def _refuse(self, status: int, reason: Reason, message: str) -> Events:
        self.report(self.context, reason)
        self.progress.end()
        yield commands.SendData(self.conn, plain_page(Refusal(status=status, reason=reason, message=message)))
        yield commands.CloseConnection(self.conn)
        self.state = self.done


class StrictClient(_http1.Http1Client):
    """An HTTP/1 client that skips 1xx, and ends what it can't read as a fault of the upstream.

    `head` runs while a head is incomplete; `silence` since the last event of an answer that is not.
    """

    limits: Limits
    buf: HeadBuffer

    def __init__(self, context: context.Context) -> None:
        super().__init__(context)
        self.buf = HeadBuffer()
        self.head = Progress()
        self.silence = Progress()
        self._interims = 0
        clients.add(self)

    @override
    def _handle_event(self, event: events.Event) -> Events:
        yield from super()._handle_event(event)
        self.silence.end()
        if self.request is not None and self.state != self.done:
            self.silence.begin()

    @override
    def send(self, event: HttpEvent) -> Events:
        for one in event.events if isinstance(event, Several) else (event,):
            yield from super().send(one)

    @override
    def read_headers(self, event: events.ConnectionEvent) -> Events:
        plain = self.buf.plain_head() if self.request and isinstance(event, events.DataReceived) else None
        if (
            plain is not None and len(plain) <= self.limits.header_bytes and self.request and self.stream_id is not None
            and (response := read_response(plain, self.request.data.method)) is not None
        ):  # fmt: skip
            self.head.end()
            self.buf.drop_head(plain)
            self.response = response
            size = plain_size(response)
            yield ReceiveHttp(ResponseHeaders(self.stream_id, response, end_stream=size == 0))
            self.body_reader = _body_reader(size)
            self.state = self.read_body
            yield from self.state(event)
            return
        if isinstance(event, events.DataReceived) and self.request:
            problem = self._skip_interims() or self._problem()
            if problem:
                yield from self._broken(problem)
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
            and (body := _whole_body(self, alone=self._alone())) is not None
        ):  # fmt: skip
            if body:
                yield ReceiveHttp(ResponseData(stream_id, body))
            yield ReceiveHttp(ResponseEndOfMessage(stream_id))
            yield from self.mark_done(response=True)
            return
        if not isinstance(self.body_reader, StrictBody):
            self.body_reader = cast("_http1.TBodyReader", StrictBody(self.body_reader, alone=self._alone()))
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

    @override
    def mark_done(self, *, request: bool = False, response: bool = False) -> Events:
        if response:
            self._interims = 0
            if self.request_done and _stays_open(self):
                self.stream_id = None
                yield from _next_message(self)
                return
        yield from super().mark_done(request=request, response=response)

    def _alone(self) -> bool:
        """Whether nothing may follow the answer; behind a handshake messages follow."""
        return self.response is None or self.response.status_code != 101  # noqa: PLR2004 - RFC 9110 §15.2.2

    def _skip_interims(self) -> str | None:
        """Take 1xx off the buffer (RFC 9110 §15.2), but for 101: only a WebSocket asks to switch protocols."""
        while (head := _head(self.buf, self.limits)) is not None and _INTERIM.match(head):
            self._interims += 1
            if self._interims > MOST_INTERIMS:
                return "interim answers without end"
            if heads.answer_problem(head):
                return "malformed interim answer"
            self.buf.maybe_extract_lines()
        return None

    def _problem(self) -> str | None:
        """Say what is wrong with the head in the buffer, or with what can't become one."""
        head = _head(self.buf, self.limits)
        if head is None:
            self.head.begin()
            return "too large a head" if len(self.buf) > self.limits.header_bytes else None
        self.head.end()
        problem = heads.answer_problem(head)
        if problem is None and _SWITCHING.match(head) and self.request is not None:
            return acceptance_problem(header_fields(self.request), _fields(head))
        return problem

    def _broken(self, why: str) -> Events:
        stream_id = self.stream_id
        self.head.end()
        yield commands.CloseConnection(self.conn)
        self.state = self.done
        if stream_id is not None:
            yield ReceiveHttp(ResponseProtocolError(stream_id, why, ErrorCode.GENERIC_SERVER_ERROR))


def _fields(head: bytes) -> Headers:
    """Read the fields of a head that `heads` has found to be in order."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    return tuple((name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines))


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


def _stays_open(connection: StrictServer | StrictClient) -> bool:
    """Whether both messages are framed by their heads, over HTTP/1.1, and neither says a word of the connection."""
    messages = connection.request, connection.response
    return all(plain_size(one) is not None and one is not None and "connection" not in one.headers for one in messages)


def _next_message(connection: StrictServer | StrictClient) -> Events:
    """Go on as mitmproxy does once both messages are done."""
    connection.request_done = connection.response_done = False
    connection.request = connection.response = None
    connection.state = connection.read_headers
    if connection.buf:
        yield from connection.state(events.DataReceived(connection.conn, b""))


def _whole_body(connection: StrictServer | StrictClient, *, alone: bool = False) -> bytes | None:
    """Take the body off the buffer, where its length is known and all of it has come, as it mostly has.

    `alone`: nothing else has come; what has is looked at by `StrictBody`.
    """
    reader, received = connection.body_reader, len(connection.buf)
    if type(reader) is not ContentLengthReader or received < (size := reader._remaining):  # noqa: SLF001
        return None
    if alone and received > size:
        return None
    return bytes(connection.buf.maybe_extract_at_most(size) or b"")
