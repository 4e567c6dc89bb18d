"""WebSocket messages: each is inspected, judged, masked and on disk before it goes on, in both directions."""

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from mitmproxy.http import HTTPFlow
from mitmproxy.websocket import WebSocketMessage
from msgspec import UNSET
from wsproto.frame_protocol import CloseReason, Opcode

from addons.guard import Refused, abort, refusal_for
from addons.parts import Parts, masker_of
from addons.seal import finish
from addons.state import Passage, has_begun, passage_of
from gatekeeper.config import Action
from gatekeeper.exchange import Exchange, Message, Reason, Refusal, Side, count_findings, established
from gatekeeper.journal import Content, Draft, ErrorData, JournalDown, MessageData
from gatekeeper.masking import Inspected, UnreadableBody
from gatekeeper.policy import denial

BINARY: Final = "a binary WebSocket message"
ABNORMAL: Final = frozenset({CloseReason.ABNORMAL_CLOSURE, CloseReason.TLS_HANDSHAKE_FAILED})
FORMS: Final = {Opcode.TEXT: "text", Opcode.BINARY: "binary", Opcode.CLOSE: "close"}

type Judge = Callable[[Any, HTTPFlow, Passage, WebSocketMessage], Awaitable[None]]


def on_message(judge: Judge) -> Callable[[Any, HTTPFlow], Awaitable[None]]:
    """Guard `websocket_message`: what is not let through is dropped, and the connection ends ."""

    @functools.wraps(judge)
    async def guarded(self: "WebSocketMessages", flow: HTTPFlow) -> None:
        message = established(flow.websocket).messages[-1]
        if not has_begun(flow) or passage_of(flow).exchange.over:
            message.drop()
            abort(flow.client_conn)
            return
        passage = passage_of(flow)
        try:
            await judge(self, flow, passage, message)
        except Refused as refused:
            message.drop()
            await self._break_off(flow, passage, refused.refusal)
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            message.drop()
            await self._break_off(flow, passage, refusal_for(error, judge))
            abort(flow.client_conn)

    return guarded


def on_flow(hook: Callable[[Any, HTTPFlow], None]) -> Callable[[Any, HTTPFlow], None]:
    """Guard a hook that only takes note: where it fails, the connection is cut."""

    @functools.wraps(hook)
    def guarded(self: "WebSocketMessages", flow: HTTPFlow) -> None:
        try:
            hook(self, flow)
        except Exception as error:  # noqa: BLE001 - the one place that catches everything
            refusal_for(error, hook)
            abort(flow.client_conn)

    return guarded


class WebSocketMessages:
    """Lets messages through, one by one."""

    name = "websocket"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_flow
    def websocket_start(self, flow: HTTPFlow) -> None:
        """End the connection when its identity ends (DESIGN §5, "Identity")."""
        exchange = passage_of(flow).exchange
        left = (established(exchange.subject).expires - self.parts.clock()) / 1_000_000
        timer = asyncio.get_running_loop().call_later(max(0.0, left), self._expire, flow)
        passage_of(flow).expiry = timer

    @on_flow
    def websocket_end(self, flow: HTTPFlow) -> None:
        """Stop the clock."""
        if has_begun(flow) and (timer := passage_of(flow).expiry) is not None:
            timer.cancel()

    @on_message
    async def websocket_message(self, flow: HTTPFlow, passage: Passage, message: WebSocketMessage) -> None:
        exchange = passage.exchange
        if self.parts.clock() >= established(exchange.subject).expires:
            raise Refused(_ended(Reason.EXPIRED_TOKEN, "the identity of this connection has run out"))
        if message.type is Opcode.CLOSE:
            await self._close(flow, passage, message)
            return
        if not message.from_client:
            eraser = self.parts.vault.eraser(established(exchange.target).host)
            message.content = eraser.whole(message.content) if eraser is not None else message.content
        inspected, uninspected = self._inspect(exchange, message)
        self._judge(passage, inspected, uninspected)
        masked = inspected.upstream(passage.book) if message.from_client else inspected.to_client(passage.book)
        await self._record(passage, message, inspected)
        if exchange.over:  # the client has left meanwhile, and that is on record
            message.drop()
            return
        message.content = masked.body

    async def _break_off(self, flow: HTTPFlow, passage: Passage, refusal: Refusal) -> None:
        """Record why a connection ends, once, and say it in the close that both sides get."""
        data = established(flow.websocket)
        data.close_code, data.close_reason = CloseReason.POLICY_VIOLATION, f"gatekeeper: {refusal.reason.value}"
        exchange = passage.exchange
        if exchange.over:
            return
        exchange.error = refusal.reason
        draft = Draft(
            data=ErrorData(reason=refusal.reason.value, upstream=None, side="gateway"),
            exchange=exchange.id,
            session=exchange.session,
        )
        finish(flow, exchange)
        try:
            await self.parts.journal.submit(draft)
        except JournalDown:
            abort(flow.client_conn)

    def _expire(self, flow: HTTPFlow) -> None:
        passage = passage_of(flow)
        if not passage.exchange.over:
            passage.exchange.error = Reason.EXPIRED_TOKEN
            abort(flow.client_conn)  # `client_disconnected` records it

    def _inspect(self, exchange: Exchange, message: WebSocketMessage) -> tuple[Inspected, str | None]:
        """Look into a message as into a body; text is always read, bytes where they are text after all."""
        try:
            media = _media(message.content)
            inspected = masker_of(self.parts, exchange).inspect(
                Message(
                    status=0 if message.from_client else 200, headers=(("content-type", media),), body=message.content
                )
            )
        except UnreadableBody as error:
            raise Refused(_ended(Reason.UNREADABLE_BODY, "a message can't be read")) from error
        return inspected, inspected.uninspected or (BINARY if media == OCTETS else None)

    def _judge(self, passage: Passage, inspected: Inspected, uninspected: str | None) -> None:
        """Ask the policy about a message as about a request that held just it; answers are asked about their form."""
        exchange, asked = passage.exchange, established(passage.exchange.verdict)
        sent = not inspected.message.status
        alike = dataclasses.replace(
            exchange,
            findings=inspected.findings if sent else established(exchange.findings),
            summary=msgspec.structs.replace(
                established(exchange.summary), prompt=inspected.texts if sent else established(exchange.summary).prompt
            ),
            uninspected=uninspected,
        )
        verdict = self.parts.policy.decide(alike, Side.REQUEST, passage.matched, self.parts.clock())
        released = verdict.action is Action.HOLD and exchange.release is not None and verdict.rule == asked.rule
        if verdict.action is not Action.ALLOW and not released:
            raise Refused(denial(alike, verdict))

    async def _record(
        self, passage: Passage, message: WebSocketMessage, inspected: Inspected, code: int | None = None
    ) -> None:
        exchange, recorded = passage.exchange, inspected.recorded(passage.book)
        at = self.parts.clock() - exchange.received
        draft = Draft(
            data=MessageData(
                direction="up" if message.from_client else "down",
                form=FORMS[message.type],
                findings=count_findings(inspected.findings),
                code=UNSET if code is None else code,
            ),
            exchange=exchange.id,
            session=exchange.session,
            content=Content(
                media=recorded.header("content-type"), data=recorded.body, timeline=((at, len(recorded.body)),)
            ),
        )
        await self.parts.journal.submit(draft)

    async def _close(self, flow: HTTPFlow, passage: Passage, message: WebSocketMessage) -> None:
        """Record how it ended; a connection that just broke is an error, by whoever broke it."""
        code = established(flow.websocket).close_code
        if code in ABNORMAL:
            reason = Reason.CLIENT_GONE if message.from_client else Reason.UPSTREAM_MALFORMED
            await self._break_off(flow, passage, _ended(reason, "the connection broke"))
            return
        inspected, _ = self._inspect(passage.exchange, message)
        masked = inspected.upstream(passage.book) if message.from_client else inspected.to_client(passage.book)
        finish(flow, passage.exchange)
        await self._record(passage, message, inspected, code)
        message.content = masked.body


OCTETS: Final = "application/octet-stream"


def _media(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return OCTETS
    if text.lstrip()[:1] in {"{", "["}:
        try:
            msgspec.json.decode(content)
        except msgspec.DecodeError:
            return "text/plain; charset=utf-8"
        return "application/json"
    return "text/plain; charset=utf-8"


def _ended(reason: Reason, why: str) -> Refusal:
    return Refusal(status=403, reason=reason, message=f"Gatekeeper: {why}.")
