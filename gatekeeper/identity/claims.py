"""Checks what a token says, claim by claim, and gives the subject. Pure; its signature holds by then.

Each check is a function of its own, so that a test can take out one and see that nothing else refuses.
"""

from collections.abc import Mapping
from typing import Final, Self, TypeGuard

import msgspec

from gatekeeper.config import IssuerConfig
from gatekeeper.config.model import ClaimsConfig
from gatekeeper.exchange import Instant, Party, Reason, Subject
from gatekeeper.identity.mapping import Mapped, Requirement, apply_mappings, check_requirements, read_requirements
from gatekeeper.identity.mapping import Mapping as ClaimRule
from gatekeeper.identity.pointer import ABSENT, Pointer, read_pointer
from gatekeeper.identity.profiles import PROFILES, ProfileTerms
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import SECOND, TEXT_LIMIT, UnverifiedToken, is_text, read_token

GROUPS_LIMIT: Final = 256
ACTORS_LIMIT: Final = 8
UNDATED: Final = 300 * SECOND
"""How long an own token that does not say so is taken to live."""

ORIGIN: Final = "gatekeeper_origin"
"""The claim of the embedded issuer's tokens that says what one was traded for (`/token`): see `Origin`."""

CERTIFICATE: Final = "x5t#S256"

type Claims = Mapping[str, object]


class Life(msgspec.Struct, frozen=True):
    """From when to when a token is meant to live."""

    issued: Instant
    expires: Instant


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token was traded for: its subject's issuer and facts, and by which ids and keys it can be revoked."""

    iss: str
    ids: tuple[str, ...]
    keys: tuple[Party, ...]
    facts: dict[str, str] = {}


class Terms(msgspec.Struct, frozen=True):
    """What an issuer's tokens must meet, and what of them counts. `leeway` in µs.

    `origins`: the issuers whose subjects this one may name, which is what `/token` gives; only the embedded
    issuer has any.
    """

    issuer: IssuerConfig
    profile: ProfileTerms
    groups: Pointer | None
    workflow: Pointer | None
    require: tuple[Requirement, ...]
    map: tuple[ClaimRule, ...]
    leeway: int
    origins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, issuer: IssuerConfig, claims: ClaimsConfig, leeway: int, origins: frozenset[str] = frozenset()) -> Self:
        """Compile the terms: the issuer's own words first, then its profile's, then those for all."""
        profile = PROFILES[issuer.profile]
        return cls(
            issuer=issuer,
            profile=profile,
            groups=_claim(issuer.claims.groups, profile.groups, claims.groups),
            workflow=_claim(issuer.claims.workflow, profile.workflow, claims.workflow),
            require=read_requirements(issuer.require),
            map=tuple(ClaimRule.of(one) for one in issuer.map),
            leeway=leeway,
            origins=origins,
        )


def check_claims(token: UnverifiedToken, terms: Terms, fingerprint: str, now: Instant) -> Subject:
    """Check every claim of a token whose signature holds, and give the subject; raises IdentityError."""
    claims = token.claims
    check_type(token.kind, terms.profile)
    check_audience(claims, terms.issuer.audience)
    life = _life(claims, terms, now)
    check_times(claims, life, terms, now)
    check_longest(life, terms.issuer)
    sub = _text(claims, "sub", terms.profile.sub_limit)
    check_profile(claims, terms)
    check_requirements(claims, terms.require)
    check_overage(claims, terms.groups)
    mapped = apply_mappings(claims, terms.map)
    issuer = terms.issuer.issuer
    origin = _origin(claims, terms)
    return Subject(
        iss=issuer if origin is None else origin.iss,
        sub=sub,
        groups=tuple(dict.fromkeys((*_groups(claims, terms.groups), *mapped.groups))),
        workflow=_workflow(claims, terms, mapped),
        token=fingerprint,
        jti=_optional(claims, "jti"),
        expires=life.expires,
        keys=(Party(issuer, token.kid or ""), *(() if origin is None else origin.keys)),
        earlier=() if origin is None else origin.ids,
        actors=read_actors(claims, issuer),
        may_act=_party(claims["may_act"], issuer) if "may_act" in claims else None,
        facts=_facts(claims, terms.profile) if origin is None else tuple(origin.facts.items()),
        bound=_bound(claims),
    )


def check_expiry(subject: Subject, leeway: int, now: Instant) -> None:
    """Refuse a subject whose token has run out. On or after `exp` it is not accepted (RFC 7519 §4.1.4)."""
    if now >= subject.expires + leeway:
        raise _expired()


def check_binding(subject: Subject, thumbprint: str | None) -> None:
    """Refuse a token that is bound to another certificate than the connection's (RFC 8705 §3)."""
    if subject.bound is not None and subject.bound != thumbprint:
        raise IdentityError(
            Reason.BAD_TOKEN,
            "the token is bound to a certificate (cnf) that this connection did not prove; use it with that "
            "certificate over TLS to the proxy, or ask for a token without",
        )


def check_type(kind: str, profile: ProfileTerms) -> None:
    """Refuse a token that was made for something else than to show who calls (RFC 8725 §3.11)."""
    if kind not in profile.types:
        raise IdentityError(Reason.BAD_TOKEN, "the token's typ is not JWT")


def check_audience(claims: Claims, audience: str) -> None:
    """Refuse what is for others, or for others too: they could bring it here (RFC 8725 §3.9)."""
    found = claims.get("aud")
    if isinstance(found, list):
        if len(found) != 1:
            raise IdentityError(Reason.BAD_TOKEN, "the token must be for one audience, not several")
        found = found[0]
    if found != audience or not isinstance(found, str):
        raise IdentityError(Reason.BAD_TOKEN, f"the token is not for this gateway; its audience must be {audience}")


def check_times(claims: Claims, life: Life, terms: Terms, now: Instant) -> None:
    """Refuse what is not valid now (RFC 7519 §4.1.4 to §4.1.6)."""
    if now >= life.expires + terms.leeway:
        raise _expired()
    if life.issued > now + terms.leeway:
        raise IdentityError(Reason.BAD_TOKEN, "the token was issued in the future; check the clocks")
    if "nbf" in claims and _time(claims, "nbf") > now + terms.leeway:
        raise IdentityError(Reason.BAD_TOKEN, "the token is not valid yet (nbf)")
    if life.expires <= life.issued:
        raise IdentityError(Reason.BAD_TOKEN, "the token expires before it was issued")


def check_longest(life: Life, issuer: IssuerConfig) -> None:
    """Refuse a token that lives longer than its issuer's tokens may: it would be a password."""
    if life.expires - life.issued > issuer.max_life * SECOND:
        raise IdentityError(
            Reason.BAD_TOKEN, f"the token lives longer than this issuer's tokens may ({issuer.max_life})"
        )


def check_profile(claims: Claims, terms: Terms) -> None:
    """Refuse what no token of such an issuer looks like."""
    terms.profile.check(claims, terms.issuer.issuer)


def check_overage(claims: Claims, groups: Pointer | None) -> None:
    """Refuse a token whose groups are elsewhere (OpenID Connect Core §5.6.2): a rule that denies one would miss it."""
    names = claims.get("_claim_names")
    elsewhere = claims.get("hasgroups") is True or (_is_object(names) and groups is not None and groups[0] in names)
    if groups is not None and elsewhere:
        raise IdentityError(
            Reason.BAD_TOKEN,
            "the token has so many groups that its issuer left them out; have it send fewer, such as those assigned "
            "to the application",
        )


def read_actors(claims: Claims, issuer: str) -> tuple[Party, ...]:
    """Read who acts for the subject, the nearest first (RFC 8693 §4.1); raises IdentityError."""
    actors: list[Party] = []
    at: Claims = claims
    while "act" in at:
        act = at["act"]
        if not _is_object(act) or len(actors) >= ACTORS_LIMIT:
            raise IdentityError(Reason.BAD_TOKEN, f"the token's act is no chain of up to {ACTORS_LIMIT} actors")
        actors.append(_party(act, issuer))
        at = act
    return tuple(actors)


def read_life(text: str) -> Life:
    """Read how long an own token lives, without verifying it; raises IdentityError."""
    claims = read_token(text).claims
    expires = _time(claims, "exp")
    # A JWT-SVID need not say when it was issued (JWT-SVID §3); SPIRE's live five minutes.
    return Life(issued=_time(claims, "iat") if "iat" in claims else Instant(expires - UNDATED), expires=expires)


def _claim(own: str | msgspec.UnsetType, profile: str | None, general: str) -> Pointer | None:
    name = own if isinstance(own, str) else general if profile is None else profile
    return read_pointer(name) if name else None


def _life(claims: Claims, terms: Terms, now: Instant) -> Life:
    if "iat" not in claims and not terms.profile.dated:
        # A JWT-SVID needs no iat (JWT-SVID §3): then what is left of its life must be short enough.
        expires = _time(claims, "exp")
        return Life(issued=min(now, Instant(expires - SECOND)), expires=expires)
    return Life(issued=_time(claims, "iat"), expires=_time(claims, "exp"))


def _origin(claims: Claims, terms: Terms) -> Origin | None:
    """Say what a token was traded for at `/token`; only the embedded issuer's word counts in that."""
    if ORIGIN not in claims:
        return None
    try:
        origin = msgspec.convert(claims[ORIGIN], Origin)
    except msgspec.ValidationError as error:
        raise IdentityError(Reason.BAD_TOKEN, f"the token's {ORIGIN} can't be read") from error
    if origin.iss not in terms.origins:
        raise IdentityError(
            Reason.UNKNOWN_ISSUER, "the token is for a subject of an issuer that is not known here, or not its own"
        )
    return origin


def _party(value: object, issuer: str) -> Party:
    """Read who acts, or may act; where its issuer is not said, it is the token's."""
    iss, sub = (value.get("iss", issuer), value.get("sub")) if _is_object(value) else (None, None)
    if not is_text(iss) or not is_text(sub):
        raise IdentityError(Reason.BAD_TOKEN, "the token's act or may_act has no sub that can be read")
    return Party(iss, sub)


def _workflow(claims: Claims, terms: Terms, mapped: Mapped) -> str | None:
    """Give the workflow; where mapping and claim both give one they must agree."""
    found = terms.workflow.find(claims) if terms.workflow is not None else ABSENT
    if found is ABSENT:
        return mapped.workflow
    if not is_text(found):
        raise _no_text(str(terms.workflow))
    if mapped.workflow is not None and mapped.workflow != found:
        raise IdentityError(Reason.BAD_TOKEN, "the token names another workflow than the one that it is mapped to")
    return found


def _facts(claims: Claims, profile: ProfileTerms) -> tuple[tuple[str, str], ...]:
    found = ((name, pointer.find(claims)) for name, pointer in profile.facts)
    return tuple((name, value) for name, value in found if is_text(value))


def _bound(claims: Claims) -> str | None:
    """Read what a token is bound to; refuses any binding but to a certificate (RFC 7800 §3.1)."""
    if "cnf" not in claims:
        return None
    cnf = claims["cnf"]
    thumbprint = cnf.get(CERTIFICATE) if _is_object(cnf) and len(cnf) == 1 else None
    if not is_text(thumbprint):
        raise IdentityError(
            Reason.BAD_TOKEN, "the token is bound to a key (cnf) that was not proved; ask for one without"
        )
    return thumbprint


def _time(claims: Claims, name: str) -> Instant:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise IdentityError(Reason.BAD_TOKEN, f"the token's {name} is missing or no whole number of seconds")
    return Instant(value * SECOND)


def _text(claims: Claims, name: str, limit: int = TEXT_LIMIT) -> str:
    value = claims.get(name)
    if not is_text(value, limit):
        raise _no_text(name, limit)
    return value


def _optional(claims: Claims, name: str) -> str | None:
    return _text(claims, name) if name in claims else None


def _groups(claims: Claims, pointer: Pointer | None) -> tuple[str, ...]:
    found = pointer.find(claims) if pointer is not None else ABSENT
    values = [] if found is ABSENT else found
    if not isinstance(values, list) or len(values) > GROUPS_LIMIT or not all(is_text(value) for value in values):
        raise IdentityError(
            Reason.BAD_TOKEN, f"the token's {pointer} must be a list of up to {GROUPS_LIMIT} short texts"
        )
    return tuple(values)


def _no_text(name: str, limit: int = TEXT_LIMIT) -> IdentityError:
    return IdentityError(
        Reason.BAD_TOKEN, f"the token's {name} is missing or no printable text of up to {limit} characters"
    )


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _expired() -> IdentityError:
    return IdentityError(Reason.EXPIRED_TOKEN, "the token has expired; get a new one and try again")
