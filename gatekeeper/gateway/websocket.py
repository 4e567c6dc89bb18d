"""WebSocket below the hooks: one whole message at a time, of bounded size, and nothing beside messages.

mitmproxy's layer gathers messages of any size before its hook, keeps them all, and hands pings on, 125 bytes
that nothing looks at. Here a ping is answered where it comes from, and its far side gets an empty one; a close
goes through the same hook as a message, since its reason is text; compression is never agreed on.
"""

import time
from typing import Final, override

from mitmproxy.http import HTTPFlow
from mitmproxy.proxy import commands, context, events, layer
from mitmproxy.proxy.layers import websocket
from mitmproxy.websocket import WebSocketMessage
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason, Opcode

type Commands = layer.CommandGenerator[None]

PING_BURST: Final = 100
"""Pings between two messages; more of them are a flood."""

BACKLOG: Final = 1 << 20
"""Bytes that may wait while a message is looked at, beside one of the largest size."""


class StrictWebsocket(websocket.WebsocketLayer):
    """Relays messages once their hook has let them through."""

    message_bytes: int

    def __init__(self, context: context.Context, flow: HTTPFlow) -> None:
        super().__init__(context, flow)
        self._gathered = {True: bytearray(), False: bytearray()}
        self._pings = 0
        self._backlog = 0

    @override
    def handle_event(self, event: events.Event) -> Commands:
        if self._paused and isinstance(event, events.DataReceived):
            self._backlog += len(event.data)
            if self._backlog > self.message_bytes + BACKLOG:
                yield commands.CloseConnection(self.context.client)
                yield commands.CloseConnection(self.context.server)
                return
        elif not self._paused:
            self._backlog = 0
        yield from super().handle_event(event)

    @override
    def relay_messages(self, event: events.Event) -> Commands:
        if not isinstance(event, events.ConnectionEvent):
            return  # injected by a user interface: nobody's word
        from_client = event.connection == self.context.client
        source = self.client_ws if from_client else self.server_ws
        if source.state is ConnectionState.CLOSED:
            return
        source.receive_data(event.data if isinstance(event, events.DataReceived) else None)
        for part in source.events():
            match part:
                case TextMessage() | BytesMessage():
                    yield from self._take(part, from_client=from_client)
                case Ping():
                    yield from self._ping(part, from_client=from_client)
                case CloseConnection():
                    yield from self._close(part, from_client=from_client)
                case _:
                    pass  # a pong is nobody else's
            if self._handle_event == self.done:
                return

    _handle_event = websocket.WebsocketLayer.start

    def _take(self, part: TextMessage | BytesMessage, *, from_client: bool) -> Commands:
        gathered = self._gathered[from_client]
        gathered += part.data.encode() if isinstance(part.data, str) else part.data
        if len(gathered) > self.message_bytes:
            yield from self._end(CloseReason.MESSAGE_TOO_BIG, "the message is over the gateway's limit")
            return
        if not part.message_finished:
            return
        kind = Opcode.TEXT if isinstance(part, TextMessage) else Opcode.BINARY
        message = WebSocketMessage(kind, from_client, bytes(gathered))
        gathered.clear()
        self._pings = 0
        if (yield from self._ask(message)):
            destination = self.server_ws if from_client else self.client_ws
            sent = message.content
            yield destination.send2(
                TextMessage(sent.decode("utf-8", "replace")) if kind is Opcode.TEXT else BytesMessage(sent)
            )

    def _ping(self, ping: Ping, *, from_client: bool) -> Commands:
        self._pings += 1
        if self._pings > PING_BURST:
            yield from self._end(CloseReason.POLICY_VIOLATION, "pings without end")
            return
        ends = self.client_ws, self.server_ws
        source, destination = ends if from_client else reversed(ends)
        yield source.send2(Pong(bytes(ping.payload)))
        yield destination.send2(Ping(b""))

    def _close(self, close: CloseConnection, *, from_client: bool) -> Commands:
        data = self.flow.websocket
        assert data is not None  # noqa: S101 - mitmproxy makes it before this layer
        data.timestamp_end, data.closed_by_client = time.time(), from_client
        data.close_code, data.close_reason = close.code, ""
        message = WebSocketMessage(Opcode.CLOSE, from_client, (close.reason or "").encode())
        if (yield from self._ask(message)):
            yield from self._end(close.code, message.content.decode("utf-8", "replace"))

    def _ask(self, message: WebSocketMessage) -> layer.CommandGenerator[bool]:
        """Let the hooks judge a message; where they drop it, the connection ends as they say."""
        data = self.flow.websocket
        assert data is not None  # noqa: S101 - mitmproxy makes it before this layer
        data.messages[:] = [message]
        yield websocket.WebsocketMessageHook(self.flow)
        data.messages.clear()
        if message.dropped:
            yield from self._end(data.close_code or CloseReason.POLICY_VIOLATION, data.close_reason or "")
            return False
        return True

    def _end(self, code: int, reason: str) -> Commands:
        for side in (self.server_ws, self.client_ws):
            if side.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
                yield side.send2(CloseConnection(code, reason[:100]))
            yield commands.CloseConnection(side.conn)
        data = self.flow.websocket
        assert data is not None  # noqa: S101 - mitmproxy makes it before this layer
        data.timestamp_end, data.close_code = data.timestamp_end or time.time(), code
        yield websocket.WebsocketEndHook(self.flow)
        self.flow.live = False
        self._handle_event = self.done
