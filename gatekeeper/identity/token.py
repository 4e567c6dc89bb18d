"""Reads a token and checks what it says. Pure; the signature is checked by `keys` between the two steps.

The order is fixed: form (`read_token`), issuer and key (`verifier`), signature (`keys`), claims
(`check_claims`). PyJWT is used for signatures only, so that a token has one reader and not two that
could disagree (RFC 8725 §2.4).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Final, NoReturn, TypeGuard, override

import msgspec

from gatekeeper.config import IssuerConfig
from gatekeeper.config.model import ClaimsConfig
from gatekeeper.exchange import Instant, Reason, Subject, token_fingerprint
from gatekeeper.identity.refused import IdentityError

TOKEN_LIMIT: Final = 16 * 1024
TEXT_LIMIT: Final = 256
GROUPS_LIMIT: Final = 256
SECOND: Final = 1_000_000  # µs

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_SEGMENTS: Final = 3

# Headers that bring a key or change how the token is to be read (RFC 7515 §4.1, RFC 7516 §4.1, RFC 7797 §3).
REFUSED_HEADERS: Final = ("b64", "crit", "cty", "enc", "jku", "jwk", "x5c", "x5u", "zip")
# Media types, compared without case and without `application/` (RFC 7515 §4.1.9, RFC 9068 §2.1).
_TYPES: Final = frozenset({"jwt", "at+jwt"})

type Claims = Mapping[str, object]


class UnverifiedToken(msgspec.Struct, frozen=True):
    """A token in its parts. `signed` is what `signature` covers (RFC 7515 §5.2)."""

    alg: str
    kid: str | None
    claims: Claims
    signed: bytes
    signature: bytes

    @override
    def __repr__(self) -> str:
        return "UnverifiedToken(‹secret›)"


class Life(msgspec.Struct, frozen=True):
    """From when to when a token is meant to live."""

    issued: Instant
    expires: Instant


class Terms(msgspec.Struct, frozen=True):
    """What an issuer's tokens must meet, and where they carry groups and workflow. `leeway` in µs."""

    issuer: IssuerConfig
    claims: ClaimsConfig
    leeway: int


def read_token(text: str) -> UnverifiedToken:
    """Take a token apart without believing it; raises IdentityError for anything but a plain signed JWT."""
    if len(text) > TOKEN_LIMIT:
        raise IdentityError(Reason.BAD_TOKEN, f"the token is longer than {TOKEN_LIMIT} bytes")
    segments = text.split(".")
    if len(segments) != _SEGMENTS:
        raise IdentityError(Reason.BAD_TOKEN, "the token is no signed JWT: expected three parts with dots between them")
    header, claims = (_object(segment) for segment in segments[:2])
    alg, kid = header.get("alg"), header.get("kid")
    if not isinstance(alg, str):
        raise IdentityError(Reason.BAD_TOKEN, "the token names no algorithm")
    if "kid" in header and not is_text(kid):
        raise IdentityError(Reason.BAD_TOKEN, "the token's kid is no short text")
    _check_header(header)
    return UnverifiedToken(
        alg=alg,
        kid=kid if isinstance(kid, str) else None,
        claims=claims,
        signed=text.rpartition(".")[0].encode("ascii"),
        signature=_decode(segments[2]),
    )


def issuer_of(token: UnverifiedToken) -> str:
    """Say who the token claims to be from; raises IdentityError."""
    issuer = token.claims.get("iss")
    if not isinstance(issuer, str):
        raise IdentityError(Reason.BAD_TOKEN, "the token's iss is missing or no text")
    return issuer


def check_claims(token: UnverifiedToken, terms: Terms, fingerprint: str, now: Instant) -> Subject:
    """Check every claim of a token whose signature holds, and give the subject; raises IdentityError."""
    claims = token.claims
    _check_audience(claims, terms.issuer.audience)
    life = _life(claims)
    _check_times(claims, life, terms, now)
    if "cnf" in claims:
        raise IdentityError(
            Reason.BAD_TOKEN, "the token is bound to a key (cnf) that was not proved; ask for one without"
        )
    return Subject(
        iss=terms.issuer.issuer,
        sub=_text(claims, "sub"),
        groups=_groups(claims, terms.claims.groups),
        workflow=_optional(claims, terms.claims.workflow),
        token=fingerprint,
        jti=_optional(claims, "jti"),
        expires=life.expires,
    )


def check_expiry(subject: Subject, leeway: int, now: Instant) -> None:
    """Refuse a subject whose token has run out. On or after `exp` it is not accepted (RFC 7519 §4.1.4)."""
    if now >= subject.expires + leeway:
        raise _expired()


def read_life(text: str) -> Life:
    """Read how long an own token lives, without verifying it; raises IdentityError."""
    return _life(read_token(text).claims)


def fingerprint_of(text: str) -> str:
    """Name a token by its SHA-256; raises IdentityError for what is not ASCII."""
    if not text.isascii():
        raise IdentityError(Reason.BAD_TOKEN, "the token holds characters that no token has")
    return token_fingerprint(text)


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is one line of printable text of 1 to 256 characters, without space around it."""
    return isinstance(value, str) and 0 < len(value) <= TEXT_LIMIT and value.isprintable() and value == value.strip()


def read_object(data: bytes) -> dict[str, object]:
    """Read one JSON object in UTF-8; raises ValueError, also for a key that stands twice (RFC 8725 §2.4)."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as error:
        msg = "nested too deep"
        raise ValueError(msg) from error
    if not isinstance(value, dict):
        msg = "not an object"
        raise ValueError(msg)  # noqa: TRY004 - wrong input, not a wrong type in the program
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        msg = "a key stands twice"
        raise ValueError(msg)
    return fields


def _no_constant(_: str) -> NoReturn:
    msg = "not a JSON number"
    raise ValueError(msg)


def _object(segment: str) -> dict[str, object]:
    data = _decode(segment)
    try:
        return read_object(data)
    except ValueError as error:
        # `from None`: the library's text quotes the token.
        kind = "has a key twice" if "twice" in str(error) else "is not JSON"
        raise IdentityError(Reason.BAD_TOKEN, f"a part of the token {kind}") from None


def _decode(segment: str) -> bytes:
    """Decode base64url without padding (RFC 7515 §2), in its one spelling."""
    if not _BASE64URL.fullmatch(segment):
        raise IdentityError(Reason.BAD_TOKEN, "a part of the token is not base64url")
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error as error:
        raise IdentityError(Reason.BAD_TOKEN, "a part of the token is not base64url") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=") != segment.encode("ascii"):
        # Left-over bits would give one token many fingerprints (RFC 4648 §3.5).
        raise IdentityError(Reason.BAD_TOKEN, "a part of the token is not base64url in its one spelling")
    return data


def _check_header(header: Claims) -> None:
    for name in REFUSED_HEADERS:
        if name in header:
            raise IdentityError(Reason.BAD_TOKEN, f"the token's header has {name}, which is never accepted")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise IdentityError(Reason.BAD_TOKEN, "the token's typ is not JWT")


def _check_audience(claims: Claims, audience: str) -> None:
    found = claims.get("aud")
    if isinstance(found, list):
        if len(found) != 1:
            raise IdentityError(Reason.BAD_TOKEN, "the token must be for one audience, not several")
        found = found[0]
    if found != audience or not isinstance(found, str):
        raise IdentityError(Reason.BAD_TOKEN, f"the token is not for this gateway; its audience must be {audience}")


def _life(claims: Claims) -> Life:
    return Life(issued=_time(claims, "iat"), expires=_time(claims, "exp"))


def _check_times(claims: Claims, life: Life, terms: Terms, now: Instant) -> None:
    if now >= life.expires + terms.leeway:
        raise _expired()
    if life.issued > now + terms.leeway:
        raise IdentityError(Reason.BAD_TOKEN, "the token was issued in the future; check the clocks")
    if "nbf" in claims and _time(claims, "nbf") > now + terms.leeway:
        raise IdentityError(Reason.BAD_TOKEN, "the token is not valid yet (nbf)")
    if life.expires <= life.issued:
        raise IdentityError(Reason.BAD_TOKEN, "the token expires before it was issued")
    if life.expires - life.issued > terms.issuer.max_life * SECOND:
        raise IdentityError(
            Reason.BAD_TOKEN, f"the token lives longer than this issuer's tokens may ({terms.issuer.max_life})"
        )


def _time(claims: Claims, name: str) -> Instant:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise IdentityError(Reason.BAD_TOKEN, f"the token's {name} is missing or no whole number of seconds")
    return Instant(value * SECOND)


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if not is_text(value):
        raise IdentityError(
            Reason.BAD_TOKEN, f"the token's {name} is missing or no printable text of up to {TEXT_LIMIT} characters"
        )
    return value


def _optional(claims: Claims, name: str) -> str | None:
    return _text(claims, name) if name in claims else None


def _groups(claims: Claims, name: str) -> tuple[str, ...]:
    values = claims.get(name, [])
    if not isinstance(values, list) or len(values) > GROUPS_LIMIT or not all(is_text(value) for value in values):
        raise IdentityError(Reason.BAD_TOKEN, f"the token's {name} must be a list of up to {GROUPS_LIMIT} short texts")
    return tuple(values)


def _expired() -> IdentityError:
    return IdentityError(Reason.EXPIRED_TOKEN, "the token has expired; get a new one and try again")
