"""Fields behind an answer (HTTP/2 alone has them, gRPC needs them): masked and recorded as its headers are."""

from mitmproxy.http import Headers, Response

from addons.guard import Refused
from addons.parts import Parts
from addons.state import Passage
from gatekeeper.egress import fields_problem
from gatekeeper.exchange import Headers as Fields
from gatekeeper.exchange import Message, Reason, Refusal, established

BINARY = "-bin"
"""What gRPC's binary fields end with: nothing here looks into them."""

NOT_BEHIND = frozenset(
    {"content-length", "transfer-encoding", "host", "trailer", "te", "connection", "upgrade", "alt-svc", "set-cookie",
     "content-encoding", "content-type", "authorization", "www-authenticate", "proxy-authenticate", "location"}
)  # fmt: skip
"""RFC 9110 §6.5.1: framing, routing and authentication don't come late."""


def pass_trailers(parts: Parts, passage: Passage, response: Response) -> Fields:
    """Mask the trailers that go to the client, and give them as they are recorded; raises Refused."""
    if not response.trailers:
        return ()
    exchange = passage.exchange
    fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.trailers.fields)
    if fields_problem(response.trailers.fields) or any(name.lower() in NOT_BEHIND for name, _ in fields):
        message = "the answer's trailers are not well-formed, or say what no trailer may."
        raise Refused(Refusal(status=502, reason=Reason.UPSTREAM_MALFORMED, message=message))
    if not parts.policy.passes_unread(exchange):
        fields = tuple(field for field in fields if not field[0].lower().endswith(BINARY))
    late = Message(status=response.status_code, headers=fields)
    inspected = parts.masker.inspect(parts.vault.without_secret(established(exchange.target).host, late))
    sent = inspected.to_client(passage.book).headers
    response.trailers = Headers([(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in sent])
    return inspected.recorded(passage.book).headers
