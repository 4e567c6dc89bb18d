"""Why the gateway answers a call itself: one closed list, so that a record never carries foreign text."""

import enum

import msgspec


class Reason(enum.Enum):
    """The reasons for an answer, a refusal or an error of the gateway's own, as the journal states them."""

    # identity
    NO_CREDENTIAL = "no-credential"
    TWO_CREDENTIALS = "two-credentials"
    BAD_TOKEN = "bad-token"  # noqa: S105 - a reason, no secret
    EXPIRED_TOKEN = "expired-token"  # noqa: S105 - a reason, no secret
    UNKNOWN_ISSUER = "unknown-issuer"
    ISSUER_UNAVAILABLE = "issuer-unavailable"
    NO_CERTIFICATE = "no-certificate"
    BAD_CERTIFICATE = "bad-certificate"
    REVOKED = "revoked"
    LOCKED = "locked"
    NO_TRADE = "no-trade"
    # target and message form
    MALFORMED = "malformed"
    NAMES_DIFFER = "names-differ"
    AMBIGUOUS_PATH = "ambiguous-path"
    HEADERS_TOO_LARGE = "headers-too-large"
    BODY_TOO_LARGE = "body-too-large"
    TOO_SLOW = "too-slow"
    TOO_MANY_CONNECTIONS = "too-many-connections"
    FLOOD = "flood"
    UNSUPPORTED = "unsupported"
    # inspection
    UNREADABLE_BODY = "unreadable-body"
    UNKNOWN_ENCODING = "unknown-encoding"
    # policy and approval
    DENIED_BY_RULE = "denied-by-rule"
    NO_RULE = "no-rule"
    DENIED_BY_REVIEWER = "denied-by-reviewer"
    PENDING = "pending"
    APPROVAL_EXPIRED = "approval-expired"
    APPROVAL_USED = "approval-used"
    APPROVAL_WITHDRAWN = "approval-withdrawn"
    TOO_MANY_HELD = "too-many-held"
    TOO_MANY_ASKED = "too-many-asked"
    # a reviewer's decision
    DECISION_MALFORMED = "decision-malformed"
    DECISION_MISMATCH = "decision-mismatch"
    DECISION_OUT_OF_TIME = "decision-out-of-time"
    DECISION_UNQUALIFIED = "decision-unqualified"
    DECISION_UNSIGNED = "decision-unsigned"
    NOTICE_FAILED = "notice-failed"
    # credentials and egress
    FOREIGN_CREDENTIAL = "foreign-credential"
    CREDENTIAL_UNAVAILABLE = "credential-unavailable"
    ADDRESS_REFUSED = "address-refused"
    UNRESOLVABLE = "unresolvable"
    DNS_OVER_HTTPS = "dns-over-https"
    # upstream
    UPSTREAM_UNREACHABLE = "upstream-unreachable"
    UPSTREAM_UNTRUSTED = "upstream-untrusted"
    UPSTREAM_MALFORMED = "upstream-malformed"
    UPSTREAM_TIMEOUT = "upstream-timeout"
    ANSWER_TOO_LARGE = "answer-too-large"
    ANSWER_UNREADABLE = "answer-unreadable"
    # the gateway itself
    CLIENT_GONE = "client-gone"
    JOURNAL_DOWN = "journal-down"
    DISK_FULL = "disk-full"
    SHUTTING_DOWN = "shutting-down"
    GATEWAY_STOPPED = "gateway-stopped"
    INTERNAL = "internal"
    NO_PROOF = "no-proof"
    # a replay's stand-in
    NOT_RECORDED = "not-recorded"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the gateway's own. `message` is for people: what, where, what to do; never foreign text."""

    status: int
    reason: Reason
    message: str
    rule: str = ""
    approval: str = ""
    headers: tuple[tuple[str, str], ...] = ()
