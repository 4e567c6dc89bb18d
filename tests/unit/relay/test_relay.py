import asyncio
import contextlib
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from forgery import claims, forge, header

from gatekeeper.relay import FileToken, Relay

CONNECT = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
FIRST, SECOND = (forge(header(), claims(jti=name)) for name in ("first", "second"))

type Talk = Callable[[StreamReader, StreamWriter], Awaitable[None]]


class Gateway:
    """Stands for the gateway: takes a head, then does what the test says."""

    def __init__(self, talk: Talk | None = None) -> None:
        self.heads: list[bytes] = []
        self.ended = asyncio.Event()
        self._talk = talk or self._echo
        self.address = ("127.0.0.1", 0)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Gateway"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = ("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            yield self
        finally:
            server.close()
            server.abort_clients()
            await server.wait_closed()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            await self._talk(reader, writer)
        writer.close()
        self.ended.set()

    @staticmethod
    async def _echo(reader: StreamReader, writer: StreamWriter) -> None:
        """Establish the tunnel, give back what comes in capitals, and after its end say so."""
        writer.write(ESTABLISHED)
        while data := await reader.read(65536):
            writer.write(data.upper())
            await writer.drain()
        writer.write(b"[end]")
        await writer.drain()


def answering(answer: bytes) -> Talk:
    async def talk(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return talk


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(FIRST)
    return path


@contextlib.asynccontextmanager
async def relaying(token: Path, gateway: tuple[str, int], limit: float = 10) -> AsyncIterator[int]:
    relay = Relay(FileToken(token), gateway, limit)
    port = await relay.start()
    try:
        yield port
    finally:
        await relay.stop()


async def exchange(port: int, request: bytes, *, eof: bool = False) -> bytes:
    """Send, and read until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    if eof:
        writer.write_eof()
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


async def drip(writer: StreamWriter) -> None:
    """Send for at most four seconds."""
    for _ in range(200):
        writer.write(b"more")
        await writer.drain()
        await asyncio.sleep(0.02)


def reset(writer: StreamWriter) -> None:
    """Leave without a word of the end."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def replace(path: Path, text: str) -> None:
    """Exchange a file's content at one stroke, as those who rotate tokens do."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.rename(path)


def test_a_tunnel_carries_the_token_and_then_bytes_as_they_are(token: Path) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            request = CONNECT[:-2] + b"Proxy-Authorization: Basic b3RoZXI6eA==\r\n\r\nearly \x00\xff"
            answer = await exchange(port, request, eof=True)
            assert answer == ESTABLISHED + b"EARLY \x00\xff[end]"
            assert gateway.heads == [CONNECT[:-2] + b"Proxy-Authorization: Bearer " + FIRST.encode() + b"\r\n\r\n"]

    asyncio.run(run())


def test_plain_http_carries_the_token_and_its_body(token: Path) -> None:
    bodies: list[bytes] = []

    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        bodies.append(await reader.readexactly(5))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async def run() -> None:
        async with Gateway(talk).running() as gateway, relaying(token, gateway.address) as port:
            request = b"POST http://a.example/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello"
            assert (await exchange(port, request)).endswith(b"\r\n\r\nok")
            assert bodies == [b"hello"]
            assert b"Proxy-Authorization: Bearer " + FIRST.encode() in gateway.heads[0]
            assert b"Connection: close" in gateway.heads[0]

    asyncio.run(run())


def test_the_next_tunnel_carries_the_next_token(token: Path) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            await exchange(port, CONNECT, eof=True)
            replace(token, SECOND)
            await exchange(port, CONNECT, eof=True)
            assert FIRST.encode() in gateway.heads[0]
            assert SECOND.encode() in gateway.heads[1]
            assert FIRST.encode() not in gateway.heads[1]

    asyncio.run(run())


def test_tokens_rotate_under_load_and_no_call_fails(token: Path) -> None:
    async def rotate() -> None:
        for number in range(40):
            replace(token, (FIRST, SECOND)[number % 2])
            await asyncio.sleep(0.005)

    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            rotation = asyncio.create_task(rotate())
            said = [b"call %d " % number * 2000 for number in range(60)]
            answers = await asyncio.gather(*(exchange(port, CONNECT + text, eof=True) for text in said))
            await rotation
            assert answers == [ESTABLISHED + text.upper() + b"[end]" for text in said]
            assert all(FIRST.encode() in head or SECOND.encode() in head for head in gateway.heads)

    asyncio.run(run())


def test_concurrent_tunnels_do_not_mix(token: Path) -> None:
    async def one(port: int, mark: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CONNECT)
        assert await reader.readexactly(len(ESTABLISHED)) == ESTABLISHED
        for _ in range(20):
            writer.write(mark * 3000)
            assert await reader.readexactly(3000) == mark.upper() * 3000
        writer.close()

    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            await asyncio.gather(*(one(port, bytes([97 + number])) for number in range(20)))

    asyncio.run(run())


def test_a_client_that_has_said_all_still_gets_its_answer(token: Path) -> None:
    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(ESTABLISHED)
        said = await reader.read()
        await asyncio.sleep(0.1)
        writer.write(b"all of " + said)
        await writer.drain()

    async def run() -> None:
        async with Gateway(talk).running() as gateway, relaying(token, gateway.address) as port:
            assert (await exchange(port, CONNECT + b"it", eof=True)).endswith(b"all of it")

    asyncio.run(run())


def test_a_gateway_that_has_said_all_ends_the_connection_though_the_client_does_not(token: Path) -> None:
    async def run() -> None:
        talk = answering(ESTABLISHED + b"bye")
        async with Gateway(talk).running() as gateway, relaying(token, gateway.address, 0.2) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(CONNECT)
            assert await reader.read() == ESTABLISHED + b"bye"
            with pytest.raises(ConnectionError):
                await drip(writer)

    asyncio.run(run())


@pytest.mark.parametrize("leave", [StreamWriter.close, reset])
def test_a_client_that_goes_away_is_gone_for_the_gateway_too(
    token: Path, leave: Callable[[StreamWriter], None]
) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(CONNECT)
            await reader.readexactly(len(ESTABLISHED))
            leave(writer)
            async with asyncio.timeout(5):
                await gateway.ended.wait()

    asyncio.run(run())


REFUSAL = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 10\r\n"


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (REFUSAL + b"\r\nno identity", REFUSAL + b"Connection: close\r\n\r\nno identit"),
        (
            b"HTTP/1.1 403 No\r\nConnection: close\r\n\r\nup to the end",
            b"HTTP/1.1 403 No\r\nConnection: close\r\n\r\nup to the end",
        ),
        (
            b"HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 502 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            b"HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\ncut",
            b"HTTP/1.1 403 No\r\nContent-Length: 99\r\nConnection: close\r\n\r\ncut",
        ),
    ],
)
def test_the_gateways_own_answers_pass_and_end_the_connection(token: Path, answer: bytes, seen: bytes) -> None:
    async def run() -> None:
        async with Gateway(answering(answer)).running() as gateway, relaying(token, gateway.address) as port:
            assert await exchange(port, CONNECT) == seen

    asyncio.run(run())


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET https://a.example/ HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        CONNECT[:-2] + b"Proxy-Authorization : Bearer x\r\n\r\n",
    ],
)
def test_any_other_request_is_400_and_reaches_nobody(token: Path, request_head: bytes) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            answer = await exchange(port, request_head, eof=True)
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert gateway.heads == []

    asyncio.run(run())


def test_a_head_that_is_cut_is_400_and_no_head_is_nothing(token: Path) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            assert b"400" in await exchange(port, CONNECT[:-3], eof=True)
            assert await exchange(port, b"", eof=True) == b""
            assert gateway.heads == []

    asyncio.run(run())


def test_a_client_that_is_reset_before_its_head_ends_leaves_the_relay_working(token: Path) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(CONNECT[:9])
            await writer.drain()
            await asyncio.sleep(0.1)
            reset(writer)
            assert await exchange(port, CONNECT, eof=True) == ESTABLISHED + b"[end]"
            assert len(gateway.heads) == 1

    asyncio.run(run())


@pytest.mark.parametrize("size", [32 * 1024, 10_000_000])
def test_a_head_over_32_kib_is_431(token: Path, size: int) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            answer = await exchange(port, CONNECT[:-2] + b"X: " + b"x" * size + b"\r\n\r\n", eof=True)
            assert answer.startswith(b"HTTP/1.1 431 ")
            assert gateway.heads == []

    asyncio.run(run())


def test_a_head_that_drips_is_408(token: Path) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address, 0.3) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answer = asyncio.create_task(reader.read())
            for byte in CONNECT:
                if answer.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.sleep(0.05)
            assert (await answer).startswith(b"HTTP/1.1 408 ")
            assert gateway.heads == []
            writer.close()

    asyncio.run(run())


def test_a_gateway_that_is_down_is_502_and_says_what_to_do(token: Path) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets this port
        taken.bind(("127.0.0.1", 0))
        address = taken.getsockname()

        async def run() -> bytes:
            async with relaying(token, address) as port:
                return await exchange(port, CONNECT)

        answer = asyncio.run(run())
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"gatekeeper run" in answer
    assert FIRST.encode() not in answer


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000]
)
def test_a_gateway_that_gives_no_answer_is_502(token: Path, answer: bytes) -> None:
    async def run() -> None:
        async with Gateway(answering(answer)).running() as gateway, relaying(token, gateway.address) as port:
            assert (await exchange(port, CONNECT)).startswith(b"HTTP/1.1 502 ")

    asyncio.run(run())


def test_a_gateway_that_keeps_silent_is_502(token: Path) -> None:
    async def silent(reader: StreamReader, _: StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        async with Gateway(silent).running() as gateway, relaying(token, gateway.address, 0.2) as port:
            assert (await exchange(port, CONNECT)).startswith(b"HTTP/1.1 502 ")

    asyncio.run(run())


def test_without_a_token_nothing_is_sent(token: Path) -> None:
    token.unlink()

    async def run() -> None:
        async with Gateway().running() as gateway, relaying(token, gateway.address) as port:
            answer = await exchange(port, CONNECT)
            assert answer.startswith(b"HTTP/1.1 502 ")
            assert str(token).encode() in answer
            assert gateway.heads == []

    asyncio.run(run())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "localhost", ""])  # noqa: S104
def test_listens_on_loopback_only(token: Path, host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        asyncio.run(Relay(FileToken(token), ("127.0.0.1", 1)).start(host))


def test_a_port_that_is_taken_is_an_error(token: Path) -> None:
    async def run() -> None:
        async with relaying(token, ("127.0.0.1", 1)) as port:
            with pytest.raises(OSError, match="in use"):
                await Relay(FileToken(token), ("127.0.0.1", 1)).start("127.0.0.1", port)

    asyncio.run(run())


def test_stop_ends_open_tunnels_and_frees_the_port(token: Path) -> None:
    async def run() -> None:
        async with Gateway().running() as gateway:
            relay = Relay(FileToken(token), gateway.address)
            port = await relay.start()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(CONNECT)
            await reader.readexactly(len(ESTABLISHED))
            idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.timeout(5):
                await relay.stop()
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                with contextlib.suppress(ConnectionError):
                    assert await idle_reader.read() == b""
                await gateway.ended.wait()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await relay.stop()
            writer.close()
            idle_writer.close()

    asyncio.run(run())


def test_a_client_that_does_not_read_does_not_hold_up_the_end(token: Path) -> None:
    async def flood(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(ESTABLISHED)
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async def run() -> None:
        async with Gateway(flood).running() as gateway:
            relay = Relay(FileToken(token), gateway.address)
            port = await relay.start()
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(CONNECT)
            await asyncio.sleep(0.2)
            async with asyncio.timeout(5):
                await relay.stop()
            writer.transport.abort()

    asyncio.run(run())
