"""The keyed digest that binds a decision to one request, or to the tool calls of an answer (JOURNAL.md, "Digest")."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final, NewType

from gatekeeper.exchange.canonical import canonical_json
from gatekeeper.exchange.subject import Subject
from gatekeeper.exchange.summary import ToolCall
from gatekeeper.exchange.target import Headers

Digest = NewType("Digest", str)
"""HMAC-SHA-256, 64 lower-case hex digits."""

DigestKey = NewType("DigestKey", bytes)
"""32 random bytes; unkeyed, a masked card number could be guessed from the digest."""

# Left out of the digest: they change from try to try or from hop to hop while the request stays the same.
# Listed for people in docs/approvals.md.
HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade"}
)  # fmt: skip
CREDENTIAL: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-gatekeeper-identity"})
VOLATILE: Final = frozenset(
    {"date", "x-amz-date", "traceparent", "tracestate", "baggage", "b3", "x-request-id", "x-client-request-id",
     "x-stainless-retry-count", "amz-sdk-invocation-id", "amz-sdk-request", "idempotency-key"}
)  # fmt: skip
LEFT_OUT: Final = HOP_BY_HOP | CREDENTIAL | VOLATILE


def request_digest(
    key: DigestKey, subject: Subject, rule: str, method: str, url: str, headers: Headers, body: bytes
) -> Digest:
    """Digest a request as it goes upstream, before credentials are put in.

    `url` as sent and unmasked; `headers` in any order; `body` the bytes on the wire.
    """
    covered = sorted([name.lower(), value] for name, value in headers if name.lower() not in LEFT_OUT)
    return _keyed(
        key,
        {
            "body": hashlib.sha256(body).hexdigest(),
            "headers": covered,
            "method": method.upper(),
            "rule": rule,
            "subject": [subject.iss, subject.sub],
            "url": url,
        },
    )


def answer_digest(key: DigestKey, subject: Subject, rule: str, tool_calls: Sequence[ToolCall]) -> Digest:
    """Digest what a held answer proposes: the tool calls that the rule holds, as the model gave them."""
    calls = [{"arguments": call.arguments, "name": call.name} for call in tool_calls]
    return _keyed(key, {"rule": rule, "subject": [subject.iss, subject.sub], "tool_calls": calls})


def _keyed(key: DigestKey, value: object) -> Digest:
    return Digest(hmac.new(key, canonical_json(value), hashlib.sha256).hexdigest())
