"""Verifies tokens against the configured issuers."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, Self

import msgspec

from gatekeeper.config import ConfigError, IdentityConfig, IssuerConfig
from gatekeeper.exchange import Clock, Instant, Reason, Subject
from gatekeeper.exchange import now as system_clock
from gatekeeper.identity.claims import Terms, check_binding, check_claims, check_expiry
from gatekeeper.identity.fetch import Fetch, https_fetch, trusted_roots
from gatekeeper.identity.key_file import KeyFile, cause
from gatekeeper.identity.key_url import KeyPlace, KeyUrl, StaleKeys
from gatekeeper.identity.keys import KeySet, check_signature
from gatekeeper.identity.profiles import PROFILES, trust_domain
from gatekeeper.identity.refused import IdentityError, UnknownKeyError
from gatekeeper.identity.token import SECOND, UnverifiedToken, fingerprint_of, issuer_of, read_token

SEEN_LIMIT: Final = 4096


class KeySource(Protocol):
    """Where an issuer's keys come from: a file, or a URL. `problem` is what is wrong with it now."""

    problem: str | None

    def keys(self, now: Instant) -> KeySet:
        """Give the keys at hand; raises IdentityError where none may serve."""
        ...

    async def seek(self, _now: Instant, /) -> bool:
        """Look for further keys, where that may be done now, and say whether it was."""
        ...

    async def warm(self) -> None:
        """Have keys, if they can be had."""
        ...

    async def keep_fresh(self) -> None:
        """Have current keys until cancelled, or return where nothing is to be done."""
        ...


class Issuer:
    """An issuer that is trusted: its terms and its keys."""

    def __init__(self, terms: Terms, source: KeySource) -> None:
        self.terms = terms
        self.source = source
        self.algorithms = frozenset(terms.issuer.algorithms)


class Seen(msgspec.Struct, frozen=True):
    """A token that was verified, and with which keys: with others it must be verified anew."""

    subject: Subject
    issuer: Issuer
    keys: KeySet


class Verifier:
    """Says who a token is from. Tokens seen before are remembered by fingerprint while their issuer's keys stay."""

    def __init__(self, issuers: dict[str, Issuer], leeway: int) -> None:
        self._issuers = issuers
        self._leeway = leeway
        self._seen: dict[str, Seen] = {}

    @classmethod
    def load(
        cls,
        config: IdentityConfig,
        *,
        upstream_ca: str = "",
        embedded: str | None = None,
        clock: Clock = system_clock,
        fetch: Fetch | None = None,
        earlier: Self | None = None,
    ) -> Self:
        """Open the key sources of all issuers, and read those that are files.

        `embedded` names the issuer whose tokens may carry another's subject, since `/token` gave them. What
        `earlier` has fetched is kept: a reload while an issuer is down takes no keys away. Raises ConfigError that
        names `identity.issuers[n].jwks`.
        """
        leeway = int(config.leeway * SECOND)
        if fetch is None:
            fetch = https_fetch(lambda: trusted_roots(upstream_ca))
        names = frozenset(issuer.issuer for issuer in config.issuers) | {saml.issuer for saml in config.saml}
        issuers: dict[str, Issuer] = {}
        for number, issuer in enumerate(config.issuers):
            terms = Terms.of(issuer, config.claims, leeway, names if issuer.issuer == embedded else frozenset())
            if _is_file(issuer):
                source: KeySource = _open(number, issuer)
            else:
                uses = PROFILES[issuer.profile].key_uses
                place = KeyPlace(issuer.issuer, issuer.jwks, config.stale_keys, uses)
                source = (earlier and earlier.fetched(place)) or KeyUrl(place, fetch, clock)
            issuers[issuer.issuer] = Issuer(terms, source)
        return cls(issuers, leeway)

    def fetched(self, place: KeyPlace) -> KeyUrl | None:
        """Give the keys that were fetched, or are to be, from a place."""
        found = self._issuers.get(place.issuer)
        source = found.source if found is not None else None
        return source if isinstance(source, KeyUrl) and source.place == place else None

    def tell_stale(self, tell: Callable[[StaleKeys], None]) -> None:
        """Say whom to tell when an issuer's keys have outlived themselves and serve on."""
        for issuer in self._issuers.values():
            if isinstance(issuer.source, KeyUrl):
                issuer.source.tell = tell

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with key sources since they were last read well, one line each."""
        return tuple(issuer.source.problem for issuer in self._issuers.values() if issuer.source.problem)

    async def warm(self) -> None:
        """Fetch all keys for the first time; an issuer that is down is a problem of its own callers only."""
        await asyncio.gather(*(issuer.source.warm() for issuer in self._issuers.values()))

    async def keep_fresh(self) -> None:
        """Fetch keys again as they come due, until cancelled."""
        await asyncio.gather(*(issuer.source.keep_fresh() for issuer in self._issuers.values()))

    async def identify(self, token: str, now: Instant, certificate: str | None = None) -> Subject:
        """Give the subject of a token, as `verify` does, with a look for new keys where the token's is not at hand."""
        try:
            return self.verify(token, now, certificate)
        except IdentityError as error:
            if not isinstance(error, UnknownKeyError) and error.reason is not Reason.ISSUER_UNAVAILABLE:
                raise
            if not await self._issuer(read_token(token)).source.seek(now):
                raise
        return self.verify(token, now, certificate)

    def verify(self, token: str, now: Instant, certificate: str | None = None) -> Subject:
        """Give the subject of a token by the keys at hand; raises IdentityError with the reason.

        Everything is checked for a token that comes first; each time: its expiry, that its issuer's keys are
        still those, and what it is bound to. `certificate` is the thumbprint (x5t#S256) that the connection proved.
        """
        fingerprint = fingerprint_of(token)
        seen = self._seen.get(fingerprint)
        if seen is not None and seen.issuer.source.keys(now) is seen.keys:
            check_expiry(seen.subject, self._leeway, now)
            check_binding(seen.subject, certificate)
            return seen.subject
        seen = self._check(token, fingerprint, now)
        check_binding(seen.subject, certificate)
        if len(self._seen) >= SEEN_LIMIT:
            del self._seen[next(iter(self._seen))]
        self._seen[fingerprint] = seen
        return seen.subject

    def _check(self, token: str, fingerprint: str, now: Instant) -> Seen:
        unverified = read_token(token)
        issuer = self._issuer(unverified)
        check_algorithm(unverified.alg, issuer.algorithms)
        keys = issuer.source.keys(now)
        check_signature(keys.find(unverified.alg, unverified.kid), unverified)
        return Seen(check_claims(unverified, issuer.terms, fingerprint, now), issuer, keys)

    def _issuer(self, token: UnverifiedToken) -> Issuer:
        issuer = self._issuers.get(claimed_issuer(token))
        if issuer is None:
            raise IdentityError(
                Reason.UNKNOWN_ISSUER, "the token's issuer is not known here; add it to [[identity.issuers]]"
            )
        return issuer


def claimed_issuer(token: UnverifiedToken) -> str:
    """Say who a token claims to be from: its `iss`, or for a JWT-SVID without one its trust domain."""
    sub = token.claims.get("sub")
    if "iss" not in token.claims and isinstance(sub, str) and (domain := trust_domain(sub)) is not None:
        return f"spiffe://{domain}"
    return issuer_of(token)


def check_algorithm(alg: str, allowed: frozenset[str]) -> None:
    """Refuse an algorithm that the issuer does not sign with (RFC 8725 §3.1)."""
    if alg not in allowed:
        raise IdentityError(Reason.BAD_TOKEN, "the token's algorithm is not among those of its issuer")


def _is_file(issuer: IssuerConfig) -> bool:
    return bool(issuer.jwks) and "://" not in issuer.jwks


def _open(number: int, issuer: IssuerConfig) -> KeyFile:
    try:
        return KeyFile(Path(issuer.jwks), PROFILES[issuer.profile].key_uses)
    except (OSError, ValueError) as error:
        msg = f"identity.issuers[{number}].jwks: {issuer.jwks}: {cause(error)}"
        raise ConfigError(msg) from error
