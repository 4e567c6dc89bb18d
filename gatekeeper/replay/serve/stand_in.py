"""The stand-in's listener: a forward proxy on loopback that answers from a cassette and connects to nothing.

It ends TLS itself, under a CA that it makes for this run and forgets. What clients send is masked as the
gateway masked it before it is compared, so a call with personal data in it meets its recording.
"""

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import h11
import trustme

from gatekeeper.dialects.refused import error_answer
from gatekeeper.dialects.route import dialect_of
from gatekeeper.egress import TargetError, normal_path, normalise_host
from gatekeeper.exchange import Message, Reason, Refusal
from gatekeeper.journal.entries import HeaderPairs
from gatekeeper.masking import BodyTooLarge, Masker, UnknownEncoding, UnreadableBody, decode_body
from gatekeeper.replay.calls import Call
from gatekeeper.replay.serve.cassette import Cassette, Departure

HEAD_LIMIT: Final = 64 << 10
PIECE: Final = 64 << 10
HTTPS_PORT: Final = 443
MICROSECONDS: Final = 1_000_000
BROKEN: Final = 502
NOT_RECORDED: Final = 403
"""What clients do not try again, as they don't for a denial."""

REMOVED: Final = "‹removed›"
# How a body was carried; the recorded one stands decoded.
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection", "keep-alive"})

type Fields = list[tuple[bytes, bytes]]


class StandIn:
    """One listener in front of one cassette. `body_limit` is in bytes, decoded."""

    def __init__(self, cassette: Cassette, masker: Masker, body_limit: int, *, timed: bool) -> None:
        self.cassette = cassette
        self._masker, self._body_limit, self._timed = masker, body_limit, timed
        self._authority = trustme.CA(organization_name="Gatekeeper replay")
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    def write_authority(self, path: Path) -> None:
        """Write the CA's certificate, for clients to trust."""
        path.write_bytes(self._authority.cert_pem.bytes())

    async def start(self, port: int = 0) -> int:
        """Listen on loopback, and give the port; raises OSError where it is taken."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=HEAD_LIMIT)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and end all connections."""
        if self._server is None:
            return
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._server.abort_clients()
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = _Connection(reader, writer)
        try:
            # A client that goes away, or speaks no HTTP, ends its own connection and nothing else.
            with contextlib.suppress(OSError, ssl.SSLError, h11.ProtocolError):
                await self._answer_all(connection)
        finally:
            writer.transport.abort() if connection.broken else writer.close()

    async def _answer_all(self, connection: "_Connection") -> None:
        origin = ""
        while (request := await connection.request(self._body_limit)) is not None:
            head, body = request
            if head.method == b"CONNECT":
                host, _, port = head.target.decode("latin-1").rpartition(":")
                origin = f"https://{host}" if port == str(HTTPS_PORT) else f"https://{host}:{port}"
                await connection.begin_tls(self._context(host))
                continue
            await self._answer(connection, head, body, origin)
            if not connection.next():
                return

    async def _answer(self, connection: "_Connection", head: h11.Request, body: bytes, origin: str) -> None:
        target = head.target.decode("latin-1")
        url = origin + target if origin else target
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
        try:
            recorded = self._as_recorded(head.method.decode("ascii"), url, fields, body)
        except (UnknownEncoding, BodyTooLarge, UnreadableBody, TargetError) as error:
            refusal = _refusal(415, f"the request can't be read: {error}")
            await connection.send(415, *_own(url, refusal))
            return
        answer = self.cassette.answer(recorded.method, recorded.url, recorded.body)
        if isinstance(answer, Departure):
            await connection.send(NOT_RECORDED, *_own(url, _refusal(NOT_RECORDED, answer.sentence)))
        elif answer.response is not None:
            pieces = _pieces(answer)
            waits = _waits(answer) if self._timed else [0.0] * len(pieces)
            await connection.send(answer.response.status, _headers(answer.response.headers), pieces, waits)
        elif getattr(answer.end, "side", "") == "client":
            connection.broken = True  # the recorded client left before an answer; so nothing comes here either
            await asyncio.sleep((answer.ended - answer.started) / MICROSECONDS if self._timed else 0)
            connection.writer.transport.abort()
        else:
            why = getattr(answer.end, "reason", "its end was not recorded")
            await connection.send(BROKEN, *_own(url, _refusal(BROKEN, f"the recorded call broke: {why}")))

    def _as_recorded(self, method: str, url: str, fields: HeaderPairs | list[tuple[str, str]], body: bytes) -> Message:
        encoding = ",".join(value for name, value in fields if name == "content-encoding")
        scheme, _, rest = url.partition("://")
        authority, slash, origin_form = rest.partition("/")
        path = normal_path(f"{slash}{origin_form}" or "/")
        query = origin_form.partition("?")
        url = f"{scheme}://{authority.lower()}{path}{query[1]}{query[2]}"
        decoded = decode_body(body, encoding, self._body_limit)
        message = Message(method=method, url=url, path=path, headers=tuple(fields), body=decoded)
        return self._masker.inspect(message).recorded()

    def _context(self, host: str) -> ssl.SSLContext:
        if host not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_alpn_protocols(["http/1.1"])
            self._authority.issue_cert(normalise_host(host)).configure_cert(context)
            self._contexts[host] = context
        return self._contexts[host]


class _Connection:
    """A client's connection: HTTP/1.1 by h11, in clear and later inside TLS."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.broken = False
        self._http = h11.Connection(h11.SERVER, HEAD_LIMIT)

    async def request(self, limit: int) -> tuple[h11.Request, bytes] | None:
        """Give the next request with its body; None at the end. Raises h11.RemoteProtocolError."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match self._http.next_event():
                case h11.NEED_DATA:
                    if self._http.they_are_waiting_for_100_continue:
                        go_on = h11.InformationalResponse(status_code=100, headers=[])
                        self.writer.write(self._http.send(go_on) or b"")
                    self._http.receive_data(await self.reader.read(PIECE))
                case h11.Request() as event:
                    head = event
                case h11.Data(data=data):
                    body += data
                    if len(body) > limit:
                        msg = "the body is over proxy.body_limit"
                        raise h11.RemoteProtocolError(msg, 413)
                case h11.EndOfMessage() if head is not None:
                    return head, bytes(body)
                case _:
                    return None

    async def begin_tls(self, context: ssl.SSLContext) -> None:
        """Agree to a tunnel, and end its TLS here."""
        self.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await self.writer.drain()
        await self.writer.start_tls(context)
        self._http = h11.Connection(h11.SERVER, HEAD_LIMIT)

    async def send(self, status: int, fields: Fields, pieces: Sequence[bytes], waits: Iterable[float] = ()) -> None:
        """Answer: each piece after its wait in seconds; chunked, so that what was streamed streams."""
        waiting = iter(waits)
        bodiless = status in {204, 304} or status < 200  # noqa: PLR2004 - RFC 9110 §6.4.1
        framing = [] if bodiless else [(b"Transfer-Encoding", b"chunked")]
        if not pieces:
            await asyncio.sleep(next(waiting, 0))
        self.writer.write(self._http.send(h11.Response(status_code=status, headers=[*fields, *framing])) or b"")
        for piece in () if bodiless else pieces:
            await asyncio.sleep(next(waiting, 0))
            self.writer.write(self._http.send(h11.Data(data=piece)) or b"")
            await self.writer.drain()
        self.writer.write(self._http.send(h11.EndOfMessage()) or b"")
        await self.writer.drain()

    def next(self) -> bool:
        """Make ready for another request; False where the connection ends with this one."""
        if self._http.our_state is h11.MUST_CLOSE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True


def _pieces(call: Call) -> list[bytes]:
    if call.pieces:
        return [piece.data for piece in call.pieces]
    return [call.answered.data] if call.answered is not None and call.answered.data else []


def _waits(call: Call) -> list[float]:
    """Give the seconds before each piece: as recorded from the request on."""
    first = call.response.timing.first if call.response is not None else 0
    moments = [piece.at for piece in call.pieces] or [first]
    return [max(0, moment - before) / MICROSECONDS for before, moment in zip([0, *moments], moments, strict=False)]


def _headers(recorded: HeaderPairs) -> Fields:
    """Give the recorded header fields but for framing, and for those whose values were removed."""
    return [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in recorded
        if name.lower() not in _FRAMING and REMOVED not in value
    ]


def _refusal(status: int, message: str) -> Refusal:
    return Refusal(status=status, reason=Reason.NOT_RECORDED, message=f"replay: {message}")


def _own(url: str, refusal: Refusal) -> tuple[Fields, list[bytes]]:
    """Say no in the shape of the provider that the client believes to speak to."""
    authority, _, path = url.partition("://")[2].partition("/")
    dialect = dialect_of(authority.rpartition(":")[0] or authority, f"/{path.partition('?')[0]}")
    headers, body = error_answer(dialect, refusal, "none: this is a replay")
    return [(name.encode(), value.encode()) for name, value in headers], [body]
