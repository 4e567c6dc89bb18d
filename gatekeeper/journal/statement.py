"""The statement that a reviewer signs (JOURNAL.md, "Statement"): one exact form, or none."""

import enum
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gatekeeper.exchange import Digest, Instant, Reason, canonical_json

NAMESPACE: Final = "gatekeeper-approval"
"""The SSHSIG namespace: a signature made for anything else (git, files) can't be used here."""

MAX_STATEMENT: Final = 8 << 10
"""Bytes. An entry of the journal holds statement and signature in less than 64 KiB."""

MAX_REASON: Final = 1000
"""Characters."""


class DecisionRefused(ValueError):
    """A decision that does not count. The text is one line for the reviewer; `reason` is what the record says."""

    def __init__(self, text: str, reason: Reason = Reason.DECISION_MALFORMED) -> None:
        super().__init__(text)
        self.reason = reason


class Answer(enum.Enum):
    """What a reviewer says."""

    APPROVE = "approve"
    DENY = "deny"


class Scope(enum.Enum):
    """How far a decision reaches."""

    ONCE = "once"
    GRANT = "grant"
    BREAK_GLASS = "break-glass"


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed. `request` is the leaf hash of the entry that the reviewer saw; `time` is in µs since 1970 UTC."""

    approval: str
    digest: Digest
    origin: str
    reason: str
    request: str
    reviewer: str
    scope: Scope
    time: Instant
    tool: str | UnsetType = UNSET
    until: Instant | UnsetType = UNSET
    uses: int | UnsetType = UNSET
    v: Literal[1]
    verdict: Answer


_DECODER: Final = msgspec.json.Decoder(Statement)


def statement_bytes(statement: Statement) -> bytes:
    """Give the exact bytes to sign: canonical JSON, no newline."""
    return canonical_json(statement)


def parse_statement(data: bytes) -> Statement:
    """Read a statement; raises DecisionRefused for anything but its one canonical form.

    Encoding what was understood must give back what was signed: so a key given twice, white space, another
    escape or another order can't make two readers understand two things.
    """
    if len(data) > MAX_STATEMENT:
        msg = f"the statement has {len(data)} bytes, more than {MAX_STATEMENT}; give a shorter reason"
        raise DecisionRefused(msg)
    try:
        statement = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"the statement is not of version 1 (docs/approvals.md): {_one_line(str(error))}"
        raise DecisionRefused(msg) from error
    if statement_bytes(statement) != data:
        msg = "the statement is not canonical JSON (RFC 8785): sign the bytes that docs/approvals.md describes"
        raise DecisionRefused(msg)
    if len(statement.reason) > MAX_REASON:
        msg = f"the reason has {len(statement.reason)} characters, more than {MAX_REASON}; give a shorter one"
        raise DecisionRefused(msg)
    return statement


def _one_line(text: str) -> str:
    return " ".join(text.split())
