"""Calls as mitmproxy's own flows, which mitmweb and mitmproxy open. The one exporter that knows mitmproxy."""

import uuid
from collections.abc import Iterable
from typing import IO, Final

from mitmproxy.connection import Client, Server
from mitmproxy.flow import Error
from mitmproxy.http import Headers, HTTPFlow, Request, Response
from mitmproxy.io import FlowWriter

from gatekeeper.journal import Recorded
from gatekeeper.journal.entries import HeaderPairs
from gatekeeper.replay.calls import Call

_MICROSECONDS: Final = 1_000_000
_NOWHERE: Final = ("127.0.0.1", 0)


def write_flows(calls: Iterable[Call], file: IO[bytes]) -> None:
    """Write a `.mitm` file, one flow a call; its comment says what the gateway made of it."""
    writer = FlowWriter(file)
    for call in calls:
        writer.add(flow_of(call))


def flow_of(call: Call) -> HTTPFlow:
    """Make the flow of a call, with masked bodies and without content encodings."""
    started, ended = call.started / _MICROSECONDS, call.ended / _MICROSECONDS
    client = Client(peername=_NOWHERE, sockname=_NOWHERE, timestamp_start=started)
    server = Server(address=(call.request.target.host, call.request.target.port))
    flow = HTTPFlow(client, server)
    flow.id = str(uuid.uuid5(uuid.NAMESPACE_OID, call.exchange))
    flow.timestamp_created = started
    flow.request = Request.make(
        call.request.method, call.request.url, _body(call.asked), _headers(call.request.headers)
    )
    flow.request.http_version = call.request.http
    flow.request.timestamp_start = flow.request.timestamp_end = started
    if call.response is not None:
        flow.response = Response.make(call.response.status, _body(call.answered), _headers(call.response.headers))
        flow.response.timestamp_start = started + call.response.timing.first / _MICROSECONDS
        flow.response.timestamp_end = started + call.response.timing.last / _MICROSECONDS
    elif call.end is not None:
        flow.error = Error(getattr(call.end, "reason", call.end.kind), ended)
    rule = f" by rule {call.request.verdict.rule!r}" if call.request.verdict.rule is not None else ""
    flow.comment = f"entry {call.entry.seq}: {call.outcome.value}{rule}; {call.request.subject.sub}; masked as recorded"
    return flow


def _headers(pairs: HeaderPairs) -> Headers:
    """Give header fields; the bodies stand decoded, so no content encoding holds."""
    kept = [(name, value) for name, value in pairs if name.lower() not in {"content-encoding", "transfer-encoding"}]
    return Headers([(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in kept])


def _body(content: Recorded | None) -> bytes:
    return content.data if content is not None else b""
