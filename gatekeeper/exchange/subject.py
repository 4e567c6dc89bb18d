"""Who calls."""

import hashlib

import msgspec

from gatekeeper.exchange.clock import Instant


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A workload that proved who it is: the claims of its verified token.

    `token` is the SHA-256 hex of the token, `jti` its id where it has one, `expires` its `exp`.
    """

    iss: str
    sub: str
    groups: tuple[str, ...] = ()
    workflow: str | None = None
    token: str
    jti: str | None = None
    expires: Instant


def token_fingerprint(token: str) -> str:
    """Name a token without giving it away: SHA-256 hex."""
    return hashlib.sha256(token.encode()).hexdigest()
