"""The handler of one client and of the upstreams it reaches: mitmproxy's, with a shorter way for what happens.

The layers, commands and hooks are mitmproxy's own. What differs is how they are driven (decision 0020):

* Bytes go from the transport to the layers at once, not by way of a stream, a future and a task.
* What happens while the layers are at work waits in a queue, not for a lock, so that a hook which has nothing to wait
  for costs no turn of the event loop.
* Who listens to a hook is looked up once, and nobody is told of `update`, which is for user interfaces.
* What one event makes the layers send on a connection is written at once.
* Once a tunnel stands, what happens goes straight to the layers in it: the HTTP layers around it only passed it on.

Written for mitmproxy 12.2 and 12.3; a test pins the versions.
"""

import asyncio
import dataclasses
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, override
from weakref import WeakKeyDictionary

from mitmproxy.addonmanager import traverse
from mitmproxy.connection import Client, Connection, ConnectionState
from mitmproxy.hooks import all_hooks
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy import commands, events, layer, mode_servers, server
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.proxy.layers.tls import ClientTLSLayer

from addons.guard import abort
from gatekeeper.gateway.replace import replace

logger = logging.getLogger(__name__)

type Listener = Callable[[object], Awaitable[None] | None]

READ_LIMIT: Final = 1 << 20
"""Bytes; more than a stream reader ever holds, so that one read empties it."""

_ARRIVING: Final = memoryview(bytearray(1 << 18))
"""Where every transport of the loop reads into, one after the other: what it got is copied before the next read."""


class GatewayConnection(mode_servers.ProxyConnectionHandler):
    """One client's connection. `feed` takes what happens to it and its upstreams, in order."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)  # type: ignore[no-untyped-call]
        self._waiting: deque[events.Event] = deque()
        self._at_work = False
        self._outgoing: dict[Connection, list[bytes]] = {}
        self._listeners: dict[str, tuple[Listener, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._congested: set[Connection] = set()
        self._unanswered = 0
        self._busy = Busy(self.timeout_watchdog)
        self._tunnel: layer.Layer | None = None
        _handlers[self.client] = self

    @property
    def direct(self) -> bool:
        """Whether what happens goes straight to the layers in the tunnel: none around it has to see a hook pass."""
        return self.layer is self._tunnel

    def run_hook(self, hook: commands.StartHook) -> bool:
        """Begin a hook of a layer; True where it is over already. Else the layers get its completion later."""
        waits = False

        async def run() -> None:
            await self.handle_hook(hook)
            if waits:
                self.feed(events.HookCompleted(hook))

        task = self._begin(run())
        if task.done():
            task.result()
            return True
        waits = True
        self._unanswered += 1
        return False

    def feed(self, event: events.Event) -> None:
        """Hand an event to the layers, after those that came before it. What fails in a layer ends the connection."""
        self._waiting.append(event)
        if self._at_work:
            return
        self._at_work = True
        try:
            while self._waiting:
                self._handle(self._waiting.popleft())
        except Exception as error:  # noqa: BLE001 - mitmproxy would log it and let its client wait for ever
            # Neither its text nor its traceback: they may hold what was carried.
            logger.error("a layer failed: %s", type(error).__name__)  # noqa: TRY400
            self._waiting.clear()
            abort(self.client)
        finally:
            self._at_work = False

    @override
    async def server_event(self, event: events.Event) -> None:
        self.feed(event)

    @override
    async def handle_connection(self, connection: Connection) -> None:
        """Take what comes over a connection until it ends, or is ended by a cancellation."""
        cancelled: asyncio.CancelledError | None = None
        try:
            await self._take_all(connection)
            connection.state &= ~ConnectionState.CAN_READ  # it may be half-closed only
        except asyncio.CancelledError as error:
            cancelled, connection.state = error, ConnectionState.CLOSED
        self.feed(events.ConnectionClosed(connection))
        if connection.state is ConnectionState.CAN_WRITE:
            try:
                await asyncio.Event().wait()  # until a layer closes the other half, which is a cancellation
            except asyncio.CancelledError as error:
                cancelled = error
        self._stream(connection)[1].close()
        del self.transports[connection]
        self.flowing(connection)
        if cancelled is not None:
            raise cancelled

    async def _take_all(self, connection: Connection) -> None:
        """Read what the stream has taken in so far, then put the stream out of the way."""
        reader, writer = self._stream(connection)
        try:
            first = await reader.read(READ_LIMIT)
        except OSError:
            return
        arrivals = Arrivals(self, connection)
        writer.transport.set_protocol(arrivals)
        if first:
            self.feed(events.DataReceived(connection, first))
            if not reader.at_eof() and not writer.is_closing():
                await arrivals.ended

    @override
    async def handle_hook(self, hook: commands.StartHook) -> None:
        data = getattr(hook, _subject(hook.name))
        with self._busy:
            for listener in self._listening(hook.name):
                try:
                    if (result := listener(data)) is not None:
                        await result
                except Exception as error:  # noqa: BLE001 - mitmproxy would log it and let the flow pass
                    logger.error("fault in a %s hook: %s", hook.name, type(error).__name__)  # noqa: TRY400
                    abort(self.client)
            if type(data) is HTTPFlow and data.intercepted:
                await data.wait_for_resume()
        if self._tunnel is None and isinstance(data, layer.NextLayer) and _in_tunnel(data):
            self._tunnel = data.layer

    def congested(self, connection: Connection) -> None:
        """Stop reading, from whomever, while the far side of `connection` does not take what is sent to it."""
        self._congested.add(connection)
        for transport in self._readable():
            transport.pause_reading()

    def flowing(self, connection: Connection) -> None:
        """Read again once nothing is congested."""
        self._congested.discard(connection)
        if not self._congested:
            for transport in self._readable():
                transport.resume_reading()

    def _readable(self) -> list[asyncio.ReadTransport]:
        transports = (getattr(io.writer, "transport", None) for io in self.transports.values())
        return [one for one in transports if isinstance(one, asyncio.ReadTransport) and not one.is_closing()]

    def _stream(self, connection: Connection) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        io = self.transports[connection]
        if not isinstance(io.reader, asyncio.StreamReader) or not isinstance(io.writer, asyncio.StreamWriter):
            msg = "a connection that is no TCP connection"
            raise TypeError(msg)
        return io.reader, io.writer

    def _handle(self, event: events.Event) -> None:
        self.timeout_watchdog.register_activity()
        if isinstance(event, events.CommandCompleted):
            self._unanswered -= 1
        for command in self.layer.handle_event(event):
            if isinstance(command, commands.SendData):
                self._outgoing.setdefault(command.connection, []).append(command.data)
            else:
                self._flush()
                self._do(command)
        self._flush()
        if self._tunnel is not None and not self._unanswered:
            self.layer = self._tunnel  # no layer around it waits for an answer, so none keeps anything back

    def _flush(self) -> None:
        for connection, data in self._outgoing.items():
            io = self.transports.get(connection)
            if io is not None and io.writer is not None and not io.writer.is_closing():
                io.writer.write(b"".join(data))
        self._outgoing.clear()

    def _do(self, command: commands.Command) -> None:
        match command:
            case commands.StartHook():
                self._unanswered += bool(command.blocking)
                self._begin(self.hook_task(command))
            case commands.OpenConnection():
                self._unanswered += 1
                opening = self._begin(self.open_connection(command))
                self.transports[command.connection] = server.ConnectionIO(handler=opening)
            case commands.RequestWakeup():
                self._unanswered += 1
                self.wakeup_timer.add(self._begin(self.wakeup(command)))
            case commands.CloseConnection():
                if command.connection in self.transports:
                    half = isinstance(command, commands.CloseTcpConnection) and command.half_close
                    self.close_connection(command.connection, half)
            case commands.Log():
                self.log(command.message, command.level)
            case _:
                msg = f"a command that is not known: {type(command).__name__}"
                raise TypeError(msg)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
        if not task.done():
            self._tasks.add(task)  # the loop itself keeps weak references only
            task.add_done_callback(self._tasks.discard)
        return task

    def _listening(self, name: str) -> tuple[Listener, ...]:
        listeners = self._listeners.get(name)
        if listeners is None:
            found = (getattr(addon, name, None) for addon in traverse(self.master.addons.chain))
            listeners = self._listeners[name] = tuple(listener for listener in found if callable(listener))
        return listeners


_handlers: WeakKeyDictionary[Client, GatewayConnection] = WeakKeyDictionary()


def direct_handler(client: Client) -> GatewayConnection | None:
    """Give the handler of a client whose layers may run hooks themselves, or None: then they are passed out."""
    handler = _handlers.get(client)
    return handler if handler is not None and handler.direct else None


class Busy:
    """Keeps a connection from being taken for idle while a hook is at work: the watchdog's `disarm`, made once."""

    def __init__(self, watchdog: server.TimeoutWatchdog) -> None:
        self._watchdog = watchdog

    def __enter__(self) -> None:
        self._watchdog.can_timeout.clear()
        self._watchdog.blocker += 1

    def __exit__(self, *error: object) -> None:
        self._watchdog.blocker -= 1
        if not self._watchdog.blocker:
            self._watchdog.register_activity()
            self._watchdog.can_timeout.set()


class Arrivals(asyncio.BufferedProtocol):
    """What a transport tells: bytes, their end, and that it can't get rid of what it should send.

    Buffered, since a plain protocol's transport makes 256 KiB of bytes for each read and gives most of them back.
    """

    def __init__(self, handler: GatewayConnection, connection: Connection) -> None:
        self._handler, self._connection = handler, connection
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @override
    def get_buffer(self, sizehint: int) -> memoryview:
        return _ARRIVING

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self._handler.feed(events.DataReceived(self._connection, bytes(_ARRIVING[:nbytes])))

    @override
    def eof_received(self) -> bool:
        self._end()
        return True  # the other half stays open

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    @override
    def pause_writing(self) -> None:
        self._handler.congested(self._connection)

    @override
    def resume_writing(self) -> None:
        self._handler.flowing(self._connection)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


@functools.cache
def _subject(hook: str) -> str:
    """Name the one field of a hook: what it is about."""
    (field,) = dataclasses.fields(all_hooks[hook])  # type: ignore[arg-type]
    return field.name


def _in_tunnel(asked: layer.NextLayer) -> bool:
    """Whether a tunnel stands right on the connection: TLS around it (`HTTPS_PROXY=https://…`) is not passed by."""
    around = asked.context.layers
    wrapped = len(around) > 1 and isinstance(around[1], ClientTLSLayer)
    return asked.layer is not None and not wrapped and any(isinstance(one, HttpStream) for one in around)


def install() -> None:
    """Have mitmproxy's servers use this handler; raises RuntimeError where they have no such name."""
    replace(mode_servers, ProxyConnectionHandler=GatewayConnection)
