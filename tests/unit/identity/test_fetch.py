"""The fetcher against real TLS servers, well-behaved and hostile."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from harness import Authority

from gatekeeper.identity.fetch import Document, Fetch, check_address, https_fetch, trusted_roots
from gatekeeper.identity.keys import JWKS_LIMIT

pytestmark = pytest.mark.anyio

type Page = Callable[[asyncio.StreamWriter], Awaitable[None]]


def plain(text: bytes) -> Page:
    async def page(writer: asyncio.StreamWriter) -> None:
        writer.write(text)

    return page


def ok(body: bytes, *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _dust(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0)


async def _silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


PAGES: dict[str, tuple[Page, str]] = {
    "silent": (_silent, "no answer within"),
    "drip": (_drip, "no answer within"),
    "dust": (_dust, "more than 512 pieces"),
    "endless": (_endless, f"longer than {JWKS_LIMIT} bytes"),
    "large": (plain(ok(b"x" * (JWKS_LIMIT + 1))), "longer than"),
    "moved": (plain(b"HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n\r\n"), "status 302"),
    "gone": (plain(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "status 404"),
    "empty": (plain(b"HTTP/1.1 204 No Content\r\n\r\n"), "status 204"),
    "bomb": (plain(ok(b"\x1f\x8b", "Content-Encoding: gzip")), "is encoded"),
    "cut": (plain(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx"), "can't be fetched"),
    "garbage": (plain(b"\x00\xff" * 100), "can't be fetched"),
    "endless-head": (plain(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000), "can't be fetched"),
    "closed": (plain(b""), "can't be fetched"),
}


class Server:
    def __init__(self, port: int, authority: Authority) -> None:
        self.port = port
        self.authority = authority
        self.heads: list[bytes] = []

    def url(self, page: str) -> str:
        return f"https://localhost:{self.port}/{page}"

    @property
    def fetch(self) -> Fetch:
        return https_fetch(lambda: trusted_roots(str(self.authority.certificate)), time_limit=1.0)


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[Server]:
    pages: dict[str, Page] = {name: page for name, (page, _) in PAGES.items()}
    pages["good"] = plain(ok(b'{"keys": []}', "Cache-Control: public, max-age=900, must-revalidate"))
    pages["plain"] = plain(ok(b"{}"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            made.heads.append(head)
            await pages[head.split()[1].decode().removeprefix("/")](writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "localhost", 0, ssl=authority.server_context("localhost"))
    made = Server(listening.sockets[0].getsockname()[1], authority)
    yield made
    listening.close()
    listening.abort_clients()


async def test_gives_what_is_there_and_how_long_it_is_good(server: Server) -> None:
    assert await server.fetch(server.url("good")) == Document(b'{"keys": []}', 900)
    assert (await server.fetch(server.url("plain"))).max_age is None


async def test_asks_for_plain_json_and_says_nothing_of_itself(server: Server) -> None:
    await server.fetch(server.url("good"))
    head = server.heads[0].lower()
    assert b"accept-encoding: identity\r\n" in head
    assert b"cookie" not in head
    assert b"authorization" not in head


@pytest.mark.parametrize("page", PAGES)
async def test_whatever_a_hostile_server_does_there_is_an_end_and_a_reason(server: Server, page: str) -> None:
    with pytest.raises(ValueError, match=PAGES[page][1]) as caught:
        async with asyncio.timeout(10):
            await server.fetch(server.url(page))
    assert "\n" not in str(caught.value)


async def test_a_redirect_is_not_followed(server: Server) -> None:
    with pytest.raises(ValueError, match="302"):
        await server.fetch(server.url("moved"))
    assert len(server.heads) == 1


async def test_a_server_with_a_certificate_of_nobody_we_know_is_not_asked(server: Server) -> None:
    with pytest.raises(ValueError, match="can't be fetched"):
        await https_fetch(lambda: trusted_roots(""), time_limit=1.0)(server.url("good"))
    assert server.heads == []


async def test_nobody_listens(unused_port: int) -> None:
    with pytest.raises(ValueError, match="can't be fetched"):
        await https_fetch(ssl.create_default_context, time_limit=1.0)(f"https://localhost:{unused_port}/")


@pytest.fixture
def unused_port() -> int:
    return 1


async def test_roots_that_can_not_be_read_are_a_reason_and_no_fault(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be fetched"):
        await https_fetch(lambda: trusted_roots(str(tmp_path / "none.pem")))("https://localhost/")


@pytest.mark.parametrize(
    "url",
    [
        "http://one.example/", "file:///etc/passwd", "//one.example", "https://", "https://me@one.example/",
        "https://one.example/#a", "https://one.example:0/", "https://one.example:x/", "https://[::1/", "https://é.example/",
        "https://one.example/a b", "https://one.example/\r\nX: y", "data:application/json,{}", "",
    ],
)  # fmt: skip
def test_refuses_what_is_no_plain_https_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"is no |holds characters"):
        check_address(url)
