"""Resolves a name once, checks every answer, and gives the addresses to connect to."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any, Final, Protocol

import msgspec

from gatekeeper.egress.addresses import check_address
from gatekeeper.exchange import Reason

TIME_LIMIT: Final = 5.0  # seconds


class Unresolvable(ValueError):
    """The name has no address that DNS would tell in time."""

    reason: Final = Reason.UNRESOLVABLE


class Pin(msgspec.Struct, frozen=True):
    """A checked address that the connection is made to; `family` is the socket's."""

    ip: str
    family: socket.AddressFamily


PINNED: Final[ContextVar[tuple[Pin, ...] | None]] = ContextVar("PINNED", default=None)
"""The addresses that the connecting task, and it alone, connects to; the gateway's event loop looks here."""


class GetAddrInfo(Protocol):
    """The event loop's own `getaddrinfo`, or what stands for it in a test."""

    def __call__(
        self,
        host: str,
        port: int,
        *,
        type: int,  # noqa: A002 - the standard library's name for it
    ) -> Awaitable[list[Any]]:  # what socket.getaddrinfo gives; typeshed has several shapes for it
        """Look a name up."""
        ...


async def resolve(
    host: str,
    port: int,
    private_networks: tuple[str, ...],
    getaddrinfo: GetAddrInfo,
    time_limit: float = TIME_LIMIT,
) -> tuple[Pin, ...]:
    """Give the addresses of a normalised host, in the resolver's order; an address needs no lookup.

    One bad answer refuses all: raises AddressRefused, or Unresolvable where there is no answer.
    """
    found = [literal] if (literal := _literal(host)) else await _look_up(host, port, getaddrinfo, time_limit)
    for ip in found:
        check_address(ip, private_networks)
    return tuple(Pin(ip, socket.AF_INET6 if ":" in ip else socket.AF_INET) for ip in dict.fromkeys(found))


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


async def _look_up(host: str, port: int, getaddrinfo: GetAddrInfo, time_limit: float) -> list[str]:
    try:
        async with asyncio.timeout(time_limit):
            answers = await getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        msg = f"{host}: the name was not resolved within {time_limit:g}s; try again"
        raise Unresolvable(msg) from error
    except OSError as error:
        msg = f"{host}: the name can't be resolved; check its spelling and the gateway's DNS"
        raise Unresolvable(msg) from error
    if not answers:
        msg = f"{host}: the name has no address"
        raise Unresolvable(msg)
    return [str(address[0]) for *_, address in answers]
