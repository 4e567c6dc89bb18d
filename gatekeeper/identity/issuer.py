"""The embedded issuer: short-lived Ed25519 tokens, so that one machine needs no identity provider."""

import base64
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self, override

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import UNSET

from gatekeeper.config import IssuerConfig
from gatekeeper.config.model import EMBEDDED_ISSUER, ClaimsConfig
from gatekeeper.exchange import Instant, canonical_json
from gatekeeper.identity.claims import GROUPS_LIMIT, ORIGIN
from gatekeeper.identity.token import SECOND, TEXT_LIMIT, is_text
from gatekeeper.identity.trade import Deal, lifetime

_FOLDER_MODE: Final = 0o700
_KEY_MODE: Final = 0o600
_JWKS_MODE: Final = 0o644


class Traded(msgspec.Struct, frozen=True):
    """A token that was traded for, its id, and how many seconds it lives."""

    token: str
    jti: str
    life: int

    @override
    def __repr__(self) -> str:
        return f"Traded(‹secret›, {self.jti!r}, {self.life!r})"


class EmbeddedIssuer:
    """Signs tokens with a key of the installation's own."""

    def __init__(self, key: Ed25519PrivateKey, config: IssuerConfig, claims: ClaimsConfig) -> None:
        self._key = key
        self._config = config
        self._claims = ClaimsConfig(
            groups=claims.groups if config.claims.groups is UNSET else config.claims.groups,
            workflow=claims.workflow if config.claims.workflow is UNSET else config.claims.workflow,
        )
        self._kid = _thumbprint(key.public_key())

    @classmethod
    def create(
        cls,
        key_path: Path,
        jwks_path: Path,
        config: IssuerConfig = EMBEDDED_ISSUER,
        claims: ClaimsConfig = ClaimsConfig(),  # noqa: B008 - frozen
    ) -> Self:
        """Make the key (0600) and its JWK Set (0644) where they are missing, and give the issuer.

        Never overwrites: raises FileExistsError where there is a JWK Set without its key, and
        ValueError or OSError where what is there can't be used.
        """
        if not key_path.exists():
            if jwks_path.exists():
                msg = f"{jwks_path}: is there without its key {key_path}; bring the key back or move the file away"
                raise FileExistsError(msg)
            _write_new(key_path, _pem(Ed25519PrivateKey.generate()), _KEY_MODE)
        key = _read_key(key_path)
        if not jwks_path.exists():
            _write_new(jwks_path, canonical_json({"keys": [_jwk(key.public_key())]}) + b"\n", _JWKS_MODE)
        return cls(key, config, claims)

    @classmethod
    def load(
        cls,
        key_path: Path,
        config: IssuerConfig = EMBEDDED_ISSUER,
        claims: ClaimsConfig = ClaimsConfig(),  # noqa: B008 - frozen
    ) -> Self:
        """Read the key; raises OSError, or ValueError where the file holds no Ed25519 key."""
        return cls(_read_key(key_path), config, claims)

    def issue(self, subject: str, groups: Sequence[str], workflow: str | None, ttl: float, now: Instant) -> str:
        """Sign a token that lives `ttl` seconds from `now`; raises ValueError for what no verifier would accept."""
        if not is_text(subject) or not (workflow is None or is_text(workflow)):
            msg = f"subject and workflow must be printable text of up to {TEXT_LIMIT} characters"
            raise ValueError(msg)
        if len(groups) > GROUPS_LIMIT or not all(is_text(group) for group in groups):
            msg = f"groups must be up to {GROUPS_LIMIT} printable texts of up to {TEXT_LIMIT} characters"
            raise ValueError(msg)
        if not 1 <= ttl <= self._config.max_life:
            msg = f"a token of this issuer lives at least 1s and at most {self._config.max_life}"
            raise ValueError(msg)
        return self._sign(self._standard(subject, groups, workflow, int(ttl), now))

    def trade(self, deal: Deal, now: Instant) -> Traded:
        """Sign what `/token` gives for another token: its subject, and who acts for it."""
        life = lifetime(deal, now)
        claims = self._standard(deal.subject.sub, deal.subject.groups, deal.workflow, life, now)
        claims[ORIGIN] = msgspec.to_builtins(deal.origin)
        for actor in reversed(deal.actors):
            act: dict[str, object] = {"iss": actor.iss, "sub": actor.sub}
            claims["act"] = act | ({"act": claims["act"]} if "act" in claims else {})
        return Traded(token=self._sign(claims), jti=str(claims["jti"]), life=life)

    def _standard(
        self, subject: str, groups: Sequence[str], workflow: str | None, life: int, now: Instant
    ) -> dict[str, object]:
        issued = now // SECOND
        claims: dict[str, object] = {
            "iss": self._config.issuer,
            "aud": self._config.audience,
            "sub": subject,
            "jti": secrets.token_hex(16),
            "iat": issued,
            "exp": issued + life,
        }
        if groups:
            claims[self._claims.groups] = list(groups)
        if workflow is not None:
            claims[self._claims.workflow] = workflow
        return claims

    def _sign(self, claims: dict[str, object]) -> str:
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._kid})


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = f"{path}: holds no private key that can be read; expected PKCS#8 PEM"
        raise ValueError(msg) from error
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"{path}: expected an Ed25519 key"
        raise ValueError(msg)  # noqa: TRY004 - a wrong file, not a wrong type in the program
    return key


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """Give the public key as a JWK (RFC 8037 §2)."""
    return {"alg": "EdDSA", "crv": "Ed25519", "kid": _thumbprint(key), "kty": "OKP", "use": "sig", "x": _x(key)}


def _thumbprint(key: Ed25519PublicKey) -> str:
    """Name a key by its JWK thumbprint (RFC 7638 §3; members for OKP: RFC 8037 §2)."""
    return _base64url(hashlib.sha256(canonical_json({"crv": "Ed25519", "kty": "OKP", "x": _x(key)})).digest())


def _x(key: Ed25519PublicKey) -> str:
    return _base64url(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that was not there, whole or not at all, with its folders private."""
    for folder in reversed([path.parent, *path.parent.parents]):
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask took or left
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.link(draft, path)  # unlike a rename, it never replaces
    finally:
        draft.unlink()
