import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from forgery import EC, EC_384, ED, RSA, WEAK_RSA, jwk
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from gatekeeper.identity.keys import JWKS_LIMIT, KeySet

KOBLITZ = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256K1()).public_key(), as_dict=True)
ED448 = OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key(), as_dict=True)
RSA_ALL = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def jwks(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


@pytest.mark.parametrize(
    ("key", "algorithms"),
    [
        (jwk(ED), {"EdDSA"}),
        (jwk(EC), {"ES256"}),
        (jwk(EC_384), {"ES384"}),
        (jwk(RSA), RSA_ALL),
        (jwk(RSA, alg="PS256"), {"PS256"}),
        (jwk(RSA, use="sig", key_ops=["verify"]), RSA_ALL),
    ],
)
def test_a_key_serves_the_algorithms_of_its_type(key: object, algorithms: set[str]) -> None:
    assert KeySet.parse(jwks(key)).keys[0].algorithms == algorithms


@pytest.mark.parametrize(
    "key",
    [
        jwk(ED, use="enc"),
        jwk(ED, key_ops=["sign"]),
        jwk(ED, key_ops="verify"),
        jwk(RSA, alg="RSA-OAEP"),
        jwk(ED, alg="ES256"),
        KOBLITZ,
        ED448,
        {"kty": "oct", "k": "AAAA", "alg": "HS256"},
        {"kty": "new"},
        {},
    ],
)
def test_a_key_that_can_not_verify_is_passed_over(key: object) -> None:
    assert len(KeySet.parse(jwks(key, jwk(ED, kid="good"))).keys) == 1
    with pytest.raises(ValueError, match="no key that could verify"):
        KeySet.parse(jwks(key))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON object"),
        (b"[]", "no JSON object"),
        (b'{"keys": [], "keys": []}', "twice"),
        (b"{}", "list under 'keys'"),
        (b'{"keys": {}}', "list under 'keys'"),
        (jwks("text"), "list under 'keys'"),
        (jwks(), "no key that could verify"),
        (jwks({**jwk(ED), "d": "AAAA"}), "private key"),
        (jwks({**jwk(ED), "x": "AAAA"}), "can't be read"),
        (jwks({**jwk(EC), "x": "AAAA"}), "can't be read"),
        (jwks({**jwk(RSA), "n": None}), "can't be read"),
        (jwks({"kty": "RSA"}), "can't be read"),
        (jwks(jwk(WEAK_RSA)), "under 2048 bits"),
        (jwks(jwk(ED, kid="a"), jwk(EC, kid="a")), "same kid"),
        (jwks(jwk(ED, kid=7)), "kid"),
        (b" " * (JWKS_LIMIT + 1), "longer"),
    ],
)
def test_a_broken_set_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KeySet.parse(data)


VALUES = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=2), max_size=2)
FIELDS = ["kty", "crv", "x", "y", "n", "e", "alg", "use", "kid", "key_ops", "d"]


@given(st.sampled_from([jwk(ED), jwk(EC), jwk(RSA)]), st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_a_key_with_anything_in_its_fields_is_read_or_refused(
    key: dict[str, object], changes: dict[str, object]
) -> None:
    try:
        read = KeySet.parse(jwks({**key, **changes}))
    except ValueError:
        return
    assert read.keys
