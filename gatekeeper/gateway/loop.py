"""An event loop whose upstream connections go to the pinned addresses only.

mitmproxy connects by name, so the name would be resolved a second time, unchecked. `seal` puts the
checked addresses into a context variable that only the connecting task sees; here they are the answer.
"""

import asyncio
import socket
from typing import Any, override

from gatekeeper.egress import PINNED

type AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


class PinnedLoop(asyncio.SelectorEventLoop):
    """The selector loop with `getaddrinfo` answered from the pins, where there are any."""

    @override
    async def getaddrinfo(  # type: ignore[override]
        self,
        host: str | None,
        port: int | str | None,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[AddressInfo]:
        pins = PINNED.get()
        if pins is None:
            return await super().getaddrinfo(host, port, family=family, type=type, proto=proto, flags=flags)  # type: ignore[return-value]
        return [
            (pin.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", _address(pin.ip, pin.family, int(port or 0)))
            for pin in pins
        ]


def _address(ip: str, family: int, port: int) -> tuple[Any, ...]:
    return (ip, port, 0, 0) if family == socket.AF_INET6 else (ip, port)
