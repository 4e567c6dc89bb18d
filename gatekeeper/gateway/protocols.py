"""Puts the strict layers in the place of mitmproxy's, by name (decision 0005).

`install` raises where a name is missing, so that a gateway without these checks does not start; a test pins the
versions of mitmproxy that they were written for.
"""

from collections.abc import Collection

from mitmproxy.connection import Client
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers import websocket
from mitmproxy.proxy.layers.http import _http1, _http2

from gatekeeper.gateway.http1 import StrictClient, StrictServer
from gatekeeper.gateway.http2 import StrictHttp2Client, StrictHttp2Server
from gatekeeper.gateway.limits import Limits, Report, servers
from gatekeeper.gateway.pages import page_http1, page_http2
from gatekeeper.gateway.replace import replace
from gatekeeper.gateway.websocket import StrictWebsocket


def install(limits: Limits, report: Report) -> None:
    """Put the strict classes in mitmproxy's place; raises RuntimeError where it no longer has one.

    `report` records a refusal that no hook sees.
    """
    settings = {"limits": limits, "report": staticmethod(report)}
    replace(
        http_layers,
        Http1Server=type("Http1Server", (StrictServer,), settings),
        Http1Client=type("Http1Client", (StrictClient,), settings),
        Http2Server=type("Http2Server", (StrictHttp2Server,), settings),
        Http2Client=type("Http2Client", (StrictHttp2Client,), settings),
    )
    replace(
        websocket, WebsocketLayer=type("WebsocketLayer", (StrictWebsocket,), {"message_bytes": limits.message_bytes})
    )
    replace(_http1, make_error_response=page_http1)
    replace(_http2, format_error=page_http2)


def answering(clients: Collection[Client]) -> bool:
    """Whether the answer to one of these clients, recorded or not, is still to be handed to its connection."""
    return any(server.answering for server in [*servers] if server.context.client in clients)
