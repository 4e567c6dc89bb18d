"""The admin socket: an HTTP API over a Unix socket for approvals and health. Who may open the socket may ask."""

import asyncio
import contextlib
import errno
import os
import shutil
import socket as sockets
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, override

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekeeper.approvals import Desk
from gatekeeper.gateway.answers import answer, http_error
from gatekeeper.gateway.approvals_api import approval_routes
from gatekeeper.gateway.health import Health, view_of
from gatekeeper.gateway.peer import PeerProtocol

FOLDER_MODE: Final = 0o750
SOCKET_UMASK: Final = 0o117
"""Makes the socket 0660 from the moment it exists."""

LONGEST_STOP: Final = 3
"""Seconds that open requests get when the socket closes."""


def create_admin(
    desk: Desk, health: Callable[[], Health], sensitive: Callable[[str], bool], more: Sequence[Route] = ()
) -> Starlette:
    """Build the API. `sensitive` says whether detectors find something in a reason, which is never recorded then."""
    app = Starlette(
        routes=[Route("/healthz", _Healthz(desk, health).healthz), *approval_routes(desk, sensitive), *more],
        exception_handlers={HTTPException: http_error},
    )
    app.router.redirect_slashes = False  # an address is right or wrong
    return app


async def serve_admin(app: Starlette, socket: Path, group: str | None = None) -> "AdminServer":
    """Serve on a Unix socket, 0660 and `group`'s; returns once it answers. Raises OSError with a text for people."""
    listening, inode = _bind(socket, group)
    return await AdminServer.start(app, socket, listening, inode)


class AdminServer:
    """A running admin socket."""

    def __init__(self, server: "QuietServer", task: asyncio.Task[None], socket: Path, inode: int) -> None:
        self._server = server
        self._task = task
        self._socket = socket
        self._inode = inode

    @classmethod
    async def start(cls, app: Starlette, socket: Path, listening: sockets.socket, inode: int) -> "AdminServer":
        """Begin to answer on a bound socket."""
        config = uvicorn.Config(
            app,
            lifespan="off",
            http=PeerProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LONGEST_STOP,
        )
        server = QuietServer(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        await server.ready.wait()
        return cls(server, task, socket, inode)

    async def stop(self) -> None:
        """Stop answering, and remove the socket unless another process has put its own there."""
        self._server.should_exit = True
        await self._task
        with contextlib.suppress(FileNotFoundError):
            if self._socket.stat().st_ino == self._inode:
                self._socket.unlink()


class QuietServer(uvicorn.Server):
    """Uvicorn without signals, and with a word when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @override
    async def startup(self, sockets: list[sockets.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the gateway's


class _Healthz:
    def __init__(self, desk: Desk, health: Callable[[], Health]) -> None:
        self._desk = desk
        self._health = health

    async def healthz(self, _request: Request) -> Response:
        health = self._health()
        return answer(view_of(health, self._desk.held), 200 if health.well else 503)


def _bind(path: Path, group: str | None) -> tuple[sockets.socket, int]:
    _make_folder(path.parent, group)
    _remove_stale(path)
    listening = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    before = os.umask(SOCKET_UMASK)
    try:
        listening.bind(str(path))
        if group is not None:
            _give_to(path, group)
    except BaseException as error:
        listening.close()
        if isinstance(error, OSError) and "AF_UNIX path too long" in str(error):
            msg = f"admin.listen: {path}: is too long for a socket; set a shorter path"
            raise OSError(errno.ENAMETOOLONG, msg) from error
        raise
    finally:
        os.umask(before)
    return listening, path.stat().st_ino


def _make_folder(folder: Path, group: str | None) -> None:
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if group is not None and folder.stat().st_uid == os.geteuid():
        _give_to(folder, group)


def _give_to(path: Path, group: str) -> None:
    try:
        shutil.chown(path, group=group)
    except (LookupError, PermissionError) as error:
        msg = f"{path}: can't be given to group {group!r}: it must exist, and the gateway must be a member"
        raise PermissionError(errno.EPERM, msg) from error


def _remove_stale(path: Path) -> None:
    """Remove a socket that a killed gateway left behind; never one that is answered, nor anything else."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        msg = f"admin.listen: {path}: is there and no socket; move it away or set another path"
        raise FileExistsError(errno.EEXIST, msg)
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    msg = f"admin.listen: {path}: another gateway answers there; stop it first or set another path"
    raise OSError(errno.EADDRINUSE, msg)
