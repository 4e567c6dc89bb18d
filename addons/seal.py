"""The last link: nothing leaves without proof, and nothing ends without a record.

`request` asks for each thing that the chain should have established, computes the digest of a held
request again, and resolves, checks and pins the address. `response` and `error` write how the exchange
ended, before its last byte goes to the client.
"""

import asyncio
from typing import Final

from mitmproxy.connection import Client, Server
from mitmproxy.http import HTTPFlow, Request, Response
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import TlsData
from msgspec import UNSET

from addons.guard import Refused, abort, at_the_end, on_connection, on_request, on_server, record_refusal
from addons.inspection import header_fields
from addons.parts import Parts
from addons.record import digest_of, masked_scalars
from addons.state import Passage, passage_of, tunnel_of
from addons.trailers import pass_trailers
from gatekeeper.config import Action
from gatekeeper.egress import PINNED, AddressRefused, Pin, Unresolvable, resolve
from gatekeeper.exchange import Exchange, Message, Phase, Reason, Refusal, Subject, count_findings, established
from gatekeeper.identity import IdentityError
from gatekeeper.journal import Content, Draft, ErrorData, ResponseData, TimingData, UpstreamData

SWITCHING: Final = 101
"""RFC 9110 §15.2.2"""


class Seal:
    """Refuses what lacks proof; records the end."""

    name = "seal"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_request
    async def request(self, flow: HTTPFlow, exchange: Exchange) -> None:
        self._demand_proof(flow, exchange)
        self._demand_unlocked(established(exchange.subject))
        target, tunnel = established(exchange.target), tunnel_of(flow.client_conn)
        address = target.host, target.port
        if address not in tunnel.pins:
            tunnel.pins[address] = await self._resolve(*address)
        if (flow.request.host, flow.request.port) != address:
            flow.request.host, flow.request.port = address
        frame_body(flow.request)
        exchange.advance(Phase.SEALED)

    def _demand_proof(self, flow: HTTPFlow, exchange: Exchange) -> None:
        established = (
            exchange.subject, exchange.session, exchange.target, exchange.request, exchange.summary,
            exchange.verdict, exchange.recorded, exchange.receipt,
        )  # fmt: skip
        verdict = exchange.verdict
        proved = (
            exchange.phase is Phase.RELEASED
            and all(part is not None for part in established)
            and exchange.findings is not None
            and verdict is not None
            and (verdict.action is Action.ALLOW or (verdict.action is Action.HOLD and exchange.release is not None))
        )
        if proved and exchange.release is not None:
            proved = exchange.release.digest == exchange.digest == digest_of(flow, exchange, self.parts)
        if not proved:
            message = "Gatekeeper: this call lacks proof that it may go, so it was not let through."
            raise Refused(Refusal(status=403, reason=Reason.NO_PROOF, message=message))

    def _demand_unlocked(self, subject: Subject) -> None:
        """Refuse who was locked out since it was identified: a hold may have waited for hours."""
        try:
            self.parts.locks.check(subject)
        except IdentityError as error:
            raise Refused(Refusal(status=403, reason=error.reason, message=f"Gatekeeper: {error}")) from error

    async def _resolve(self, host: str, port: int) -> tuple[Pin, ...]:
        networks = self.parts.config.egress.private_networks
        try:
            return await resolve(host, port, networks, asyncio.get_running_loop().getaddrinfo)
        except AddressRefused as error:
            raise Refused(Refusal(status=403, reason=Reason.ADDRESS_REFUSED, message=f"Gatekeeper: {error}")) from error
        except Unresolvable as error:
            raise Refused(Refusal(status=502, reason=Reason.UNRESOLVABLE, message=f"Gatekeeper: {error}")) from error

    @on_server
    def server_connect(self, data: ServerConnectionHookData) -> None:
        tunnel = tunnel_of(data.client)
        pins = tunnel.pins.get(data.server.address) if data.server.address else None
        if not pins or not any(passage.exchange.phase is Phase.SEALED for passage in tunnel.open.values()):
            data.server.error = "not sealed"
            return
        PINNED.set(pins)

    @on_connection
    def server_connected(self, data: ServerConnectionHookData) -> None:
        pins = tunnel_of(data.client).pins.get(data.server.address or ("", 0), ())
        if not data.server.peername or data.server.peername[0] not in {pin.ip for pin in pins}:
            abort(data.client)
        tunnel_of(data.client).upstream_failure = None

    @on_connection
    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        tunnel_of(data.client).upstream_failure = Reason.UPSTREAM_UNREACHABLE

    @on_connection
    def tls_failed_server(self, data: TlsData) -> None:
        tunnel_of(data.context.client).upstream_failure = Reason.UPSTREAM_UNTRUSTED

    @at_the_end
    async def response(self, flow: HTTPFlow, exchange: Exchange) -> None:
        response = flow.response
        if exchange.phase is Phase.DONE or response is None:
            return
        if not passage_of(flow).answered_by_us:
            clean_answer(response)
        elif flow.websocket is not None:
            abort(flow.client_conn, flow.server_conn)  # its far side talks WebSocket already
        if exchange.receipt is None:
            await record_refusal(self.parts, flow, (exchange.refusal or upstream_refusal(Reason.INTERNAL)).reason)
            return
        stream = passage_of(flow).stream
        if stream is not None and exchange.error is not None:  # it was cut: what follows is not its end
            written = self.parts.journal.submit(error_draft(exchange, flow.server_conn))
            finish(flow, exchange)
            await written
            return
        passage_of(flow).trailers = pass_trailers(self.parts, passage_of(flow), response)
        await self._record_answer(flow, response)

    @at_the_end
    async def error(self, flow: HTTPFlow, exchange: Exchange) -> None:
        if exchange.phase is Phase.DONE:
            return
        tunnel, passage = tunnel_of(flow.client_conn), passage_of(flow)
        if passage.stream is not None:
            if exchange.error is None and flow.response is not None and passage.stream.conclude():
                await self._record_answer(flow, flow.response)  # the client had all of it, and left
                return
            passage.stream.stop()
        exchange.error = exchange.error or _classify(flow, tunnel.upstream_failure)
        if exchange.refusal is None:
            exchange.refusal = upstream_refusal(exchange.error)
        if exchange.receipt is None:
            await record_refusal(self.parts, flow, exchange.refusal.reason)
            return
        written = self.parts.journal.submit(error_draft(exchange, flow.server_conn))
        finish(flow, exchange)
        await written

    @on_connection
    def client_disconnected(self, client: Client) -> None:
        """Record the end of what no other hook will see: a stream that was cut, an answer that nobody waits for."""
        tunnel = tunnel_of(client)
        for passage in [*tunnel.open.values()]:
            exchange = passage.exchange
            if exchange.phase not in {Phase.SEALED, Phase.ANSWERING, Phase.REFUSED} or _is_complete(passage):
                continue  # a hook is at work on it, and will record its end
            if passage.stream is not None:
                passage.stream.stop()
            exchange.error = exchange.error or Reason.CLIENT_GONE
            self.parts.journal.submit(error_draft(exchange, None))
            exchange.end()
            del tunnel.open[exchange.id]

    async def _record_answer(self, flow: HTTPFlow, response: Response) -> None:
        passage = passage_of(flow)
        if passage.stream is not None:
            await passage.stream.recorded()
        written = self.parts.journal.submit(self._response_draft(flow, passage, response))
        if flow.websocket is None or passage.answered_by_us:
            finish(flow, passage.exchange)
        await written

    def _response_draft(self, flow: HTTPFlow, passage: Passage, response: Response) -> Draft:
        exchange = passage.exchange
        now = self.parts.clock()
        ours = passage.answered_by_us
        answer = None if ours else exchange.answer
        content: Content | None
        if ours:
            own = Message(headers=header_fields(response), body=response.raw_content or b"")
            recorded = self.parts.masker.inspect(own).recorded()
            headers, content = recorded.headers, Content(media=recorded.header("content-type"), data=recorded.body)
        elif passage.stream is not None:
            headers, content = passage.stream.head.recorded(passage.book).headers, None
        elif passage.answer is not None:
            recorded = passage.answer.recorded(passage.book)
            headers, content = recorded.headers, Content(media=recorded.header("content-type"), data=recorded.body)
        else:
            msg = "an answer that was not inspected"
            raise ValueError(msg)
        data = ResponseData(
            by="gateway" if ours else "upstream",
            status=response.status_code,
            headers=headers,
            chunks=exchange.chunks or UNSET,
            upstream=_upstream(flow.server_conn),
            uninspected=(None if ours else exchange.answer_uninspected) or UNSET,
            findings={} if ours else count_findings(exchange.answer_findings),
            gen_ai=masked_scalars(self.parts, answer.gen_ai) if answer else {},
            timing=TimingData(first=(exchange.first_byte or now) - exchange.received, last=now - exchange.received),
            reason=exchange.refusal.reason.value if exchange.refusal else UNSET,
            trailers=passage.trailers or UNSET,
        )
        return Draft(data=data, exchange=exchange.id, session=exchange.session, content=content)


def error_draft(exchange: Exchange, server: Server | None) -> Draft:
    """Make the entry that ends a broken exchange."""
    reason = exchange.error or Reason.INTERNAL
    data = ErrorData(
        reason=reason.value, upstream=_upstream(server), side=_SIDES.get(reason, "gateway"), chunks=exchange.chunks
    )
    return Draft(data=data, exchange=exchange.id, session=exchange.session)


def upstream_refusal(reason: Reason) -> Refusal:
    """Give the answer for an exchange that broke: 502 for the upstream's faults, never its own words."""
    status, message = _BROKEN.get(reason, (502, "the exchange broke"))
    return Refusal(status=status, reason=reason, message=f"Gatekeeper: {message}.")


_SIDES = {
    Reason.CLIENT_GONE: "client",
    Reason.BODY_TOO_LARGE: "client",
    Reason.MALFORMED: "client",
    Reason.UPSTREAM_UNREACHABLE: "upstream",
    Reason.UPSTREAM_UNTRUSTED: "upstream",
    Reason.UPSTREAM_MALFORMED: "upstream",
    Reason.UPSTREAM_TIMEOUT: "upstream",
    Reason.ANSWER_TOO_LARGE: "upstream",
    Reason.ANSWER_UNREADABLE: "upstream",
}

_BROKEN = {
    Reason.BODY_TOO_LARGE: (413, "the request's body is over proxy.body_limit"),
    Reason.ANSWER_TOO_LARGE: (502, "the answer's body is over proxy.body_limit"),
    Reason.MALFORMED: (400, "the request is not well-formed HTTP"),
    Reason.UPSTREAM_UNREACHABLE: (502, "the upstream can't be reached: it refused the connection or did not answer"),
    Reason.UPSTREAM_UNTRUSTED: (
        502,
        "the upstream's certificate is not trusted; if it is signed by a private CA, name that in proxy.upstream_ca",
    ),
    Reason.UPSTREAM_TIMEOUT: (504, "the upstream's answer did not come in time, or it went silent"),
    Reason.UPSTREAM_MALFORMED: (502, "the upstream's answer is not well-formed HTTP, or it broke off"),
}


NOT_PASSED_ON: Final = (
    b"alt-svc", b"alternate-protocol",  # RFC 7838: they would lead the client past the gateway, over QUIC
    b"proxy-authenticate", b"proxy-authentication-info", b"proxy-connection", b"keep-alive", b"trailer",
)  # fmt: skip


def clean_answer(response: Response) -> None:
    """Take out what concerns one connection only, or leads past the gateway."""
    dropped = NOT_PASSED_ON if response.status_code == SWITCHING else (*NOT_PASSED_ON, b"upgrade")
    fields = response.headers.fields
    kept = tuple(field for field in fields if field[0].lower() not in dropped)
    if len(kept) != len(fields):
        response.headers.fields = kept


def frame_body(request: Request) -> None:
    """Say how long a body is that came in frames: HTTP/1 reads what has no length as the next request."""
    if request.is_http2 and request.raw_content:
        request.headers["Content-Length"] = str(len(request.raw_content))


def _classify(flow: HTTPFlow, upstream_failure: Reason | None) -> Reason:
    """Read mitmproxy's error, whose text may hold upstream bytes, into a reason of our own list."""
    text = flow.error.msg if flow.error else ""
    if text.startswith("Request body exceeds"):
        return Reason.BODY_TOO_LARGE
    if text.startswith("Response body exceeds"):
        return Reason.ANSWER_TOO_LARGE
    if not flow.client_conn.connected or text.startswith("Client disconnected"):
        return Reason.CLIENT_GONE
    if upstream_failure is not None:
        return upstream_failure
    if _is_upstream(flow):
        return Reason.UPSTREAM_MALFORMED
    return Reason.MALFORMED


def _is_upstream(flow: HTTPFlow) -> bool:
    """Whether the request has been sent, so that what breaks now is the upstream's answer."""
    return passage_of(flow).exchange.phase in {Phase.SEALED, Phase.ANSWERING}


def _is_complete(passage: Passage) -> bool:
    return passage.stream is not None and passage.stream.complete


def finish(flow: HTTPFlow, exchange: Exchange) -> None:
    """Note that the end of an exchange is on record, or handed to it."""
    exchange.end()
    tunnel_of(flow.client_conn).open.pop(exchange.id, None)


def _upstream(server: Server | None) -> UpstreamData | None:
    peer = server.peername if server is not None else None
    return UpstreamData(ip=peer[0], port=peer[1]) if peer else None
