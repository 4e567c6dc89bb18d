"""Serves: a Master of our own around the chain, the admin socket, and an end in order."""

import asyncio
import errno
import logging
import signal
from collections.abc import Callable, Sequence
from typing import Final

from mitmproxy import options
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client
from mitmproxy.master import Master
from mitmproxy.proxy import context
from mitmproxy.utils import asyncio_utils
from starlette.routing import Route

from addons.chain import Chain, build_chain
from addons.guard import abort, submit_refusal
from addons.options import proxy_options
from addons.parts import Parts
from addons.state import tunnel_of
from gatekeeper.config import Config
from gatekeeper.config.check import listen_address
from gatekeeper.exchange import Reason
from gatekeeper.gateway import connection, streams, tls
from gatekeeper.gateway.admin import create_admin, serve_admin
from gatekeeper.gateway.anchors import LAST_DELIVERY, connect, open_sinks
from gatekeeper.gateway.authority import load_authority, upstream_roots
from gatekeeper.gateway.fresh_keys import keep_fresh
from gatekeeper.gateway.health import Health
from gatekeeper.gateway.journal_api import JournalApi
from gatekeeper.gateway.limits import Limits
from gatekeeper.gateway.listener import GatewayTls, InspectedLayers
from gatekeeper.gateway.lock_api import LockApi
from gatekeeper.gateway.locksmith import Locksmith
from gatekeeper.gateway.metrics import Metrics
from gatekeeper.gateway.protocols import answering, install
from gatekeeper.gateway.reload import Force, Reload
from gatekeeper.gateway.sweep import PERIOD, sweep
from gatekeeper.gateway.token_api import TokenApi
from gatekeeper.gateway.token_listener import TokenListener, server_context, token_app
from gatekeeper.journal.anchoring import Anchoring
from gatekeeper.masking import mask_text

logger = logging.getLogger(__name__)

GRACE: Final = 10.0
"""Seconds that running exchanges get to finish once the gateway is told to stop."""


class CannotServe(RuntimeError):
    """The gateway can't start. The text is one line: what, where, what to do."""


class Gateway:
    """One process: listener, chain, admin socket. `run` returns once all is closed."""

    def __init__(self, parts: Parts, load: Callable[[], Config] | None = None) -> None:
        self.chain = Chain(build_chain(parts))
        self.reload = Reload(parts, self.chain, load or (lambda: parts.config))
        self.master = self._assemble()
        self.stopping = asyncio.Event()
        self.listening = False
        self._reloads: set[asyncio.Task[Force]] = set()
        self.anchoring = Anchoring(open_sinks(parts.config))

    @property
    def parts(self) -> Parts:
        """What is in force; a reload puts other parts in their place."""
        return self.reload.parts

    async def run(
        self, ready: Callable[[str, int], None], signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
    ) -> None:
        """Serve until `stopping` is set or one of `signals` comes; `ready` gets the address that is bound.

        Raises CannotServe; JournalDown where the journal could not be closed in order.
        """
        loop = asyncio.get_running_loop()
        for number in signals:
            loop.add_signal_handler(number, self.stopping.set)
        if signals:
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        limits = self._limits()
        install(limits, self._report)
        connection.install()
        tls.install()
        streams.install(int(self.parts.config.proxy.body_limit))
        with asyncio_utils.set_eager_task_factory():
            config = self.parts.config
            journal = JournalApi(self.parts.journal, config.journal.folder, self.anchoring, self._masked).routes()
            tokens = TokenApi(lambda: self.reload.parts).routes()
            locks = LockApi(Locksmith(self.parts, self._clients), self._sensitive).routes()
            metrics = Metrics(self.parts.journal.tally, self._health, lambda: self.parts.desk.held).route()
            routes = [*journal, *tokens, *locks, metrics]
            app = create_admin(self.parts.desk, self._health, self._sensitive, routes)
            admin = await serve_admin(app, config.admin_socket, config.admin.group or None)
            self.anchoring.start()
            connect(self.parts.journal, self.anchoring)
            listener: TokenListener | None = None
            try:
                listener = await self._serve_tokens(tokens)
                host, port = await self._listen()
                self.listening = True
                await self.master.running()
                await self.parts.verifier.warm()
                sweeping = loop.create_task(sweep(self._clients, limits, self._cut, self._cut_upstream))
                refreshing = loop.create_task(keep_fresh(lambda: self.reload.parts))
                ready(host, port)
                await self.stopping.wait()
                sweeping.cancel()
                refreshing.cancel()
            finally:
                self.listening = False
                await self._stop()
                await admin.stop()
                if listener is not None:
                    await listener.stop()

    async def _serve_tokens(self, routes: list[Route]) -> TokenListener | None:
        """Open `admin.token_listen`, where there is one; raises CannotServe."""
        config = self.parts.config
        if not config.admin.token_listen:
            return None
        context = server_context(*load_authority(config), config.admin.token_names, config.keys)
        app = token_app(routes, lambda: self.parts.journal.failed is None)
        try:
            address = listen_address(config.admin.token_listen)
            return await TokenListener.start(app, address, context, config.proxy.header_timeout)
        except OSError as error:
            why = _LISTEN_PROBLEMS.get(error.errno or 0, "can't be listened on")
            msg = f"admin.token_listen: {config.admin.token_listen}: {why}"
            raise CannotServe(msg) from error

    def _hang_up(self) -> None:
        task = asyncio.get_running_loop().create_task(self.reload("SIGHUP"))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    def _assemble(self) -> Master:
        config = self.parts.config
        host, port = listen_address(config.proxy.listen)
        master = Master(options.Options())
        key, certificate = load_authority(config)
        self.proxyserver = Proxyserver()
        master.addons.add(
            self.proxyserver,
            InspectedLayers(),
            GatewayTls(key, certificate, config.proxy.client_certificates, config.proxy.client_ca),
            self.chain,
        )
        master.options.update(
            listen_host=host,
            listen_port=port,
            ssl_verify_upstream_trusted_ca=str(upstream_roots(config)),
            tcp_timeout=int(config.proxy.idle_timeout + 5 * PERIOD),  # the sweep comes first, and answers
            **proxy_options(config),
        )
        return master

    async def _listen(self) -> tuple[str, int]:
        listen = self.parts.config.proxy.listen
        if not await self.proxyserver.setup_servers():
            causes = [server.last_exception for server in self.proxyserver.servers if server.last_exception]
            cause = causes[0] if causes else None
            why = _LISTEN_PROBLEMS.get(getattr(cause, "errno", None) or 0, "can't be listened on")
            msg = f"proxy.listen: {listen}: {why}"
            raise CannotServe(msg)
        host, port, *_ = self.proxyserver.listen_addrs()[0]
        return host, port

    async def _stop(self) -> None:
        """Stop listening, answer what is held, let running exchanges finish, cut the rest, close the journal."""
        await self.proxyserver.servers.update([])
        await self.parts.desk.close()
        await self._until(lambda: not self._open_exchanges() and not answering(self._clients()), GRACE)
        for handler in [*self.proxyserver.connections.values()]:
            for passage in tunnel_of(handler.client).open.values():
                passage.exchange.error = passage.exchange.error or Reason.SHUTTING_DOWN
            abort(handler.client)
        await self._until(lambda: not self.proxyserver.connections, GRACE)
        await self.master.done()
        try:
            await self.parts.close()
        finally:
            await asyncio.sleep(0)  # what was anchored last may come from the writer's thread
            await self.anchoring.close(LAST_DELIVERY)

    async def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        """Wait for mitmproxy's connections, which tell nobody when they end."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not reached() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.01)

    def _open_exchanges(self) -> int:
        return sum(len(tunnel_of(handler.client).open) for handler in self.proxyserver.connections.values())

    def _limits(self) -> Limits:
        proxy = self.parts.config.proxy
        return Limits(
            header_bytes=proxy.header_limit,
            seconds=proxy.header_timeout,
            idle=proxy.idle_timeout,
            message_bytes=proxy.body_limit,
        )

    def _report(self, ctx: context.Context, reason: Reason) -> None:
        submit_refusal(self.parts, ctx.client, reason)

    def _clients(self) -> list[Client]:
        return [handler.client for handler in self.proxyserver.connections.values()]

    def _cut(self, client: Client) -> None:
        submit_refusal(self.parts, client, Reason.TOO_SLOW)
        abort(client)

    def _cut_upstream(self, ctx: context.Context) -> None:
        tunnel_of(ctx.client).upstream_failure = Reason.UPSTREAM_TIMEOUT
        abort(ctx.client, ctx.server)

    def _sensitive(self, text: str) -> bool:
        return self._masked(text) != text

    def _masked(self, text: str) -> str:
        return mask_text(self.parts.masker, text)

    def _health(self) -> Health:
        force = self.reload.force
        return Health(
            journal=self.parts.journal.failed,
            listening=self.listening,
            config=force.digest,
            refused=force.refused,
            free=self.parts.disk.free,
            disk_low=self.parts.disk.low,
            wal=self.parts.journal.wal,
            anchors=self.anchoring.states(),
        )


_LISTEN_PROBLEMS = {
    errno.EADDRINUSE: "is taken by another program; choose another port, or stop that program",
    errno.EACCES: "needs more rights; choose a port above 1023",
    errno.EADDRNOTAVAIL: "is no address of this machine",
}
