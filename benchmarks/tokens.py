"""Keys of a made-up issuer, and tokens that it signs."""

import json
import time
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER: Final = "https://issuer.example"
KEYS: Final = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
}


def key_set(extra: int = 0) -> bytes:
    """Give the public keys, with others that nobody signs with."""
    listed = [
        {**OKPAlgorithm.to_jwk(KEYS["EdDSA"].public_key(), as_dict=True), "kid": "EdDSA"},
        {**ECAlgorithm.to_jwk(KEYS["ES256"].public_key(), as_dict=True), "kid": "ES256"},
        {**RSAAlgorithm.to_jwk(KEYS["RS256"].public_key(), as_dict=True), "kid": "RS256"},
    ]
    for jwk in listed:
        jwk.pop("key_ops", None)
    listed += [{**listed[2], "kid": f"other-{number}"} for number in range(extra)]
    return json.dumps({"keys": listed}).encode()


def token(alg: str, number: int, kid: str | None = None, issuer: str = ISSUER) -> str:
    """Sign one, as a provider would."""
    at = int(time.time())
    claims = {
        "iss": issuer, "aud": "gatekeeper", "sub": f"bot-{number}", "iat": at, "exp": at + 900, "jti": f"{number:032x}",
        "groups": ["finance", "agents"], "workflow": "monthly-close",
    }  # fmt: skip
    return jwt.encode(claims, KEYS[alg], algorithm=alg, headers={"kid": kid or alg})
