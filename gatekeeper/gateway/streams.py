"""mitmproxy's HTTP layer and its streams, without what they look up again for each message.

A message whose head was plain (`heads`) has been checked, and says how long it is. The context of a stream, and the
connection that it goes on with, are the ones that are there. All else is left to mitmproxy.
"""

import copy
from typing import override

from mitmproxy.connection import Server
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import GetHttpConnection, GetHttpConnectionCompleted, HttpLayer, HttpStream

from gatekeeper.gateway.heads import plain_size
from gatekeeper.gateway.replace import replace


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


class GatewayHttp(HttpLayer):
    """HTTP in a tunnel."""

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
