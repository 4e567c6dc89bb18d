"""A desk behind an admin socket, in a thread of its own, as the command line finds it."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from reviewing import Station, a_hold, held

from gatekeeper.approvals import Desk, Refused, Released
from gatekeeper.gateway.admin import AdminServer, create_admin, serve_admin
from gatekeeper.gateway.health import Health

type Held = asyncio.Task[Released | Refused]


class Served:
    """A desk behind an admin socket, in a thread of its own."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.socket = station.folder / "admin.sock"
        self.begin()

    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.desk, self.admin = self.do(self._begin())

    def do[T](self, step: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(step, self.loop).result(20)

    def hold(self, *number: int, **changes: Any) -> Held:
        return self.do(held(self.desk, a_hold(*number, **changes)))

    def outcome(self, call: Held) -> Released | Refused:
        async def wait() -> Released | Refused:
            return await call

        return self.do(wait())

    def id(self) -> str:
        return self.desk.list()[0].id

    def end(self) -> None:
        self.do(self.desk.close())
        self.do(self.admin.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _begin(self) -> tuple[Desk, AdminServer]:
        desk = await self.station.open()
        app = create_admin(desk, lambda: Health(journal=None, listening=True), lambda _: False)
        return desk, await serve_admin(app, self.socket)
