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

    `token` is the SHA-256 hex of the token, `jti` its id where it has one, `expires` its `exp`. `actors` act for
    the subject, the nearest first; `may_act` is who alone may begin to (RFC 8693 §4.1, §4.4). `keys` are what it
    was signed with: an issuer, and the name of its key. `earlier` are ids and fingerprints of tokens that it was
    traded for, whose keys stand among `keys`. `facts` are what else is recorded of it: a pod, a repository's id.
    `bound` is the thumbprint of the certificate that must come with the token (RFC 8705 §3.1).
    """

    iss: str
    sub: str
    groups: tuple[str, ...] = ()
    workflow: str | None = None
    token: str
    jti: str | None = None
    expires: Instant
    keys: tuple[Party, ...] = ()
    earlier: tuple[str, ...] = ()
    actors: tuple[Party, ...] = ()
    may_act: Party | None = None
    facts: tuple[tuple[str, str], ...] = ()
    bound: str | None = None

    @property
    def parties(self) -> tuple[Party, ...]:
        """All who have a part in what this subject does: itself, and who acts for it."""
        return (Party(self.iss, self.sub), *self.actors)


def token_fingerprint(token: str) -> str:
    """Name a token without giving it away: SHA-256 hex."""
    return hashlib.sha256(token.encode()).hexdigest()
