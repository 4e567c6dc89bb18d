"""Whatever comes where a credential, a token, a key set or a discovery document is read: a reason, never a fault."""

import base64
import json

import pytest
from forgery import ED, INSTANT, ISSUER, claims, forge, header, identity_config, jwk, write_jwks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper.identity import IdentityError, KeySet, TradeRefused, Verifier, read_offer, read_proxy_credential
from gatekeeper.identity.fetch import check_address, read_discovery
from gatekeeper.identity.pointer import read_pointer
from gatekeeper.identity.profiles import trust_domain

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
LATIN = st.text(st.characters(max_codepoint=255), max_size=200)
BASIC = st.binary(max_size=80).map(lambda data: "Basic " + base64.b64encode(data).decode())
SCHEMES = st.sampled_from(["Basic ", "Bearer ", "bearer\t", "BASIC  ", "Digest ", ""])
CREDENTIALS = st.one_of(LATIN, BASIC, st.builds(str.__add__, SCHEMES, LATIN))


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    folder = tmp_path_factory.mktemp("fuzz")
    return Verifier.load(identity_config(write_jwks(folder / "one.json", jwk(ED, kid="a"))))


@given(st.lists(CREDENTIALS, max_size=3))
def test_credentials(values: list[str]) -> None:
    try:
        found = read_proxy_credential(values)
    except IdentityError:
        return
    assert found is None or (found.isascii() and found and " " not in found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()), max_size=5)
)
def test_tokens_of_any_bytes(verifier: Verifier, parts: list[str]) -> None:
    with pytest.raises(IdentityError):
        verifier.verify(".".join(parts), INSTANT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["act", "cnf", "may_act", "gatekeeper_origin", "_claim_names", "nbf"]), JSON))
def test_signed_claims_of_any_form(verifier: Verifier, body: dict[str, object]) -> None:
    try:
        subject = verifier.verify(forge(header(), claims(**body)), INSTANT)
    except IdentityError:
        return
    assert subject.iss == ISSUER.issuer
    assert subject.bound is None


@given(st.one_of(st.binary(max_size=300), JSON.map(lambda value: json.dumps(value).encode())))
def test_documents(data: bytes) -> None:
    for read in (KeySet.parse, lambda raw: read_discovery(raw, ISSUER.issuer)):
        with pytest.raises(ValueError, match=r"^(?!.*\n).*$"):
            read(data)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops", "k"]), JSON)
    )
)
def test_key_sets(listed: list[dict[str, object]]) -> None:
    try:
        keys = KeySet.parse(json.dumps({"keys": listed}).encode())
    except ValueError:
        return
    assert keys.keys


@given(st.text(max_size=60))
def test_addresses(url: str) -> None:
    try:
        check_address(url)
    except ValueError:
        return
    assert url.startswith(("https://", "HTTPS://")) or url.lower().startswith("https://")


@given(st.binary(max_size=200))
def test_forms(body: bytes) -> None:
    with pytest.raises(TradeRefused):
        read_offer(body, "gatekeeper")


@given(st.text(max_size=30), JSON)
def test_pointers_find_what_is_there_or_nothing(place: str, value: object) -> None:
    pointer = read_pointer(place)
    built: object = value
    for name in reversed(pointer):
        built = {name: built}
    assert isinstance(built, dict)
    assert pointer.find(built) == value
    pointer.find({"other": value})


@given(st.text(max_size=40).map("spiffe://".__add__) | st.text(max_size=40))
def test_spiffe_ids(text: str) -> None:
    domain = trust_domain(text)
    assert domain is None or text.startswith(f"spiffe://{domain}")
