"""mitmproxy's HTTP layer and its streams, without what they look up again for each message.

A message whose head was plain (`heads`) has been checked, and says how long it is. The context of a stream, and the
connection that it goes on with, are the ones that are there. All else is left to mitmproxy.
"""

import copy
import itertools
from operator import attrgetter
from typing import Final, override

from mitmproxy.connection import Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import (
    DropStream,
    GetHttpConnection,
    GetHttpConnectionCompleted,
    HttpLayer,
    HttpStream,
    RegisterHttpConnection,
    SendHttp,
)
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import RequestHeaders
from mitmproxy.proxy.layers.http._hooks import (
    HttpRequestHeadersHook,
    HttpRequestHook,
    HttpResponseHeadersHook,
    HttpResponseHook,
)

from gatekeeper.gateway.connection import direct_handler
from gatekeeper.gateway.heads import plain_size
from gatekeeper.gateway.http1 import Several
from gatekeeper.gateway.replace import replace

_connection: Final = attrgetter("connection")


class GatewayStream(HttpStream):
    """One exchange, as mitmproxy carries it."""

    body_limit: int

    @override
    def check_body_size(self, request: bool) -> layer.CommandGenerator[bool]:
        buffer = self.request_body_buf if request else self.response_body_buf
        size = len(buffer) or plain_size(self.flow.request if request else self.flow.response)
        if size is not None and size <= self.body_limit:
            return False
        return (yield from super().check_body_size(request))

    @override
    def check_invalid(self, request: bool) -> layer.CommandGenerator[bool]:
        if plain_size(self.flow.request if request else self.flow.response) is not None:
            return False
        return (yield from super().check_invalid(request))


def let_go(stream: HttpStream) -> None:
    """Take a stream that is over out of what holds it: itself, by its states and by its context.

    All of a call hangs on it, and would wait for the garbage collector, which costs more than the stream did.
    """
    stream.context.layers.remove(stream)
    stream.client_state = stream.server_state = _over


def _over(event: events.Event) -> layer.CommandGenerator[None]:  # noqa: ARG001 - the signature of a state
    yield from ()


class GatewayHttp(HttpLayer):
    """HTTP in a tunnel.

    Over HTTP/1, what a stream sends in one breath, a head with its body and their end, is one event for the connection
    that sends it. A hook on a message runs where its stream asks for it, and if it waits for nothing, the stream goes
    on at once: what is around need not pass the question out, nor the answer in.
    """

    @override
    def event_to_child(self, child: layer.Layer, event: events.Event) -> layer.CommandGenerator[None]:
        if self.context.client.alpn == b"h2":
            yield from super().event_to_child(child, event)
            return
        sending: list[SendHttp] = []
        over: list[int] = []
        for command in child.handle_event(event):
            if isinstance(command, SendHttp):
                sending.append(command)
            elif isinstance(command, DropStream):
                over.append(command.stream_id)
            else:
                if sending:
                    yield from self._send(sending)
                yield from self._carry_out(child, command)
        if sending:
            yield from self._send(sending)
        for stream_id in over:
            if (stream := self.streams.pop(stream_id, None)) is not None:
                let_go(stream)

    def _send(self, sending: list[SendHttp]) -> layer.CommandGenerator[None]:
        breaths = [(to, [one.event for one in group]) for to, group in itertools.groupby(sending, _connection)]
        sending.clear()
        for connection, sent in breaths:
            event = sent[0] if len(sent) == 1 else Several(sent[0].stream_id, sent)
            yield from self.event_to_child(self.connections[connection], event)

    def _carry_out(self, child: layer.Layer, command: commands.Command) -> layer.CommandGenerator[None]:
        match command:
            case commands.SendData():
                yield command
            case ReceiveHttp():
                if isinstance(command.event, RequestHeaders):
                    yield from self.make_stream(command.event.stream_id)
                # A stream may be over before all that comes for it has.
                if (stream := self.streams.get(command.event.stream_id)) is not None:
                    yield from self.event_to_child(stream, command.event)
            case HttpRequestHeadersHook() | HttpRequestHook() | HttpResponseHeadersHook() | HttpResponseHook() if (
                handler := direct_handler(self.context.client)
            ) is not None:
                self.command_sources[command] = child
                if handler.run_hook(command):
                    yield from self.event_to_child(self.command_sources.pop(command), events.HookCompleted(command))
            case _:
                yield from self._of_child(child, command)

    def _of_child(self, child: layer.Layer, command: commands.Command) -> layer.CommandGenerator[None]:
        if command.blocking or isinstance(command, commands.RequestWakeup):
            self.command_sources[command] = child
        match command:
            case GetHttpConnection():
                yield from self.get_connection(command)
            case RegisterHttpConnection():
                yield from self.register_connection(command)
            case commands.OpenConnection():
                self.connections[command.connection] = child
                yield command
            case _:
                yield command

    @override
    def make_stream(self, stream_id: int) -> layer.CommandGenerator[None]:
        # Not by `fork`, which first makes a server connection of its own.
        context = copy.copy(self.context)
        context.layers = [*self.context.layers]
        self.streams[stream_id] = http_layers.HttpStream(context, stream_id)
        yield from self.event_to_child(self.streams[stream_id], events.Start())

    @override
    def get_connection(self, event: GetHttpConnection, *, reuse: bool = True) -> layer.CommandGenerator[None]:
        known = self._known(event) if reuse and self.context.client.alpn != b"h2" else None
        if known is None:
            yield from super().get_connection(event, reuse=reuse)
            return
        stream = self.command_sources.pop(event)
        yield from self.event_to_child(stream, GetHttpConnectionCompleted(event, (known, None)))

    def _known(self, event: GetHttpConnection) -> Server | None:
        """Give the open connection that mitmproxy would choose, where there is one."""
        for connection in self.connections:
            if type(connection) is Server and event.connection_spec_matches(connection):
                open_ = (
                    connection.connected
                    and connection.error is None
                    and connection not in self.waiting_for_establishment
                )
                return connection if open_ else None
        return None


def install(body_limit: int) -> None:
    """Have mitmproxy use these streams; raises RuntimeError where it has no such name."""
    replace(http_layers, HttpStream=type("HttpStream", (GatewayStream,), {"body_limit": body_limit}))
