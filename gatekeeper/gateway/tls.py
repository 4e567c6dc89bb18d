"""mitmproxy's TLS layers, with one record for what one event makes the layers above send: a head and its body."""

from typing import override

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import tls
from mitmproxy.proxy.layers.http._base import HttpCommand
from mitmproxy.proxy.layers.tls import ClientTLSLayer, ServerTLSLayer, TLSLayer
from mitmproxy.proxy.tunnel import TunnelState

from gatekeeper.gateway.replace import replace


class OneRecord(TLSLayer):
    """Gathers what is sent on its own connection until the event has been handled."""

    @override
    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if (
            type(event) is events.DataReceived and event.connection is self.tunnel_connection
            and self.tunnel_state is TunnelState.OPEN
        ):  # fmt: skip
            return self.receive_data(event.data)  # what it comes to, without comparing connections by their ids
        return super()._handle_event(event)

    @override
    def event_to_child(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self.tunnel_state is not TunnelState.OPEN:
            yield from super().event_to_child(event)
            return
        gathered: list[bytes] = []
        for command in self.child_layer.handle_event(event):
            if isinstance(command, commands.SendData) and command.connection is self.conn:
                gathered.append(command.data)
                continue
            # What the HTTP layer around makes of its own commands may be to send more, which must not overtake this.
            if gathered and isinstance(command, commands.CloseConnection | HttpCommand):
                yield from self._send(gathered)
            yield from self._handle_command(command)
        if gathered:
            yield from self._send(gathered)

    def _send(self, gathered: list[bytes]) -> layer.CommandGenerator[None]:
        data = b"".join(gathered)
        gathered.clear()
        yield from self.send_data(data)


class GatewayClientTls(OneRecord, ClientTLSLayer):
    """TLS with a client."""


class GatewayServerTls(OneRecord, ServerTLSLayer):
    """TLS with an upstream."""


def install() -> None:
    """Have mitmproxy use the layer for upstreams; raises RuntimeError where it has no such name."""
    replace(tls, ServerTLSLayer=GatewayServerTls)
