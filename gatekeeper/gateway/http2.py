"""HTTP/2 below the hooks, on top of what the h2 library checks: floods, drips, and error pages of our own."""

import time
from typing import override

from h2 import errors
from h2 import events as h2_events
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers.http import _http2
from mitmproxy.proxy.layers.http._events import HttpEvent, RequestHeaders, ResponseProtocolError

from gatekeeper.egress.frames import Flood, FrameMeter
from gatekeeper.exchange import Reason
from gatekeeper.gateway.limits import Limits, Progress, Report, arrived, clients, servers
from gatekeeper.gateway.pages import error_page

type Events = layer.CommandGenerator[None]


class StrictHttp2Server(_http2.Http2Server):
    """An HTTP/2 server that rations control frames, and knows since when each request is unfinished."""

    limits: Limits
    report: Report

    def __init__(self, context: context.Context) -> None:
        super().__init__(context)
        self.meter = FrameMeter(self.limits.header_bytes, preface=True)
        self.h2_conn.decoder.max_header_list_size = self.limits.header_bytes
        self.head = Progress()
        self.unfinished: dict[int, Progress] = {}
        servers.add(self)

    @override
    def _handle_event(self, event: events.Event) -> Events:
        if isinstance(event, ResponseProtocolError) and self._can_still_answer(event):
            yield from self._answer(event)
            return
        if isinstance(event, events.DataReceived):
            arrived.add(self.context.client)
            try:
                self.meter.feed(event.data, time.monotonic())
            except Flood as flood:
                self.report(self.context, Reason.FLOOD)
                yield from super().protocol_error(str(flood), errors.ErrorCodes.ENHANCE_YOUR_CALM)
                return
            if self.meter.waiting:
                self.head.begin()
            else:
                self.head.end()
        yield from super()._handle_event(event)

    @override
    def handle_h2_event(self, event: h2_events.Event) -> layer.CommandGenerator[bool]:
        match event:
            case h2_events.RequestReceived(stream_id=number, stream_ended=None):
                self.unfinished[number] = Progress()
                self.unfinished[number].begin()
            case h2_events.DataReceived(stream_id=number) if number in self.unfinished:
                self.unfinished[number].received += len(event.data or b"")
            case h2_events.StreamEnded(stream_id=number) | h2_events.StreamReset(stream_id=number):
                self.unfinished.pop(number or 0, None)
            case _:
                pass
        return (yield from super().handle_h2_event(event))

    @override
    def protocol_error(self, message: str, error_code: int = errors.ErrorCodes.PROTOCOL_ERROR) -> Events:
        self.report(self.context, Reason.MALFORMED)
        yield from super().protocol_error("malformed", error_code)

    def too_slow(self, now: float, limits: Limits) -> bool:
        """Tell whether a header block or a body drips."""
        return self.head.too_slow(now, limits, body=False) or any(
            progress.too_slow(now, limits, body=True) for progress in self.unfinished.values()
        )

    @property
    def waiting(self) -> bool:
        """Whether a header block is incomplete."""
        return self.meter.waiting

    @property
    def answering(self) -> bool:
        """Whether an answer is still to be handed to the connection."""
        return bool(self.streams)

    def give_up(self) -> None:
        """Note that the sweep cuts this connection, and stop the clocks."""
        self.head.end()
        self.unfinished.clear()

    def _can_still_answer(self, event: ResponseProtocolError) -> bool:
        stream = self.h2_conn.streams.get(event.stream_id)
        return (
            stream is not None
            and event.code.http_status_code() is not None
            and not self.is_closed(event.stream_id)
            and self.is_open_for_us(event.stream_id)
            and not stream.state_machine.headers_sent
        )

    def _answer(self, event: ResponseProtocolError) -> Events:
        status, headers, body = error_page(self.context, event)
        fields = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        self.h2_conn.send_headers(event.stream_id, [(b":status", b"%d" % status), *fields])
        self.h2_conn.send_data(event.stream_id, body, end_stream=True)
        yield commands.SendData(self.conn, self.h2_conn.data_to_send())


class StrictHttp2Client(_http2.Http2Client):
    """An HTTP/2 client that rations control frames too, and knows for how long its upstream has been silent."""

    limits: Limits

    def __init__(self, context: context.Context) -> None:
        super().__init__(context)
        self.meter = FrameMeter(self.limits.header_bytes, preface=False)
        self.h2_conn.decoder.max_header_list_size = self.limits.header_bytes
        self.head = Progress()
        self.silence = Progress()
        clients.add(self)

    @override
    def _handle_event(self, event: events.Event) -> Events:
        if isinstance(event, RequestHeaders):
            # RFC 9110 §10.1.4: each hop says for itself that it takes trailers. Servers of gRPC refuse who does not.
            event.request.headers["te"] = "trailers"
        if isinstance(event, events.DataReceived):
            try:
                self.meter.feed(event.data, time.monotonic())
            except Flood:
                self.head.end()
                self.silence.end()
                yield from self.protocol_error("flood", errors.ErrorCodes.ENHANCE_YOUR_CALM)
                return
            if self.meter.waiting:
                self.head.begin()
            else:
                self.head.end()
        yield from super()._handle_event(event)
        if isinstance(event, events.DataReceived | HttpEvent):
            self.silence.end()
        if self.streams:
            self.silence.begin()
