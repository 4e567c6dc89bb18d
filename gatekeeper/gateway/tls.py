"""mitmproxy's TLS layers, with one record for what one event makes the layers above send: a head and its body."""

from typing import Any, Final, override

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import tls
from mitmproxy.proxy.layers.http._base import HttpCommand
from mitmproxy.proxy.layers.tls import ClientTLSLayer, ServerTLSLayer, TLSLayer
from mitmproxy.proxy.tunnel import TunnelState
from OpenSSL import SSL

from gatekeeper.gateway.replace import replace

RECORD: Final = 1 << 14
"""Bytes of text in one TLS record, at most (RFC 8446 §5.1)."""


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

    @override
    def receive_data(self, data: bytes) -> layer.CommandGenerator[None]:
        """Read what came. mitmproxy reads until OpenSSL has no more, which it says by an exception."""
        if not data:
            yield from super().receive_data(data)
            return
        self.tls.bio_write(data)
        texts: list[bytes] = []
        over = True
        try:
            texts.append(self.tls.recv(RECORD))
            while _held(self.tls._into_ssl):  # noqa: SLF001
                texts.append(self.tls.recv(RECORD))
        except SSL.WantReadError:
            pass  # a part of a record
        except SSL.Error:
            over = False  # an alert: mitmproxy knows what it means
        yield from self.tls_interact()
        if texts:
            yield from self.event_to_child(events.DataReceived(self.conn, b"".join(texts)))
        if not over:
            yield from super().receive_data(b"")

    @override
    def tls_interact(self) -> layer.CommandGenerator[None]:
        if held := _held(self.tls._from_ssl):  # noqa: SLF001
            yield commands.SendData(self.conn, self.tls.bio_read(held))

    def _send(self, gathered: list[bytes]) -> layer.CommandGenerator[None]:
        data = b"".join(gathered)
        gathered.clear()
        yield from self.send_data(data)


class GatewayClientTls(OneRecord, ClientTLSLayer):
    """TLS with a client."""


class GatewayServerTls(OneRecord, ServerTLSLayer):
    """TLS with an upstream."""


def _held(bio: Any) -> int:
    """Give the number of bytes that a memory BIO holds."""
    return int(SSL._lib.BIO_get_mem_data(bio, _DATA))  # type: ignore[attr-defined]  # noqa: SLF001


_DATA: Final = SSL._ffi.new("char **")  # type: ignore[attr-defined]  # noqa: SLF001


def install() -> None:
    """Have mitmproxy use the layer for upstreams; raises RuntimeError where it has no such name."""
    replace(tls, ServerTLSLayer=GatewayServerTls)
