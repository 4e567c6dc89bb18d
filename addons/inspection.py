"""What is in it: decodes the body, reads the dialect, collects findings; what can't be read is refused."""

from mitmproxy.http import HTTPFlow, Response
from mitmproxy.http import Message as FlowMessage

from addons.guard import Refused, on_request, on_response, on_response_headers
from addons.parts import Parts, masker_of
from addons.state import passage_of
from gatekeeper.dialects import read_answer, read_request
from gatekeeper.exchange import DialectName, Exchange, Headers, Message, Phase, Reason, Refusal, established
from gatekeeper.masking import BodyTooLarge, Inspected, UnknownEncoding, UnreadableBody, acceptable, decode_body

PARTIAL = 206
_ALLOW_UNREAD = '(a rule with uninspected = "allow" lets it pass)'


class Inspection:
    """Establishes summary and findings, of requests and of answers."""

    name = "inspection"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_request
    def request(self, flow: HTTPFlow, exchange: Exchange) -> None:
        request, target = established(exchange.request), established(exchange.target)
        try:
            body = self._decoded(flow.request.raw_content or b"", flow.request.headers.get("Content-Encoding", ""))
            message = Message(
                method=request.method, url=request.url, path=request.path, headers=request.headers, body=body
            )
            inspected = self.parts.masker.inspect(message)
        except (UnknownEncoding, BodyTooLarge, UnreadableBody) as error:
            raise Refused(_unreadable_request(error)) from error
        exchange.request = message
        exchange.summary = read_request(message, target.host)
        exchange.findings = inspected.findings
        exchange.uninspected = inspected.uninspected
        passage_of(flow).inspected = inspected
        exchange.advance(Phase.INSPECTED)
        _ask_for_readable_answer(flow, exchange)

    @on_response_headers
    def responseheaders(self, flow: HTTPFlow, exchange: Exchange) -> None:  # noqa: ARG002 - the guard's signature
        if flow.response is None:
            return
        if flow.response.status_code == PARTIAL:
            raise Refused(_bad_answer(Reason.ANSWER_UNREADABLE, "it is a part, and the whole was asked for"))
        check_coding(flow.response)

    @on_response
    def response(self, flow: HTTPFlow, exchange: Exchange) -> None:
        passage = passage_of(flow)
        if passage.stream is not None or flow.response is None:
            return
        passage.received = self._read_answer(flow.response)
        # An upstream that echoes its request does not tell the container the credential (invariant 8).
        host = established(exchange.target).host
        inspected = self._inspect_answer(exchange, self.parts.vault.without_secret(host, passage.received))
        summary = exchange.summary
        exchange.answer_findings = inspected.findings
        exchange.answer = read_answer(summary.dialect if summary else DialectName.HTTP, inspected.message)
        passage.answer = inspected

    def _read_answer(self, response: Response) -> Message:
        try:
            body = self._decoded(response.raw_content or b"", response.headers.get("Content-Encoding", ""))
        except BodyTooLarge as error:
            raise Refused(_bad_answer(Reason.ANSWER_TOO_LARGE, str(error))) from error
        except (UnknownEncoding, UnreadableBody) as error:
            raise Refused(_bad_answer(Reason.ANSWER_UNREADABLE, str(error))) from error
        return Message(status=response.status_code, headers=header_fields(response), body=body)

    def _inspect_answer(self, exchange: Exchange, answer: Message) -> Inspected:
        try:
            inspected = masker_of(self.parts, exchange).inspect(answer)
        except UnreadableBody as error:
            raise Refused(_bad_answer(Reason.ANSWER_UNREADABLE, str(error))) from error
        if inspected.uninspected is not None and not self.parts.policy.passes_unread(exchange):
            raise Refused(_bad_answer(Reason.ANSWER_UNREADABLE, f"{inspected.uninspected} {_ALLOW_UNREAD}"))
        exchange.answer_uninspected = inspected.uninspected
        return inspected

    def _decoded(self, content: bytes, encoding: str) -> bytes:
        return decode_body(content, encoding, self.parts.config.proxy.body_limit)


def check_coding(response: Response) -> None:
    """Refuse a transfer coding that only the body's own decoder could take off."""
    if response.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise Refused(_bad_answer(Reason.ANSWER_UNREADABLE, "its transfer encoding is not chunked"))


def header_fields(message: FlowMessage) -> Headers:
    """Give a message's header fields as text; bytes are read as ISO-8859-1."""
    return tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.headers.fields])


def _ask_for_readable_answer(flow: HTTPFlow, exchange: Exchange) -> None:
    """Ask for all of an answer, in encodings that can be taken off; for a stream without any, as its events come."""
    headers = flow.request.headers
    for name in ("Range", "If-Range"):
        headers.pop(name, None)
    if exchange.summary is not None and exchange.summary.stream:
        headers["Accept-Encoding"] = "identity"
    elif "Accept-Encoding" in headers:
        headers["Accept-Encoding"] = acceptable(headers["Accept-Encoding"])


def _unreadable_request(error: ValueError) -> Refusal:
    match error:
        case UnknownEncoding():
            status, reason = 415, Reason.UNKNOWN_ENCODING
        case BodyTooLarge():
            status, reason = 413, Reason.BODY_TOO_LARGE
        case _:
            status, reason = 415, Reason.UNREADABLE_BODY
    return Refusal(status=status, reason=reason, message=f"Gatekeeper can't read the request's body: {error}.")


def _bad_answer(reason: Reason, why: str) -> Refusal:
    return Refusal(
        status=502, reason=reason, message=f"Gatekeeper can't read the answer, so it is not passed on: {why}."
    )
