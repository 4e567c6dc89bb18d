"""A verifier over real JWK Set files."""

from pathlib import Path

import pytest
from forgery import EC, EC_384, ED, RSA, identity_config, jwk, write_jwks

from gatekeeper.identity import Verifier


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    return write_jwks(tmp_path / "one.json", jwk(ED, kid="a"))


@pytest.fixture
def verifier(tmp_path: Path, jwks: Path) -> Verifier:
    many = write_jwks(
        tmp_path / "many.json",
        jwk(ED, kid="a"), jwk(EC, kid="ec"), jwk(EC_384, kid="ec384"), jwk(RSA, kid="rsa"),
        jwk(RSA, kid="rs-only", alg="RS256"), jwk(RSA, kid="for-encryption", use="enc"),
    )  # fmt: skip
    return Verifier.load(identity_config(jwks, many))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
