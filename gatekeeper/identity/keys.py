"""The public keys of an issuer: a JWK Set (RFC 7517) read strictly, and signatures checked with it."""

from collections.abc import Set as AbstractSet
from typing import Any, Final, Self, cast

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import PyJWTError

from gatekeeper.exchange import Reason
from gatekeeper.identity.refused import IdentityError, UnknownKeyError
from gatekeeper.identity.token import UnverifiedToken, is_text, read_object

JWKS_LIMIT: Final = 256 * 1024
KEYS_LIMIT: Final = 100
SIGNATURES: Final = frozenset({"sig"})
"""The `use` of keys that sign (RFC 7517 §4.2)."""
RSA_BITS: Final = 2048  # RFC 7518 §3.3

# Which key an algorithm needs: (kty, crv). An algorithm never meets a key of another kind (RFC 8725 §3.1).
_NEEDS: Final = {
    "EdDSA": ("OKP", "Ed25519"),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
} | {f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)}
_ALGORITHMS: Final = get_default_algorithms()


class PublicKey(msgspec.Struct, frozen=True):
    """One key, and the algorithms it may be used with."""

    kid: str | None
    algorithms: frozenset[str]
    material: Any  # a public key of `cryptography`; PyJWT has no type for "any of them"


class KeySet(msgspec.Struct, frozen=True):
    """The keys an issuer signs with."""

    keys: tuple[PublicKey, ...]

    @classmethod
    def parse(cls, data: bytes, uses: AbstractSet[str] = SIGNATURES) -> Self:
        """Read a JWK Set; raises ValueError, with what is wrong in a few words. `uses`: which keys are for tokens."""
        if len(data) > JWKS_LIMIT:
            msg = f"is longer than {JWKS_LIMIT} bytes"
            raise ValueError(msg)
        try:
            listed = read_object(data).get("keys")
        except ValueError as error:
            msg = "is no JSON object, or has a key twice"
            raise ValueError(msg) from error
        if not isinstance(listed, list) or not all(isinstance(jwk, dict) for jwk in listed):
            msg = "is no JWK Set: expected a list under 'keys'"
            raise ValueError(msg)
        if len(listed) > KEYS_LIMIT:
            msg = f"has more than {KEYS_LIMIT} keys"
            raise ValueError(msg)
        keys = tuple(key for jwk in listed if (key := _read_key(jwk, uses)) is not None)
        _check_set(keys)
        return cls(keys)

    def find(self, alg: str, kid: str | None) -> PublicKey:
        """Give the one key that a token's header means; raises IdentityError."""
        if kid is None:
            if len(self.keys) != 1:
                raise IdentityError(Reason.BAD_TOKEN, "the token names no key (kid), and its issuer has several")
            key = self.keys[0]
        else:
            named = [key for key in self.keys if key.kid == kid]
            if not named:
                raise UnknownKeyError(kid)
            key = named[0]
        check_fit(key, alg)
        return key


def check_fit(key: PublicKey, alg: str) -> None:
    """Refuse an algorithm that the key is not for (RFC 8725 §3.1)."""
    if alg not in key.algorithms:
        raise IdentityError(Reason.BAD_TOKEN, "the token's algorithm does not fit the key that it names")


def check_signature(key: PublicKey, token: UnverifiedToken) -> None:
    """Check the signature over a token's header and claims (RFC 7515 §5.2); raises IdentityError."""
    if not _ALGORITHMS[token.alg].verify(token.signed, key.material, token.signature):
        raise IdentityError(Reason.BAD_TOKEN, "the token's signature is wrong")


def _read_key(jwk: dict[str, object], uses: AbstractSet[str]) -> PublicKey | None:
    """Read one JWK; None for a key that is not for signatures or of a kind not known here (RFC 7517 §5)."""
    kid = jwk.get("kid")
    if "kid" in jwk and not is_text(kid):
        msg = "has a kid that is no short text"
        raise ValueError(msg)
    if "d" in jwk:
        msg = "holds a private key; give the public half only"
        raise ValueError(msg)
    algorithms = _algorithms(jwk, uses)
    if not algorithms:
        return None
    try:
        material = _ALGORITHMS[min(algorithms)].from_jwk(cast("Any", jwk))
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError) as error:
        msg = "holds a key that can't be read"
        raise ValueError(msg) from error
    if isinstance(material, RSAPublicKey) and material.key_size < RSA_BITS:
        msg = f"holds an RSA key under {RSA_BITS} bits"
        raise ValueError(msg)
    return PublicKey(kid if isinstance(kid, str) else None, algorithms, material)


def _algorithms(jwk: dict[str, object], uses: AbstractSet[str]) -> frozenset[str]:
    """Say which algorithms a key serves: those of its type and curve, narrowed by `alg`, `use` and `key_ops`."""
    operations, use = jwk.get("key_ops", ["verify"]), jwk.get("use", "sig")
    if not isinstance(use, str) or use not in uses or not isinstance(operations, list) or "verify" not in operations:
        return frozenset()
    kind = (jwk.get("kty"), jwk.get("crv"))
    fitting = (name for name, needed in _NEEDS.items() if needed == kind)
    return frozenset(name for name in fitting if jwk.get("alg", name) == name)


def _check_set(keys: tuple[PublicKey, ...]) -> None:
    if not keys:
        msg = "holds no key that could verify a signature"
        raise ValueError(msg)
    named = [key.kid for key in keys if key.kid is not None]
    if len(set(named)) != len(named):
        msg = "has two keys with the same kid"
        raise ValueError(msg)
