"""The relay: CONNECT and plain HTTP requests from loopback go to the gateway, with a token, and nowhere else."""

import asyncio
import contextlib
import ipaddress
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from typing import Final

from gatekeeper.relay.head import AnswerHead, RequestHead, read_answer, read_request
from gatekeeper.relay.tokens import TokenSource, TokenUnavailable

HEAD_LIMIT: Final = 32 * 1024
HEAD_TIME: Final = 10.0  # seconds for a head to be complete, for a connection to be made, and for a last word
_PIECE: Final = 64 * 1024
_HEAD_END: Final = b"\r\n\r\n"
_PHRASES: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
}
_SUCCESS: Final = range(200, 300)


class _Refused(Exception):
    """The relay answers itself."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Relay:
    """A listener on loopback in front of one gateway."""

    def __init__(
        self,
        source: TokenSource,
        gateway: tuple[str, int],
        time_limit: float = HEAD_TIME,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._source = source
        self._gateway = gateway
        self._tls = tls
        self._time_limit = time_limit
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and give the port.

        Raises ValueError for an address that others than this machine can reach: whoever reaches the
        relay has its identity. Raises OSError where the port is taken.
        """
        if not _is_loopback(host):
            msg = f"{host}: the relay listens on loopback only, such as 127.0.0.1"
            raise ValueError(msg)
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_LIMIT)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Stop listening and end all connections."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._server.abort_clients()  # a task that was cancelled before it began has closed nothing
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        async with _closing(writer, self._time_limit):
            try:
                await self._forward(reader, writer)
            except _Refused as refused:
                await self._answer(reader, writer, refused)

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        head = await self._request_head(reader)
        if head is None:
            return
        try:
            token = (await self._source.current()).token
        except TokenUnavailable as error:
            raise _Refused(502, str(error)) from error
        up_reader, up_writer = await self._connect()
        async with _closing(up_writer, self._time_limit):
            up_writer.write(head.with_token(token))
            if head.connects:
                answer = await self._gateway_head(up_reader)
                if answer.status not in _SUCCESS:
                    await _pass_refusal(answer, up_reader, writer)
                    return
                writer.write(b"%s\r\n\r\n" % answer.line)
            await self._pipe_both(reader, writer, up_reader, up_writer)

    async def _request_head(self, reader: StreamReader) -> RequestHead | None:
        """Read the head of a request; None where the client only came to look."""
        try:
            async with asyncio.timeout(self._time_limit):
                return read_request(await reader.readuntil(_HEAD_END))
        except TimeoutError as error:
            raise _Refused(408, f"the request's head took longer than {self._time_limit:g}s") from error
        except asyncio.LimitOverrunError as error:
            raise _Refused(431, f"the request's head is longer than {HEAD_LIMIT} bytes") from error
        except ConnectionError:
            return None
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                return None
            raise _Refused(400, "the request's head ends in the middle") from error
        except ValueError as error:
            raise _Refused(400, str(error)) from error

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        host, port = self._gateway
        try:
            async with asyncio.timeout(self._time_limit):
                return await asyncio.open_connection(host, port, limit=HEAD_LIMIT, ssl=self._tls)
        except ssl.SSLError as error:
            raise _Refused(
                502,
                f"the gateway at {host}:{port} can't be trusted, or does not trust this certificate ({error.reason})",
            ) from error
        except OSError as error:
            raise _Refused(
                502, f"the gateway at {host}:{port} does not answer; is `gatekeeper run` running?"
            ) from error

    async def _gateway_head(self, reader: StreamReader) -> AnswerHead:
        host, port = self._gateway
        try:
            async with asyncio.timeout(self._time_limit):
                return read_answer(await reader.readuntil(_HEAD_END))
        except (OSError, ValueError, EOFError, asyncio.LimitOverrunError) as error:
            raise _Refused(502, f"the gateway at {host}:{port} gave no answer to CONNECT") from error

    async def _pipe_both(
        self, reader: StreamReader, writer: StreamWriter, up_reader: StreamReader, up_writer: StreamWriter
    ) -> None:
        """Pass bytes both ways until both ended, or a while after the gateway ended its own."""
        up = asyncio.create_task(_pipe(reader, up_writer))
        try:
            await _pipe(up_reader, writer)
            await asyncio.wait([up], timeout=self._time_limit)
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)

    async def _answer(self, reader: StreamReader, writer: StreamWriter, refused: _Refused) -> None:
        """Answer in the relay's own name, and let the client finish, lest a reset overtake the answer."""
        body = f"gatekeeper relay: {refused}\n".encode()
        head = (
            f"HTTP/1.1 {refused.status} {_PHRASES[refused.status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            writer.write(head.encode("ascii") + body)
            writer.write_eof()
            async with asyncio.timeout(self._time_limit):
                while await reader.read(_PIECE):
                    pass


async def _pass_refusal(answer: AnswerHead, reader: StreamReader, writer: StreamWriter) -> None:
    """Hand over the gateway's own answer to CONNECT, after which the connection ends."""
    with contextlib.suppress(OSError):
        writer.write(answer.closing())
        left = answer.length
        while left is None or left > 0:
            data = await reader.read(_PIECE if left is None else min(left, _PIECE))
            if not data:
                break
            writer.write(data)
            await writer.drain()
            left = left if left is None else left - len(data)


async def _pipe(reader: StreamReader, writer: StreamWriter) -> None:
    """Pass bytes on until their end, and the end too; where one side broke, break the other."""
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def _closing(writer: StreamWriter, time_limit: float) -> AsyncIterator[None]:
    """Close a connection once what was written is sent; at once where something broke, or a peer doesn't read."""
    try:
        yield
        writer.close()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(time_limit):
                await writer.wait_closed()
    finally:
        writer.transport.abort()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
