"""Who is at the other end of the admin socket: the kernel says it (unix(7), SO_PEERCRED), the caller can't."""

import asyncio
import os
import pwd
import socket as sockets
import struct
from typing import Final, cast, override

from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""


class PeerProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1, with the Unix user of the peer as its client: name and uid."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = cast("sockets.socket", transport.get_extra_info("socket"))
        raw = connection.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, CREDENTIALS.size)
        _pid, uid, _gid = CREDENTIALS.unpack(raw)
        self.client = user_name(uid), uid


def user_name(uid: int) -> str:
    """Give a user's name, or the number where it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def peer_name(request: Request) -> str:
    """Say who asks."""
    return request.client.host if request.client is not None else ""


def is_owner(request: Request) -> bool:
    """Whether the gateway's own user asks, or root: reviewers may use the socket and change nothing of the record."""
    return request.client is not None and request.client.port in {0, os.geteuid()}
