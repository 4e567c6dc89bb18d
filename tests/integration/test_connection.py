"""What drives the layers: order, back-pressure, ends, and a fault that is ours."""

import asyncio
import gc
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import h2.connection
import h2.events
import pytest
from harness import Authority, Background, RunningGateway, Upstream, read_answer
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.layers import ClientTLSLayer
from mitmproxy.proxy.layers.http import HttpStream

from gatekeeper.gateway import connection


def request(upstream: Upstream, path: str = "/") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n".encode()


def path_answer(head: bytes) -> bytes:
    body = b'{"path":"' + head.split(b" ")[1] + b'"}'
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> list[connection.GatewayConnection]:
    """Collect the handlers of all connections."""
    made: list[connection.GatewayConnection] = []
    begin = connection.GatewayConnection.__init__

    def noted(self: connection.GatewayConnection, *arguments: object) -> None:
        begin(self, *arguments)
        made.append(self)

    monkeypatch.setattr(connection.GatewayConnection, "__init__", noted)
    return made


def test_several_requests_sent_at_once_are_answered_in_order(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset(path_answer)
    gateway = start_gateway()
    with gateway.tls("localhost", upstream.port) as tunnel:
        tunnel.sendall(request(upstream, "/one") + request(upstream, "/two") + request(upstream, "/three"))
        got = b""
        while got.count(b'{"path"') < 3:
            piece = tunnel.recv(65536)
            assert piece, got
            got += piece
    assert got.index(b"/one") < got.index(b"/two") < got.index(b"/three")
    assert upstream.connections == 1


def test_a_request_that_comes_byte_by_byte_is_answered(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset(path_answer)
    gateway = start_gateway()
    with gateway.tls("localhost", upstream.port) as tunnel:
        for byte in request(upstream, "/slow"):
            tunnel.sendall(bytes([byte]))
        assert read_answer(tunnel).endswith(b'{"path":"/slow"}')


@pytest.mark.parametrize(("record", "segment"), [(7, 1 << 20), (1 << 14, 5), (60, 100)])
def test_records_of_tls_may_come_in_any_cut(
    start_gateway: Callable[..., RunningGateway],
    upstream: Upstream,
    record: int,
    segment: int,
) -> None:
    """`record`: bytes of text in one; `segment`: bytes of one TCP segment, which may hold many, or a part of one."""
    upstream.reset(path_answer)
    gateway = start_gateway()
    context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
    arriving, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
    with gateway.connect("localhost", upstream.port) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(10)
        tunnel = context.wrap_bio(arriving, leaving, server_hostname="localhost")

        def until[T](act: Callable[[], T]) -> T:
            while True:
                try:
                    return act()
                except ssl.SSLWantReadError:
                    raw.sendall(leaving.read())
                    arriving.write(raw.recv(65536))

        def ask(path: str, record: int, segment: int) -> bytes:
            text = request(upstream, path)
            for at in range(0, len(text), record):
                tunnel.write(text[at : at + record])
            sealed = leaving.read()
            for at in range(0, len(sealed), segment):
                raw.sendall(sealed[at : at + segment])
            got = b""
            while not got.endswith(b"}"):
                got += until(lambda: tunnel.read(65536))
            return got

        until(tunnel.do_handshake)
        ask("/whole", 1 << 14, 1 << 20)
        assert ask("/cut", record, segment).endswith(b'{"path":"/cut"}')


def test_a_client_that_has_said_all_and_closed_its_half_is_let_go(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset()
    gateway = start_gateway()
    raw = gateway.connect("localhost", upstream.port)
    raw.shutdown(socket.SHUT_WR)
    raw.settimeout(10)
    assert raw.recv(1) == b""


def test_in_a_tunnel_events_pass_by_the_layers_around_it(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream, handlers: list[connection.GatewayConnection]
) -> None:
    upstream.reset()
    gateway = start_gateway()
    with gateway.tls("localhost", upstream.port) as tunnel:
        tunnel.sendall(request(upstream))
        assert read_answer(tunnel).startswith(b"HTTP/1.1 200")
        (handler,) = handlers
        assert isinstance(handler.layer, ClientTLSLayer)
        assert any(isinstance(one, HttpStream) for one in handler.layer.context.layers)


def test_a_call_leaves_nothing_to_the_garbage_collector(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset(path_answer)
    gateway = start_gateway()
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(one, HTTPFlow) for one in gc.get_objects())
        with gateway.tls("localhost", upstream.port) as tunnel:
            for number in range(5):
                tunnel.sendall(request(upstream, f"/{number}"))
                assert b"%d" % number in read_answer(tunnel)
            # That of CONNECT lives as long as its tunnel; that of the last call may be at its very end.
            alive = sum(isinstance(one, HTTPFlow) for one in gc.get_objects())
    finally:
        gc.enable()
    assert alive - before <= 2


def test_what_fails_in_a_layer_ends_the_connection(
    start_gateway: Callable[..., RunningGateway],
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """mitmproxy logs it, text and all, and lets the client wait."""
    upstream.reset()
    gateway = start_gateway()

    def fail(*_: object) -> None:
        msg = "canary-of-the-layer"
        raise NotImplementedError(msg)

    monkeypatch.setattr(HttpStream, "state_wait_for_response_headers", fail)
    before = time.monotonic()
    answer = gateway.exchange("localhost", upstream.port, request(upstream))
    assert answer == b""
    assert time.monotonic() - before < 10
    output = capfd.readouterr()
    assert "canary-of-the-layer" not in output.out + output.err


def test_a_client_that_does_not_read_stops_the_upstream(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    """A stream goes on at the pace of its reader: the gateway does not gather it."""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"word " * 2000 + b'"}}]}\n\n'
    piece = b"%x\r\n%b\r\n" % (len(event), event)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0

    class Endless(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport, self.flowing = transport, True

        def data_received(self, data: bytes) -> None:  # noqa: ARG002 - the signature
            self.transport.write(head)
            self.send()

        def pause_writing(self) -> None:
            self.flowing = False

        def resume_writing(self) -> None:
            self.flowing = True

        def send(self) -> None:
            nonlocal sent
            if self.flowing and not self.transport.is_closing():
                self.transport.write(piece)
                sent += len(piece)
            asyncio.get_running_loop().call_later(0 if self.flowing else 0.01, self.send)

    loop = asyncio.new_event_loop()
    background = Background(loop)

    async def start() -> asyncio.Server:
        return await loop.create_server(Endless, "127.0.0.1", 0, ssl=upstream.context)

    listening = background.run(start())
    port = listening.sockets[0].getsockname()[1]
    gateway = start_gateway(port=port)
    question = b'{"model":"m","stream":true,"messages":[]}'
    with gateway.tls("localhost", port) as tunnel:
        tunnel.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(question)}\r\n\r\n".encode()
            + question
        )
        assert tunnel.recv(12) == b"HTTP/1.1 200"
        before = -1
        deadline = time.monotonic() + 60
        while before != sent:
            assert time.monotonic() < deadline, f"{sent} bytes, and no end"
            before = sent
            time.sleep(1)
        assert sent < 32 << 20
    loop.call_soon_threadsafe(listening.close)
    background.end()


@pytest.fixture
def http1_upstream(authority: Authority) -> Iterator[Upstream]:
    """An upstream that knows HTTP/1.1 only, also when it is asked for h2."""
    context = authority.server_context("localhost")
    context.set_alpn_protocols(["http/1.1"])
    server = Upstream(context, path_answer)
    background = Background(asyncio.new_event_loop())

    async def start() -> asyncio.Server:
        return await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)

    listening = background.run(start())
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    background.loop.call_soon_threadsafe(listening.close)
    background.end()


def test_a_client_that_speaks_only_h2_is_served_stream_by_stream(
    start_gateway: Callable[..., RunningGateway], http1_upstream: Upstream
) -> None:
    gateway = start_gateway(port=http1_upstream.port)
    trust = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
    trust.set_alpn_protocols(["h2"])
    client = h2.connection.H2Connection()
    answers: dict[int, bytes] = {}
    with trust.wrap_socket(gateway.connect("localhost", http1_upstream.port), server_hostname="localhost") as tunnel:
        assert tunnel.selected_alpn_protocol() == "h2"
        client.initiate_connection()
        for stream, path in ((1, "/one"), (3, "/two"), (5, "/three")):
            authority = f"localhost:{http1_upstream.port}"
            client.send_headers(
                stream,
                [(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path)],
                end_stream=True,
            )
        ended = 0
        while ended < 3:
            tunnel.sendall(client.data_to_send())
            data = tunnel.recv(65536)
            assert data, answers
            for event in client.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    answers[event.stream_id] = answers.get(event.stream_id, b"") + event.data
                ended += isinstance(event, h2.events.StreamEnded)
    assert answers == {1: b'{"path":"/one"}', 3: b'{"path":"/two"}', 5: b'{"path":"/three"}'}
