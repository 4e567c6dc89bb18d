import json
import os
import time
from pathlib import Path

import pytest
from forgery import (
    ABSENT,
    EC,
    EC_384,
    ED,
    ED_2,
    INSTANT,
    ISSUER,
    MANY,
    NOW,
    RSA,
    STRANGER,
    WEAK_RSA,
    base64url,
    claims,
    forge,
    header,
    identity_config,
    jwk,
    write_jwks,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper.config import ConfigError
from gatekeeper.exchange import Instant, Reason
from gatekeeper.identity import IdentityError, Verifier
from gatekeeper.identity.token import read_object, read_token
from gatekeeper.identity.verifier import SEEN_LIMIT


def twice(fields: dict[str, object], key: str, value: object) -> bytes:
    """JSON in which one key stands twice."""
    return (json.dumps(fields)[:-1] + f", {json.dumps(key)}: {json.dumps(value)}}}").encode()


def raw(fields: dict[str, object], old: str, new: str) -> bytes:
    text = json.dumps(fields)
    assert old in text
    return text.replace(old, new).encode()


def parts(token: str) -> list[str]:
    return token.split(".")


VALID = forge(header(), claims())
HEAD, BODY, SIGNATURE = parts(VALID)
MANY_GROUPS = [f"group-{number}" for number in range(257)]

BAD, EXPIRED, UNKNOWN = Reason.BAD_TOKEN, Reason.EXPIRED_TOKEN, Reason.UNKNOWN_ISSUER

REFUSED = {
    # form
    "empty": ("", BAD, "three parts"),
    "two parts": (f"{HEAD}.{BODY}", BAD, "three parts"),
    "five parts, as encrypted tokens have": (f"{VALID}.AA.AA", BAD, "three parts"),
    "no signature": (f"{HEAD}.{BODY}.", BAD, "base64url"),
    "no header": (f".{BODY}.{SIGNATURE}", BAD, "base64url"),
    "no claims": (f"{HEAD}..{SIGNATURE}", BAD, "base64url"),
    "padding": (f"{HEAD}.{BODY}.{SIGNATURE}==", BAD, "base64url"),
    "a space around it": (f" {VALID}", BAD, "base64url"),
    "a line end after it": (f"{VALID}\n", BAD, "base64url"),
    "the other base64 alphabet": (f"{HEAD}.{BODY}.{SIGNATURE[:-2]}+/", BAD, "base64url"),
    "a length that no base64 has": (f"{HEAD}.{BODY}.AAAAA", BAD, "base64url"),
    "left-over bits": (f"{HEAD}.{BODY}.{SIGNATURE[:-1]}{chr(ord(SIGNATURE[-1]) + 1)}", BAD, "one spelling"),
    "not ASCII": (f"{HEAD}.{BODY}.{SIGNATURE}é", BAD, "characters"),
    "a lone surrogate": (f"{HEAD}.{BODY}.\udc80", BAD, "characters"),
    "over 16 KiB": (forge(header(), claims(padding="x" * 13_000)), BAD, "longer"),
    "header no JSON": (forge(b"{", claims()), BAD, "not JSON"),
    "header no object": (forge([1], claims()), BAD, "not JSON"),
    "header not UTF-8": (forge(b'{"alg": "EdDSA", "x": "\xff"}', claims()), BAD, "not JSON"),
    "header in UTF-16": (forge(json.dumps(header()).encode("utf-16"), claims()), BAD, "not JSON"),
    "claims no JSON": (forge(header(), b"nothing"), BAD, "not JSON"),
    "claims a text": (forge(header(), "claims"), BAD, "not JSON"),
    "claims nested deep": (forge(header(), b'{"x": ' + b"[" * 12_000), BAD, "not JSON"),
    "a key twice in the header": (forge(twice(header(), "alg", "EdDSA"), claims()), BAD, "twice"),
    "a key twice in the claims": (forge(header(), twice(claims(), "sub", "admin")), BAD, "twice"),
    "a key twice, once escaped": (forge(header(), raw(claims(), "{", '{"s\\u0075b": "admin", ')), BAD, "twice"),
    "a key twice in depth": (forge(header(), raw(claims(), "{", '{"x": {"a": 1, "a": 2}, ')), BAD, "twice"),
    "not a number": (forge(header(), raw(claims(), "{", '{"x": NaN, ')), BAD, "not JSON"),
    # header
    "no alg": (forge(header(alg=ABSENT), claims()), BAD, "names no algorithm"),
    "alg no text": (forge(header(alg=1), claims()), BAD, "names no algorithm"),
    "alg none": (f"{base64url(json.dumps(header(alg='none')).encode())}.{BODY}.AA", BAD, "not among"),
    "alg None": (forge(header(alg="None"), claims()), BAD, "not among"),
    "alg in other case": (forge(header(alg="eddsa"), claims()), BAD, "not among"),
    "alg symmetric": (forge(header(alg="HS256"), claims()), BAD, "not among"),
    "alg of another issuer": (forge(header(alg="ES256"), claims(), EC), BAD, "not among"),
    "kid unknown": (forge(header(kid="b"), claims()), BAD, "does not list"),
    "kid no text": (forge(header(kid=7), claims()), BAD, "kid is no short text"),
    "kid empty": (forge(header(kid=""), claims()), BAD, "kid is no short text"),
    "kid null": (forge(header(kid=None), claims()), BAD, "kid is no short text"),
    "kid a path": (forge(header(kid="../../dev/null"), claims()), BAD, "does not list"),
    "kid missing where there are several keys": (forge(header(kid=ABSENT), claims(iss=MANY.issuer)), BAD, "several"),
    "typ of another kind": (forge(header(typ="dpop+jwt"), claims()), BAD, "typ"),
    "typ no text": (forge(header(typ=None), claims()), BAD, "typ"),
    **{
        f"header {name}": (forge(header(**{name: value}), claims()), BAD, f"header has {name},")
        for name, value in {
            "b64": True, "crit": [], "cty": "JWT", "enc": "A128GCM", "jku": "https://one.example/keys",
            "jwk": jwk(ED), "x5c": ["AA=="], "x5u": "https://one.example/cert", "zip": "DEF",
        }.items()
    },
    # key and signature
    "a stranger's key": (forge(header(), claims(), STRANGER), BAD, "signature"),
    "a key in the header, which signed": (
        forge(header(jwk=jwk(STRANGER)), claims(), STRANGER), BAD, "header has jwk",
    ),
    "claims exchanged": (f"{HEAD}.{parts(forge(header(), claims(sub=1), STRANGER))[1]}.{SIGNATURE}", BAD, "signature"),
    "header exchanged": (f"{parts(forge(header(typ='at+jwt'), claims()))[0]}.{BODY}.{SIGNATURE}", BAD, "signature"),
    "signature cut": (f"{HEAD}.{BODY}.{base64url(b'x' * 63)}", BAD, "signature"),
    "signature empty bytes": (f"{HEAD}.{BODY}.{base64url(bytes(64))}", BAD, "signature"),
    "alg for a key of another type": (forge(header(alg="RS256"), claims(iss=MANY.issuer)), BAD, "does not fit"),
    "alg for a key of another curve": (
        forge(header(alg="ES256", kid="ec384"), claims(iss=MANY.issuer), EC_384), BAD, "does not fit",
    ),
    "alg other than the key's own": (
        forge(header(alg="PS256", kid="rs-only"), claims(iss=MANY.issuer), RSA), BAD, "does not fit",
    ),
    "a key for encryption": (
        forge(header(alg="RS256", kid="for-encryption"), claims(iss=MANY.issuer), RSA), BAD, "does not list",
    ),
    "another issuer's key": (forge(header(kid="ec", alg="ES256"), claims(), EC), BAD, "not among"),
    "ECDSA signature in DER": (
        forge(header(alg="ES256", kid="ec"), claims(iss=MANY.issuer), EC).rpartition(".")[0] + ".MAYCAQECAQE",
        BAD, "signature",
    ),
    "ECDSA signature of zeros": (
        forge(header(alg="ES256", kid="ec"), claims(iss=MANY.issuer), EC).rpartition(".")[0] + "." + "A" * 86,
        BAD, "signature",
    ),
    # issuer and audience
    "no iss": (forge(header(), claims(iss=ABSENT)), BAD, "iss"),
    "iss no text": (forge(header(), claims(iss=[ISSUER.issuer])), BAD, "iss"),
    "iss unknown": (forge(header(), claims(iss="https://evil.example")), UNKNOWN, "issuer"),
    "iss with a slash more": (forge(header(), claims(iss=ISSUER.issuer + "/")), UNKNOWN, "issuer"),
    "iss in other case": (forge(header(), claims(iss=ISSUER.issuer.upper())), UNKNOWN, "issuer"),
    "no aud": (forge(header(), claims(aud=ABSENT)), BAD, "audience"),
    "aud another": (forge(header(), claims(aud="api")), BAD, "audience"),
    "aud null": (forge(header(), claims(aud=None)), BAD, "audience"),
    "aud empty list": (forge(header(), claims(aud=[])), BAD, "one audience"),
    "aud several, ours among them": (forge(header(), claims(aud=["gatekeeper", "api"])), BAD, "one audience"),
    "aud ours twice": (forge(header(), claims(aud=["gatekeeper", "gatekeeper"])), BAD, "one audience"),
    "aud nested": (forge(header(), claims(aud=[["gatekeeper"]])), BAD, "audience"),
    # times
    "no exp": (forge(header(), claims(exp=ABSENT)), BAD, "exp"),
    "exp a text": (forge(header(), claims(exp=str(NOW + 600))), BAD, "exp"),
    "exp a fraction": (forge(header(), claims(exp=NOW + 600.5)), BAD, "exp"),
    "exp a whole fraction": (forge(header(), claims(exp=float(NOW + 600))), BAD, "exp"),
    "exp with an exponent": (forge(header(), raw(claims(exp=77), "77", "1.8000006e9")), BAD, "exp"),
    "exp true": (forge(header(), claims(exp=True)), BAD, "exp"),
    "exp endless": (forge(header(), raw(claims(exp=77), "77", "1" + "0" * 300)), BAD, "longer than this issuer"),
    "exp past all digits": (forge(header(), raw(claims(exp=77), "77", "1" * 5000)), BAD, "not JSON"),
    "expired": (forge(header(), claims(iat=NOW - 700, exp=NOW - 31)), EXPIRED, "expired"),
    "expired to the second": (forge(header(), claims(iat=NOW - 700, exp=NOW - 30)), EXPIRED, "expired"),
    "no iat": (forge(header(), claims(iat=ABSENT)), BAD, "iat"),
    "iat a text": (forge(header(), claims(iat=str(NOW))), BAD, "iat"),
    "iat in the future": (forge(header(), claims(iat=NOW + 31)), BAD, "future"),
    "exp before iat": (forge(header(), claims(iat=NOW + 20, exp=NOW + 10)), BAD, "before"),
    "lives too long": (forge(header(), claims(iat=NOW - 10, exp=NOW - 10 + 3601)), BAD, "longer than this issuer"),
    "issued before all times": (forge(header(), claims(iat=-(10**15))), BAD, "longer than this issuer"),
    "nbf in the future": (forge(header(), claims(nbf=NOW + 31)), BAD, "nbf"),
    "nbf a text": (forge(header(), claims(nbf="soon")), BAD, "nbf"),
    # subject and what belongs to it
    "no sub": (forge(header(), claims(sub=ABSENT)), BAD, "sub"),
    "sub empty": (forge(header(), claims(sub="")), BAD, "sub"),
    "sub a number": (forge(header(), claims(sub=7)), BAD, "sub"),
    "sub over 256 characters": (forge(header(), claims(sub="x" * 257)), BAD, "sub"),
    "sub with a line end": (forge(header(), claims(sub="a\nb")), BAD, "sub"),
    "sub with NUL": (forge(header(), claims(sub="a\0")), BAD, "sub"),
    "sub with a space after it": (forge(header(), claims(sub="admin ")), BAD, "sub"),
    "sub with a turn of direction": (forge(header(), claims(sub="a\u202eb")), BAD, "sub"),
    "sub with a lone surrogate": (forge(header(), raw(claims(), "billing-bot", "\\ud800")), BAD, "sub"),
    "jti no text": (forge(header(), claims(jti=1)), BAD, "jti"),
    "groups a text": (forge(header(), claims(groups="admins")), BAD, "groups"),
    "groups with a number": (forge(header(), claims(groups=["a", 1])), BAD, "groups"),
    "groups with an empty text": (forge(header(), claims(groups=[""])), BAD, "groups"),
    "groups over 256": (forge(header(), claims(groups=MANY_GROUPS)), BAD, "groups"),
    "workflow no text": (forge(header(), claims(workflow=None)), BAD, "workflow"),
    "workflow empty": (forge(header(), claims(workflow="")), BAD, "workflow"),
    "bound to a key": (forge(header(), claims(cnf={"x5t#S256": "AA"})), BAD, "cnf"),
}  # fmt: skip


@pytest.mark.parametrize(("token", "reason", "said"), REFUSED.values(), ids=REFUSED)
def test_refuses(verifier: Verifier, token: str, reason: Reason, said: str) -> None:
    with pytest.raises(IdentityError, match=said) as caught:
        verifier.verify(token, INSTANT)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)


ACCEPTED = {
    "as issued": (header(), claims(), ED),
    "no typ": (header(typ=ABSENT), claims(), ED),
    "typ of access tokens": (header(typ="application/at+JWT"), claims(), ED),
    "a thumbprint of a certificate": (header(x5t="AAAA"), claims(), ED),
    "no kid where there is one key": (header(kid=ABSENT), claims(), ED),
    "audience in a list": (header(), claims(aud=["gatekeeper"]), ED),
    "expired within the leeway": (header(), claims(iat=NOW - 600, exp=NOW - 29), ED),
    "issued ahead within the leeway": (header(), claims(iat=NOW + 30), ED),
    "valid from within the leeway": (header(), claims(nbf=NOW + 30), ED),
    "the longest life": (header(), claims(iat=NOW, exp=NOW + 3600), ED),
    "the longest sub": (header(), claims(sub="x" * 256), ED),
    "ES256": (header(alg="ES256", kid="ec"), claims(iss=MANY.issuer), EC),
    "RS256": (header(alg="RS256", kid="rsa"), claims(iss=MANY.issuer), RSA),
    "RS256 with a key for it alone": (header(alg="RS256", kid="rs-only"), claims(iss=MANY.issuer), RSA),
}


@pytest.mark.parametrize(("head", "body", "key"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepts(verifier: Verifier, head: object, body: dict[str, object], key: object) -> None:
    assert verifier.verify(forge(head, body, key), INSTANT).sub == body["sub"]


def test_json_nested_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="too deep"):
        read_object(b"[" * 1_000_000)


def test_gives_the_subject_with_all_that_its_token_says(verifier: Verifier) -> None:
    token = forge(header(), claims(groups=["a", "b"], workflow="invoices", jti="7"))
    subject = verifier.verify(token, INSTANT)
    assert (subject.iss, subject.sub, subject.groups) == (ISSUER.issuer, "billing-bot", ("a", "b"))
    assert (subject.workflow, subject.jti, subject.expires) == ("invoices", "7", (NOW + 600) * 1_000_000)
    assert len(subject.token) == 64
    assert token not in repr(subject)


def test_a_token_in_its_parts_shows_none_of_them() -> None:
    assert "billing-bot" not in repr(read_token(VALID))


def test_every_flipped_bit_of_a_valid_token_is_refused(verifier: Verifier) -> None:
    for place, letter in enumerate(VALID):
        other = "A" if letter != "A" else "B"
        with pytest.raises(IdentityError):
            verifier.verify(VALID[:place] + other + VALID[place + 1 :], INSTANT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))))
def test_text_of_any_kind_is_refused_with_a_reason(verifier: Verifier, text: str) -> None:
    with pytest.raises(IdentityError):
        verifier.verify(text, INSTANT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = ["iss", "aud", "sub", "iat", "exp", "nbf", "jti", "groups", "workflow", "cnf"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(CLAIMS), JSON, min_size=1),
    st.dictionaries(st.sampled_from(["alg", "kid", "typ"]), JSON),
)
def test_signed_nonsense_is_verified_or_refused_and_nothing_else(
    verifier: Verifier, body: dict[str, object], head: dict[str, object]
) -> None:
    try:
        subject = verifier.verify(forge(header(**head), claims(**body)), INSTANT)
    except IdentityError:
        return
    assert subject.sub


def test_a_token_seen_before_still_expires(verifier: Verifier) -> None:
    verifier.verify(VALID, INSTANT)
    assert verifier.verify(VALID, Instant((NOW + 629) * 1_000_000)).sub == "billing-bot"
    with pytest.raises(IdentityError) as caught:
        verifier.verify(VALID, Instant((NOW + 630) * 1_000_000))
    assert caught.value.reason is Reason.EXPIRED_TOKEN


def test_a_token_seen_before_is_not_checked_again(verifier: Verifier) -> None:
    assert verifier.verify(VALID, INSTANT) is verifier.verify(VALID, INSTANT)


def test_remembers_no_more_tokens_than_its_limit(verifier: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SEEN_LIMIT >= 1000
    monkeypatch.setattr("gatekeeper.identity.verifier.SEEN_LIMIT", 3)
    for number in range(5):
        verifier.verify(forge(header(), claims(jti=str(number))), INSTANT)
    assert len(verifier._seen) == 3


def later(seconds: float) -> Instant:
    return Instant(INSTANT + int(seconds * 1_000_000))


def change(path: Path, *keys: dict[str, object]) -> None:
    write_jwks(path, *keys)
    os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns + 1_000_000_000))


def test_a_key_that_is_added_to_the_file_is_known_within_a_second(verifier: Verifier, jwks: Path) -> None:
    token = forge(header(kid="b"), claims(), ED_2)
    with pytest.raises(IdentityError):
        verifier.verify(token, INSTANT)
    change(jwks, jwk(ED, kid="a"), jwk(ED_2, kid="b"))
    with pytest.raises(IdentityError):
        verifier.verify(token, later(0.9))
    assert verifier.verify(token, later(1)).sub == "billing-bot"


def test_a_key_that_is_taken_out_takes_its_tokens_with_it(verifier: Verifier, jwks: Path) -> None:
    verifier.verify(VALID, INSTANT)
    change(jwks, jwk(ED_2, kid="b"))
    with pytest.raises(IdentityError, match="does not list"):
        verifier.verify(VALID, later(1))


def test_the_files_are_looked_at_again_when_the_clock_was_set_back(verifier: Verifier, jwks: Path) -> None:
    verifier.verify(VALID, INSTANT)
    change(jwks, jwk(ED_2, kid="b"))
    with pytest.raises(IdentityError, match="does not list"):
        verifier.verify(VALID, later(-5))


@pytest.mark.parametrize("text", ["", "{", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA"}]}'])
def test_a_file_that_breaks_leaves_the_known_keys_and_says_so(verifier: Verifier, jwks: Path, text: str) -> None:
    jwks.write_text(text)
    assert verifier.verify(VALID, INSTANT).sub == "billing-bot"
    assert str(jwks) in verifier.problems[0]
    change(jwks, jwk(ED, kid="a"))
    verifier.verify(VALID, later(1))
    assert verifier.problems == ()


def test_a_file_that_goes_away_leaves_the_known_keys(verifier: Verifier, jwks: Path) -> None:
    jwks.unlink()
    assert verifier.verify(VALID, INSTANT).sub == "billing-bot"
    assert "No such file" in verifier.problems[0]


def test_a_broken_file_does_not_keep_another_from_being_read(tmp_path: Path, jwks: Path, verifier: Verifier) -> None:
    jwks.unlink()
    change(tmp_path / "many.json", jwk(ED_2, kid="new"))
    assert verifier.verify(forge(header(kid="new"), claims(iss=MANY.issuer), ED_2), INSTANT).iss == MANY.issuer


def test_load_names_the_key_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^identity\.issuers\[0\]\.jwks: .*No such file"):
        Verifier.load(identity_config(tmp_path / "none.json"))


def test_load_refuses_a_weak_key(tmp_path: Path) -> None:
    weak = write_jwks(tmp_path / "weak.json", jwk(WEAK_RSA, kid="w"))
    with pytest.raises(ConfigError, match=r"identity\.issuers\[0\]\.jwks: .*RSA key under 2048 bits"):
        Verifier.load(identity_config(weak))
