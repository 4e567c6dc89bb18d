"""HTTP/2 for tests: a client that can say anything in frames, and an upstream that does."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
from harness import Authority, Background, RunningGateway

type Fields = list[tuple[bytes, bytes]]

QUIET = h2.config.H2Configuration(
    client_side=True,
    header_encoding=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)


@dataclass
class Answered:
    """What came back on one stream, and whether the connection still stands."""

    status: int = 0
    headers: Fields = field(default_factory=list)
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    reset: bool = False
    closed: bool = False

    def take(self, event: h2.events.Event) -> bool:
        """Take an event in, and tell whether it is the last."""
        match event:
            case h2.events.ResponseReceived():
                self.headers = list(event.headers)
                self.status = int(dict(event.headers)[b":status"])
            case h2.events.DataReceived():
                self.body += event.data
            case h2.events.TrailersReceived():
                self.trailers = list(event.headers)
            case h2.events.StreamReset():
                self.reset = True
            case h2.events.ConnectionTerminated():
                self.closed = True
        return isinstance(event, h2.events.StreamReset | h2.events.StreamEnded | h2.events.ConnectionTerminated)


class H2Client:
    """One connection through a tunnel, that offers h2 and nothing else."""

    def __init__(self, gateway: RunningGateway, port: int, patience: float = 4.0) -> None:
        context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(gateway.connect("localhost", port), server_hostname="localhost")
        self.socket.settimeout(patience)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.port = port
        self.h2 = h2.connection.H2Connection(QUIET)
        self.h2.initiate_connection()
        self.say(self.h2.data_to_send())

    def say(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(data)

    def fields(self, *more: tuple[bytes, bytes], **pseudo: bytes) -> Fields:
        """Give the fields of a request; pseudo-fields by keyword, left out where empty."""
        names = {"method": b"GET", "scheme": b"https", "authority": b"localhost:%d" % self.port, "path": b"/thing"}
        return [(b":" + name.encode(), value) for name, value in (names | pseudo).items() if value] + list(more)

    def ask(self, fields: Fields, body: bytes = b"", trailers: Fields | None = None) -> int:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields, end_stream=not body and trailers is None)
        if body:
            self.h2.send_data(stream, body, end_stream=trailers is None)
        if trailers is not None:
            self.h2.send_headers(stream, trailers, end_stream=True)
        self.say(self.h2.data_to_send())
        return stream

    def read(self, stream: int) -> Answered:
        """Read until the stream or the connection ends; raises AssertionError where neither comes."""
        answered = Answered()
        while True:
            try:
                data = self.socket.recv(65536)
            except TimeoutError as error:
                msg = f"neither an answer nor a close, but {answered}"
                raise AssertionError(msg) from error
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                answered.closed = True
                return answered
            for event in self.h2.receive_data(data):
                if getattr(event, "stream_id", stream) == stream and answered.take(event):
                    return answered
            self.say(self.h2.data_to_send())

    def close(self) -> None:
        self.socket.close()


type Script = Callable[[h2.connection.H2Connection, int], bytes]
"""Answers one stream: through the connection, whose bytes are sent, and with bytes of its own behind them."""


def ok(connection: h2.connection.H2Connection, stream: int) -> bytes:
    connection.send_headers(stream, [(b":status", b"200"), (b"content-type", b"text/plain")])
    connection.send_data(stream, b"hello", end_stream=True)
    return b""


@dataclass
class H2Upstream:
    """A TLS server that speaks HTTP/2 and keeps what it is sent."""

    context: ssl.SSLContext
    script: Script = ok
    port: int = 0
    requests: list[Fields] = field(default_factory=list)
    bodies: bytearray = field(default_factory=bytearray)

    def reset(self, script: Script = ok) -> None:
        self.script = script
        self.requests.clear()
        self.bodies.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        configuration = h2.config.H2Configuration(
            client_side=False,
            header_encoding=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
        connection = h2.connection.H2Connection(configuration)
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            more = b""
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.requests.append(list(event.headers))
                elif isinstance(event, h2.events.DataReceived):
                    self.bodies += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    more += self.script(connection, event.stream_id)
            writer.write(connection.data_to_send() + more)
        writer.close()

    @classmethod
    def start(cls, authority: Authority) -> tuple["H2Upstream", Callable[[], None]]:
        context = authority.server_context("localhost")
        context.set_alpn_protocols(["h2"])
        return _start(cls(context))


@dataclass
class H1Upstream:
    """A TLS server that speaks HTTP/1 only, and keeps every byte it is sent."""

    context: ssl.SSLContext
    port: int = 0
    received: bytearray = field(default_factory=bytearray)
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered = False
        while data := await reader.read(65536):
            self.received += data
            if not answered and b"\r\n\r\n" in data:
                answered = True
                writer.write(self.answer)
        writer.close()

    @classmethod
    def start(cls, authority: Authority) -> tuple["H1Upstream", Callable[[], None]]:
        context = authority.server_context("localhost")
        context.set_alpn_protocols(["http/1.1"])
        return _start(cls(context))


def _start[Server: H1Upstream | H2Upstream](server: Server) -> tuple[Server, Callable[[], None]]:
    background = Background(asyncio.new_event_loop())

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=server.context)

    listening = background.run(listen())
    server.port = listening.sockets[0].getsockname()[1]

    def stop() -> None:
        background.loop.call_soon_threadsafe(listening.close)
        background.end()

    return server, stop
