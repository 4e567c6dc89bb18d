"""Fail closed: what goes wrong in a hook ends its flow, since mitmproxy would log it and let the flow pass.

Every hook of the chain wears one of these decorators. A hook says no by raising `Refused`; anything
else that it raises is a fault of ours, answered with 500, and no part of its text is logged or sent,
because it may hold what the flow carried.
"""

import asyncio
import functools
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, assert_never

from mitmproxy import ctx
from mitmproxy.connection import Client, Server
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import ClientHelloData, TlsData

from addons.answers import answer_connect, answer_exchange
from addons.parts import Parts
from addons.state import begun_exchange, exchange_of, has_begun, passage_of, tunnel_of
from gatekeeper.exchange import Exchange, Reason, Receipt, Refusal
from gatekeeper.journal import JournalDown, RefusedCall
from gatekeeper.masking import mask_text

logger = logging.getLogger(__name__)

type ExchangeHook = Callable[[Any, HTTPFlow, Exchange], Awaitable[None] | None]
type FlowHook = Callable[[Any, HTTPFlow], Awaitable[None] | None]
type ConnectionData = Client | ServerConnectionHookData | ClientHelloData | TlsData
type Hook[Data] = Callable[[Any, Data], Awaitable[None]]


class HasParts(Protocol):
    """An addon of the chain."""

    parts: Parts


class Refused(Exception):
    """A hook says no: the gateway answers with `refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason.value)
        self.refusal = refusal


def on_connect(hook: FlowHook) -> Hook[HTTPFlow]:
    """Guard `http_connect`: the tunnel is refused with an answer."""

    @functools.wraps(hook)
    async def guarded(self: HasParts, flow: HTTPFlow) -> None:
        if flow.response is not None:
            return
        try:
            if (work := hook(self, flow)) is not None:
                await work
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            await _refuse_connect(self.parts, flow, refusal_for(error, hook), hook)

    return guarded


def on_arrival(hook: FlowHook) -> Hook[HTTPFlow]:
    """Guard the first `requestheaders` hook, which puts the exchange beside its flow."""

    @functools.wraps(hook)
    async def guarded(self: HasParts, flow: HTTPFlow) -> None:
        try:
            if (work := hook(self, flow)) is not None:
                await work
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            refusal = refusal_for(error, hook)
            if has_begun(flow):
                refuse(flow, exchange_of(flow), refusal)
            else:
                await _refuse_connect(self.parts, flow, refusal, hook)

    return guarded


def on_request(hook: ExchangeHook) -> Hook[HTTPFlow]:
    """Guard `requestheaders` and `request`: what is refused gets an answer, and later hooks leave it alone."""
    return _guarded(
        hook,
        unbegun=lambda flow: answer_connect(flow, refusal_for(LookupError(), hook)),
        passed_by=lambda _, exchange: exchange.over,
        failed=refuse,
    )


def on_response_headers(hook: ExchangeHook) -> Hook[HTTPFlow]:
    """Guard `responseheaders`: a failed exchange is marked; its answer is replaced in `response`.

    A response set here would get the upstream's unmasked body.
    """

    def failed(flow: HTTPFlow, exchange: Exchange, refusal: Refusal) -> None:
        exchange.refuse(refusal)
        if flow.response is not None and flow.response.stream:
            flow.response.stream = False

    return _guarded(hook, unbegun=_cut, passed_by=lambda _, exchange: exchange.over, failed=failed)


def on_response(hook: ExchangeHook) -> Hook[HTTPFlow]:
    """Guard `response`: a failed exchange gets an answer of our own, or none where it is already streaming."""

    def passed_by(flow: HTTPFlow, exchange: Exchange) -> bool:
        if exchange.over:
            _replace_answer(flow, exchange)
        return exchange.over

    def failed(flow: HTTPFlow, exchange: Exchange, refusal: Refusal) -> None:
        exchange.refuse(refusal)
        _replace_answer(flow, exchange)

    return _guarded(hook, unbegun=_cut, passed_by=passed_by, failed=failed)


def at_the_end(hook: ExchangeHook) -> Hook[HTTPFlow]:
    """Guard the hooks that record how an exchange ended: they run for every exchange, and failing, cut it off."""

    def passed_by(flow: HTTPFlow, exchange: Exchange) -> bool:
        if exchange.refusal is not None:
            _replace_answer(flow, exchange)
        return False

    def failed(flow: HTTPFlow, exchange: Exchange, refusal: Refusal) -> None:
        exchange.error = exchange.error or refusal.reason
        if flow.response is None or flow.response.stream:
            abort(flow.client_conn)
        else:
            answer_exchange(flow, exchange, refusal)

    return _guarded(hook, unbegun=lambda _: None, passed_by=passed_by, failed=failed)


def _guarded(
    hook: ExchangeHook,
    *,
    unbegun: Callable[[HTTPFlow], None],
    passed_by: Callable[[HTTPFlow, Exchange], bool],
    failed: Callable[[HTTPFlow, Exchange, Refusal], None],
) -> Hook[HTTPFlow]:
    """Run a hook on a flow's exchange, unless it is `passed_by`; `unbegun` is for flows that have none."""

    @functools.wraps(hook)
    async def guarded(self: object, flow: HTTPFlow) -> None:
        exchange = begun_exchange(flow)
        if exchange is None:
            unbegun(flow)
            return
        if passed_by(flow, exchange):
            return
        try:
            if (work := hook(self, flow, exchange)) is not None:
                await work
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            failed(flow, exchange, refusal_for(error, hook))

    return guarded


def on_server(hook: Callable[[Any, ServerConnectionHookData], None]) -> Callable[[Any, ServerConnectionHookData], None]:
    """Guard `server_connect`: the connection is not made."""

    @functools.wraps(hook)
    def guarded(self: object, data: ServerConnectionHookData) -> None:
        try:
            hook(self, data)
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            refusal_for(error, hook)
            data.server.error = "refused"

    return guarded


def on_connection[Data: ConnectionData](hook: Callable[[Any, Data], None]) -> Callable[[Any, Data], None]:
    """Guard a hook that has no flow: the client's connection is cut."""

    @functools.wraps(hook)
    def guarded(self: HasParts, data: Data) -> None:
        try:
            hook(self, data)
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            client = _client_of(data)
            abort(client)
            submit_refusal(self.parts, client, refusal_for(error, hook).reason)

    return guarded


def refuse(flow: HTTPFlow, exchange: Exchange, refusal: Refusal) -> None:
    """Answer instead of the upstream."""
    exchange.refuse(refusal)
    answer_exchange(flow, exchange, exchange.refusal or refusal)
    passage_of(flow).answered_by_us = True


async def record_refusal(parts: Parts, flow: HTTPFlow, reason: Reason) -> None:
    """Record what was refused before it became an exchange; raises JournalDown."""
    written = submit_refusal(parts, flow.client_conn, reason, f"{flow.request.host}:{flow.request.port}")
    if written is not None:
        await written


def submit_refusal(
    parts: Parts, client: Client, reason: Reason, target: str | None = None
) -> asyncio.Future[Receipt] | None:
    """Hand a refusal to the journal; what the client claimed of itself is masked. Raises JournalDown."""
    tunnel = tunnel_of(client)
    if target is None and tunnel.connect is not None:
        target = f"{tunnel.connect[0]}:{tunnel.connect[1]}"
    return parts.refusals.submit(
        RefusedCall(
            reason=reason,
            peer=client.peername[0],
            subject=tunnel.subject.sub if tunnel.subject else _masked(parts, tunnel.claimed),
            target=_masked(parts, target),
        )
    )


def _masked(parts: Parts, text: str | None) -> str | None:
    return None if text is None else mask_text(parts.masker, text[:300])


def refusal_for(error: Exception, hook: Callable[..., object]) -> Refusal:
    """Turn what a hook raised into an answer; a fault is logged by type and place, never by its text."""
    match error:
        case Refused():
            return error.refusal
        case JournalDown():
            logger.error("the journal is down: nothing passes")
            return Refusal(
                status=503,
                reason=Reason.JOURNAL_DOWN,
                message="Gatekeeper can't record, so nothing passes. Its operator finds the cause in its log.",
            )
        case _:
            frame = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
            place = f"{frame.filename}:{frame.lineno}" if frame else "unknown place"
            logger.error("fault in %s: %s at %s", hook.__qualname__, type(error).__name__, place)
            return Refusal(
                status=500,
                reason=Reason.INTERNAL,
                message="Gatekeeper failed while it handled this call, so the call was not let through.",
            )


def abort(client: Client, server: Server | None = None) -> None:
    """Cut a client's connection, or only that to one of its upstreams; works from any hook or timer."""
    handler = ctx.master.addons.get("proxyserver").connections.get(client.id)
    if handler is not None and (transport := handler.transports.get(server or client)) and transport.handler:
        transport.handler.cancel("cut by gatekeeper")


def _cut(flow: HTTPFlow) -> None:
    abort(flow.client_conn)


def _client_of(data: ConnectionData) -> Client:
    match data:
        case Client():
            return data
        case ServerConnectionHookData():
            return data.client
        case ClientHelloData() | TlsData():
            return data.context.client
        case _:
            assert_never(data)


async def _refuse_connect(parts: Parts, flow: HTTPFlow, refusal: Refusal, hook: Callable[..., object]) -> None:
    try:
        await record_refusal(parts, flow, refusal.reason)
    except Exception as error:  # noqa: BLE001 - what can't be recorded is refused all the same
        refusal = refusal_for(error, hook)
    answer_connect(flow, refusal)


def _replace_answer(flow: HTTPFlow, exchange: Exchange) -> None:
    passage = passage_of(flow)
    if passage.answered_by_us or exchange.refusal is None:
        return
    if flow.response is not None and flow.response.stream:
        abort(flow.client_conn)
        return
    answer_exchange(flow, exchange, exchange.refusal)
    passage.answered_by_us = True
