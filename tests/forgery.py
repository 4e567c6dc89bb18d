"""Keys, and tokens forged with them: valid ones with one thing changed."""

import base64
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gatekeeper.config import IdentityConfig, IssuerConfig
from gatekeeper.exchange import Instant

NOW = 1_800_000_000
ABSENT = object()  # as a value: the field is left out
INSTANT = Instant(NOW * 1_000_000)

type PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

ED = ed25519.Ed25519PrivateKey.generate()
ED_2 = ed25519.Ed25519PrivateKey.generate()
STRANGER = ed25519.Ed25519PrivateKey.generate()
EC = ec.generate_private_key(ec.SECP256R1())
EC_384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)
WEAK_RSA = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak is what is tested

ISSUER = IssuerConfig(issuer="https://one.example", jwks="", algorithms=("EdDSA",))
MANY = IssuerConfig(issuer="https://many.example", jwks="", algorithms=("EdDSA", "ES256", "RS256", "PS256"))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(key: PrivateKey, **fields: object) -> dict[str, object]:
    public = key.public_key()
    match public:
        case ed25519.Ed25519PublicKey():
            made = OKPAlgorithm.to_jwk(public, as_dict=True)
        case ec.EllipticCurvePublicKey():
            made = ECAlgorithm.to_jwk(public, as_dict=True)
        case _:
            made = RSAAlgorithm.to_jwk(public, as_dict=True)
    made.pop("key_ops", None)
    return {**made, **fields}


def sign(key: PrivateKey, data: bytes) -> bytes:
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)
        case ec.EllipticCurvePrivateKey():
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
            size = (key.key_size + 7) // 8
            return r.to_bytes(size) + s.to_bytes(size)
        case _:
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def header(**changes: object) -> dict[str, object]:
    return _changed({"alg": "EdDSA", "kid": "a", "typ": "JWT"}, changes)


def claims(**changes: object) -> dict[str, object]:
    valid = {"iss": ISSUER.issuer, "aud": "gatekeeper", "sub": "billing-bot", "iat": NOW - 10, "exp": NOW + 600}
    return _changed(valid, changes)


def forge(head: object, body: object, key: PrivateKey = ED) -> str:
    """Sign whatever is given; bytes are taken as they are, so that broken JSON can be signed too."""
    signed = ".".join(
        base64url(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (head, body)
    )
    return f"{signed}.{base64url(sign(key, signed.encode()))}"


def write_jwks(path: Path, *keys: dict[str, object]) -> Path:
    path.write_text(json.dumps({"keys": keys}))
    return path


def identity_config(one: Path, many: Path | None = None) -> IdentityConfig:
    issuers = [IssuerConfig(issuer=ISSUER.issuer, jwks=str(one), algorithms=ISSUER.algorithms)]
    if many is not None:
        issuers.append(IssuerConfig(issuer=MANY.issuer, jwks=str(many), algorithms=MANY.algorithms))
    return IdentityConfig(issuers=tuple(issuers))


def _changed(fields: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    changed = {**fields, **changes}
    return {name: value for name, value in changed.items() if value is not ABSENT}
