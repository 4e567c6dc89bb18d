"""Applies the operators: to what goes upstream, to what goes to the client, and to the copy that is recorded."""

from typing import Final

from mitmproxy.http import HTTPFlow, Response
from mitmproxy.http import Message as FlowMessage

from addons.guard import abort, on_request, on_response, on_response_headers
from addons.inspection import header_fields
from addons.parts import Parts, masker_of
from addons.state import passage_of
from addons.stream import AnswerStream, Incoming
from gatekeeper.dialects import answer_reader
from gatekeeper.exchange import DialectName, Exchange, Message, Phase, established
from gatekeeper.masking import Decoding, UnknownEncoding, stream_masker

# They vouch for bytes (RFC 9110 §8.8.3, RFC 9530), or frame them, that are no longer sent.
VOUCHING: Final = ("etag", "digest", "content-digest", "repr-digest", "content-md5", "accept-ranges")
OF_ANOTHER_BODY: Final = frozenset(
    {b"content-length", b"content-encoding", b"transfer-encoding", *(name.encode() for name in VOUCHING)}
)


class Mask:
    """Masks requests as configured, and answers whole or as they stream."""

    name = "mask"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_request
    def request(self, flow: HTTPFlow, exchange: Exchange) -> None:
        passage, subject = passage_of(flow), established(exchange.subject)
        masker = masker_of(self.parts, exchange)
        inspected = passage.inspected = established(passage.inspected).under(masker)
        book = passage.book = masker.book((subject.iss, subject.sub), established(exchange.session))
        upstream = inspected.upstream(book)
        if upstream is not inspected.message:
            flow.request.url = upstream.url
            _send_instead(flow.request, inspected.message, upstream)
        exchange.recorded = inspected.recorded(book)
        exchange.advance(Phase.MASKED)

    @on_response_headers
    def responseheaders(self, flow: HTTPFlow, exchange: Exchange) -> None:
        exchange.first_byte = self.parts.clock()
        exchange.advance(Phase.ANSWERING)
        response = established(flow.response)
        dialect = exchange.summary.dialect if exchange.summary else DialectName.HTTP
        decoding = _decoding(response)
        if response.status_code != 200 or decoding is None or flow.request.http_version == "HTTP/1.0":  # noqa: PLR2004
            return
        if self.parts.policy.gates_answer(exchange):
            return  # what has been streamed can't be withheld: the answer is read whole, judged, then sent
        asked = dialect is DialectName.GEMINI and exchange.summary is not None and exchange.summary.stream
        book, unread = passage_of(flow).book, self.parts.policy.passes_unread(exchange)
        scoped = masker_of(self.parts, exchange)
        masker = stream_masker(scoped, response.headers.get("Content-Type", ""), book, asked=asked, unread=unread)
        if masker is None:
            return
        host, vault = established(exchange.target).host, self.parts.vault
        received = Message(status=response.status_code, headers=header_fields(response))
        head = scoped.inspect(vault.without_secret(host, received))
        _send_instead(response, received, head.to_client(book))
        for name in ("Content-Length", "Content-Encoding", *VOUCHING):
            response.headers.pop(name, None)
        if not flow.request.is_http2:
            response.headers["Transfer-Encoding"] = "chunked"
        stream = AnswerStream(
            masker, Incoming(decoding, vault.eraser(host)), answer_reader(dialect), exchange, self.parts, head,
            lambda: abort(flow.client_conn),
        )  # fmt: skip
        passage_of(flow).stream = stream
        response.stream = stream

    @on_response
    def response(self, flow: HTTPFlow, exchange: Exchange) -> None:  # noqa: ARG002 - the guard's signature
        passage = passage_of(flow)
        if passage.answer is None or passage.received is None or flow.response is None:
            return
        to_client = passage.answer.to_client(passage.book)
        if to_client is not passage.received:
            _send_instead(flow.response, passage.received, to_client)


def _decoding(response: Response) -> Decoding | None:
    """Give what takes the content encodings off; None where one is unknown: reading the answer refuses it."""
    try:
        return Decoding(response.headers.get("Content-Encoding", ""))
    except UnknownEncoding:
        return None


def _send_instead(target: FlowMessage, before: Message, after: Message) -> None:
    """Put what masking made of a message in its place; header fields stay of the kind that the reader of heads made."""
    fields = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in after.headers]
    if after.body != before.body:
        fields = [field for field in fields if field[0].lower() not in OF_ANOTHER_BODY]
        fields.append((b"Content-Length", b"%d" % len(after.body)))
        target.raw_content = after.body
    target.headers = type(target.headers)(tuple(fields))
