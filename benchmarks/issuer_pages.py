"""What an issuer answers when it is asked for its keys: well, and in the ways in which one misbehaves."""

import asyncio
from collections.abc import Awaitable, Callable

from tokens import key_set

type Page = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def _answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def well(writer: asyncio.StreamWriter) -> None:
    """Give the keys."""
    await _answer(writer, key_set())


async def large(writer: asyncio.StreamWriter) -> None:
    """Give as many keys as may be."""
    await _answer(writer, key_set(97))


async def others(writer: asyncio.StreamWriter) -> None:
    """Give keys of other names than before."""
    await _answer(writer, key_set().replace(b'"kid": "', b'"kid": "new-'))


async def drips(writer: asyncio.StreamWriter) -> None:
    """Give a byte every millisecond."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.001)


async def is_silent(_: asyncio.StreamWriter) -> None:
    """Give nothing for a minute."""
    await asyncio.sleep(60)


async def never_ends(writer: asyncio.StreamWriter) -> None:
    """Give as much as is taken."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" " * 65536)
        await writer.drain()
        await asyncio.sleep(0)  # drain alone lets nobody else run, not even what notes the connection's end


async def is_down(writer: asyncio.StreamWriter) -> None:
    """Break off."""
    writer.transport.abort()
