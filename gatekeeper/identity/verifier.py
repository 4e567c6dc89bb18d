"""Verifies tokens against the configured issuers, whose keys it reads from files."""

from pathlib import Path
from typing import Final, Self

from gatekeeper.config import ConfigError, IdentityConfig, IssuerConfig
from gatekeeper.exchange import Instant, Reason, Subject
from gatekeeper.identity.keys import KeySet, check_signature
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import (
    SECOND,
    Terms,
    check_claims,
    check_expiry,
    fingerprint_of,
    issuer_of,
    read_token,
)

SEEN_LIMIT: Final = 4096
LOOK_AGAIN: Final = SECOND  # how often a key file is looked at

type Stamp = tuple[int, int, int]


class KeyFile:
    """The owner of one JWK Set file: its keys as last read, and what was wrong with it since, if anything."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = self._look()
        self.keys = KeySet.parse(path.read_bytes())
        self.problem: str | None = None

    def refresh(self) -> bool:
        """Read a changed file again and say whether the keys changed; a broken one leaves the known keys."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return False
            self.keys = KeySet.parse(self.path.read_bytes())
        except (OSError, ValueError) as error:
            self.problem = f"{self.path}: {_cause(error)}; the keys read before stay in force"
            return False
        self._stamp, self.problem = stamp, None
        return True

    def _look(self) -> Stamp:
        state = self.path.stat()
        return state.st_mtime_ns, state.st_size, state.st_ino


class Issuer:
    """An issuer that is trusted: its terms and its keys."""

    def __init__(self, terms: Terms, file: KeyFile) -> None:
        self.terms = terms
        self.file = file
        self.algorithms = frozenset(terms.issuer.algorithms)


class Verifier:
    """Says who a token is from. Tokens seen before are remembered by fingerprint while no key changes."""

    def __init__(self, issuers: dict[str, Issuer], leeway: int) -> None:
        self._issuers = issuers
        self._leeway = leeway
        self._seen: dict[str, Subject] = {}
        self._looked: Instant | None = None

    @classmethod
    def load(cls, config: IdentityConfig) -> Self:
        """Read the keys of all issuers; raises ConfigError that names `identity.issuers[n].jwks`."""
        leeway = int(config.leeway * SECOND)
        issuers = {
            issuer.issuer: Issuer(Terms(issuer, config.claims, leeway), _open(number, issuer))
            for number, issuer in enumerate(config.issuers)
        }
        return cls(issuers, leeway)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with key files since they were last read well, one line each."""
        files = (issuer.file for issuer in self._issuers.values())
        return tuple(file.problem for file in files if file.problem)

    def verify(self, token: str, now: Instant) -> Subject:
        """Give the subject of a token; raises IdentityError with the reason.

        Everything is checked for a token that comes first, its expiry each time.
        """
        self._refresh(now)
        fingerprint = fingerprint_of(token)
        subject = self._seen.get(fingerprint)
        if subject is not None:
            check_expiry(subject, self._leeway, now)
            return subject
        subject = self._check(token, fingerprint, now)
        if len(self._seen) >= SEEN_LIMIT:
            del self._seen[next(iter(self._seen))]
        self._seen[fingerprint] = subject
        return subject

    def _check(self, token: str, fingerprint: str, now: Instant) -> Subject:
        unverified = read_token(token)
        issuer = self._issuers.get(issuer_of(unverified))
        if issuer is None:
            raise IdentityError(
                Reason.UNKNOWN_ISSUER, "the token's issuer is not known here; add it to [[identity.issuers]]"
            )
        if unverified.alg not in issuer.algorithms:
            raise IdentityError(Reason.BAD_TOKEN, "the token's algorithm is not among those of its issuer")
        check_signature(issuer.file.keys.find(unverified.alg, unverified.kid), unverified)
        return check_claims(unverified, issuer.terms, fingerprint, now)

    def _refresh(self, now: Instant) -> None:
        """Look at the key files, at most once a second, also when the clock was set back."""
        if self._looked is not None and 0 <= now - self._looked < LOOK_AGAIN:
            return
        self._looked = now
        changed = [issuer.file.refresh() for issuer in self._issuers.values()]
        if any(changed):
            # A key that is gone must not live on in what was verified with it.
            self._seen.clear()


def _open(number: int, issuer: IssuerConfig) -> KeyFile:
    try:
        return KeyFile(Path(issuer.jwks))
    except (OSError, ValueError) as error:
        msg = f"identity.issuers[{number}].jwks: {issuer.jwks}: {_cause(error)}"
        raise ConfigError(msg) from error


def _cause(error: OSError | ValueError) -> str:
    return f"can't be read: {error.strerror}" if isinstance(error, OSError) else str(error)
