"""The types that several parts share, and the state of one exchange."""

from gatekeeper.exchange.canonical import canonical_json
from gatekeeper.exchange.clock import Clock, Instant, now
from gatekeeper.exchange.digest import Digest, DigestKey, answer_digest, request_digest
from gatekeeper.exchange.finding import Finding, count_findings
from gatekeeper.exchange.refusal import Reason, Refusal
from gatekeeper.exchange.session import SessionId, SessionSource, session_id
from gatekeeper.exchange.state import Exchange, ExchangeId, Phase, Receipt, Release, Seq, established, new_exchange_id
from gatekeeper.exchange.subject import Party, Subject, token_fingerprint
from gatekeeper.exchange.summary import AnswerSummary, DialectName, ExchangeSummary, ToolCall
from gatekeeper.exchange.target import Headers, Message, Scheme, Target
from gatekeeper.exchange.verdict import RuleName, Side, Verdict

__all__ = [
    "AnswerSummary",
    "Clock",
    "DialectName",
    "Digest",
    "DigestKey",
    "Exchange",
    "ExchangeId",
    "ExchangeSummary",
    "Finding",
    "Headers",
    "Instant",
    "Message",
    "Party",
    "Phase",
    "Reason",
    "Receipt",
    "Refusal",
    "Release",
    "RuleName",
    "Scheme",
    "Seq",
    "SessionId",
    "SessionSource",
    "Side",
    "Subject",
    "Target",
    "ToolCall",
    "Verdict",
    "answer_digest",
    "canonical_json",
    "count_findings",
    "established",
    "new_exchange_id",
    "now",
    "request_digest",
    "session_id",
    "token_fingerprint",
]
