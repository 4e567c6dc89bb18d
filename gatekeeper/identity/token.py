"""Takes a token apart, believing nothing. Pure.

The order is fixed: form (`read_token`), issuer and key (`verifier`), signature (`keys`), what it says
(`claims`). PyJWT is used for signatures only, so that a token has one reader and not two that
could disagree (RFC 8725 §2.4).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Final, NoReturn, TypeGuard, override

import msgspec

from gatekeeper.exchange import Reason, token_fingerprint
from gatekeeper.identity.refused import IdentityError

TOKEN_LIMIT: Final = 16 * 1024
TEXT_LIMIT: Final = 256
SECOND: Final = 1_000_000  # µs

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_SEGMENTS: Final = 3

# Headers that bring a key or change how the token is to be read (RFC 7515 §4.1, RFC 7516 §4.1, RFC 7797 §3).
REFUSED_HEADERS: Final = ("b64", "crit", "cty", "enc", "jku", "jwk", "x5c", "x5u", "zip")

type Claims = Mapping[str, object]


class UnverifiedToken(msgspec.Struct, frozen=True):
    """A token in its parts. `signed` is what `signature` covers (RFC 7515 §5.2)."""

    alg: str
    kid: str | None
    kind: str
    claims: Claims
    signed: bytes
    signature: bytes

    @override
    def __repr__(self) -> str:
        return "UnverifiedToken(‹secret›)"


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
    check_header(header)
    return UnverifiedToken(
        alg=alg,
        kid=kid if isinstance(kid, str) else None,
        kind=_kind(header),
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


def fingerprint_of(text: str) -> str:
    """Name a token by its SHA-256; raises IdentityError for what is not ASCII."""
    if not text.isascii():
        raise IdentityError(Reason.BAD_TOKEN, "the token holds characters that no token has")
    return token_fingerprint(text)


def is_text(value: object, limit: int = TEXT_LIMIT) -> TypeGuard[str]:
    """Whether a value is one line of printable text of 1 to `limit` characters, without space around it."""
    return isinstance(value, str) and 0 < len(value) <= limit and value.isprintable() and value == value.strip()


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
    check_spelling(data, segment)
    return data


def check_spelling(data: bytes, segment: str) -> None:
    """Refuse left-over bits, which would give one token many fingerprints (RFC 4648 §3.5)."""
    if base64.urlsafe_b64encode(data).rstrip(b"=") != segment.encode("ascii"):
        raise IdentityError(Reason.BAD_TOKEN, "a part of the token is not base64url in its one spelling")


def check_header(header: Claims) -> None:
    """Refuse what brings a key, or changes how the token is to be read."""
    for name in REFUSED_HEADERS:
        if name in header:
            raise IdentityError(Reason.BAD_TOKEN, f"the token's header has {name}, which is never accepted")


def _kind(header: Claims) -> str:
    """Give the media type, without case and without `application/` (RFC 7515 §4.1.9)."""
    kind = header.get("typ", "JWT")
    return kind.lower().removeprefix("application/") if isinstance(kind, str) else ""
