"""Who calls."""

import hashlib

import msgspec

from gatekeeper.exchange.clock import Instant


class Party(msgspec.Struct, frozen=True):
    """Somebody as an issuer names them."""

    iss: str
    sub: str


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A workload that proved who it is: the claims of its verified token.

    `token` is the SHA-256 hex of the token, `jti` its id where it has one, `expires` its `exp`, `key` the
    issuer of the key that signed it and its `kid`. `actors` act for the subject, the nearest first (RFC 8693
    §4.1). `facts` are what else is recorded of it: a pod, a repository's id. `bound` is the thumbprint of the
    certificate that must come with the token (RFC 8705 §3.1).
    """

    iss: str
    sub: str
    groups: tuple[str, ...] = ()
    workflow: str | None = None
    token: str
    jti: str | None = None
    expires: Instant
    key: Party | None = None
    actors: tuple[Party, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    bound: str | None = None

    @property
    def parties(self) -> tuple[Party, ...]:
        """All who have a part in what this subject does: itself, and who acts for it."""
        return (Party(self.iss, self.sub), *self.actors)


def token_fingerprint(token: str) -> str:
    """Name a token without giving it away: SHA-256 hex."""
    return hashlib.sha256(token.encode()).hexdigest()
