"""WebSocket for tests, frame by frame: a client that can say anything, and an upstream that does."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness import Authority, Background, RunningGateway
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from gatekeeper.egress.websocket import accept_of

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 §1.3
HANDSHAKE = (
    "GET /chat HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + accept_of(KEY).encode() + b"\r\n\r\n"
)


class WsClient:
    """One WebSocket through a tunnel."""

    def __init__(self, gateway: RunningGateway, port: int, more: str = "", credential: str | None = None) -> None:
        context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
        raw = gateway.connect("localhost", port, credential)
        self.socket = context.wrap_socket(raw, server_hostname="localhost")
        self.socket.settimeout(5)
        self.ws = Connection(ConnectionType.CLIENT)
        self.socket.sendall((HANDSHAKE.format(port=port) + more + "\r\n").encode())
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := self.socket.recv(1)):
            answer += piece
        self.answer = answer
        if not self.opened:
            with contextlib.suppress(OSError):
                self.answer += self.socket.recv(65536)

    @property
    def opened(self) -> bool:
        return self.answer.startswith(b"HTTP/1.1 101 ")

    def send(self, event: Event) -> None:
        self.raw(self.ws.send(event))

    def raw(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.socket.sendall(data)

    def events(self) -> Iterator[Event]:
        """Give what comes, up to the end of the connection; raises AssertionError where nothing comes."""
        while True:
            try:
                data = self.socket.recv(65536)
            except TimeoutError as error:
                msg = "neither a message nor a close"
                raise AssertionError(msg) from error
            except (ConnectionError, ssl.SSLError):
                return
            if not data:
                return
            self.ws.receive_data(data)
            for event in self.ws.events():
                yield event
                if isinstance(event, CloseConnection):
                    return

    def next(self) -> Event:
        """Give the next thing that is no empty ping, with which the gateway keeps its far side alive."""
        return next(event for event in self.events() if not isinstance(event, Ping))

    def ended(self) -> int | None:
        """Read to the end; gives the code of the close, or None for a cut."""
        for event in self.events():
            if isinstance(event, CloseConnection):
                return event.code
            assert isinstance(event, Ping | Pong), event
        return None

    def close(self) -> None:
        self.socket.close()


type Script = Callable[[Connection, Event], bytes]


def echo(ws: Connection, event: Event) -> bytes:
    match event:
        case TextMessage() | BytesMessage() if event.message_finished:
            return ws.send(type(event)(event.data))
        case Ping():
            return ws.send(event.response())
        case CloseConnection():
            return ws.send(event.response())
    return b""


@dataclass
class WsUpstream:
    """A TLS server that accepts each handshake with `accept`, and keeps what is sent to it after that."""

    context: ssl.SSLContext
    accept: bytes = ACCEPTED
    script: Script = echo
    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def reset(self, accept: bytes = ACCEPTED, script: Script = echo) -> None:
        self.accept, self.script = accept, script
        self.heads.clear()
        self.events.clear()

    @property
    def texts(self) -> list[str]:
        return [event.data for event in self.events if isinstance(event, TextMessage)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.accept)
        ws = Connection(ConnectionType.SERVER)
        while data := await reader.read(65536):
            ws.receive_data(data)
            for event in ws.events():
                self.events.append(event)
                writer.write(self.script(ws, event))
        writer.close()

    @classmethod
    def start(cls, authority: Authority) -> tuple["WsUpstream", Callable[[], None]]:
        context = authority.server_context("localhost")
        context.set_alpn_protocols(["http/1.1"])
        server = cls(context)
        background = Background(asyncio.new_event_loop())

        async def listen() -> asyncio.Server:
            return await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)

        listening = background.run(listen())
        server.port = listening.sockets[0].getsockname()[1]

        def stop() -> None:
            background.loop.call_soon_threadsafe(listening.close)
            background.end()

        return server, stop
