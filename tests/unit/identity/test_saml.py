"""SAML 2.0 assertions: the one that is good, and those that are not."""

import base64
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from minisignxml.sign import sign
from security.conftest import Check, taken_out

from gatekeeper.config import ConfigError
from gatekeeper.config.model import SamlConfig
from gatekeeper.exchange import Reason, now
from gatekeeper.identity import IdentityError
from gatekeeper.identity.saml import BEARER, SamlProvider, read_assertion

ISSUER = "https://idp.example/metadata"
RECIPIENT = "https://gateway.example:8443/token"
UTC = "%Y-%m-%dT%H:%M:%SZ"
NAMESPACE = "urn:oasis:names:tc:SAML:2.0:assertion"


def certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    today, name = dt.datetime.now(dt.UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


KEY, STRANGER = (rsa.generate_private_key(65537, 2048) for _ in range(2))
CERTIFICATE = certificate(KEY)


def assertion(**changes: str) -> str:
    now = dt.datetime.now(dt.UTC)
    fields = {
        "issuer": ISSUER,
        "name": "alice",
        "audience": "gatekeeper",
        "begins": (now - dt.timedelta(minutes=1)).strftime(UTC),
        "ends": (now + dt.timedelta(minutes=4)).strftime(UTC),
        "group": "finance",
        "method": BEARER,
        "shown": f'Recipient="{RECIPIENT}" NotOnOrAfter="{(now + dt.timedelta(minutes=4)).strftime(UTC)}"',
        "condition": "",
        **changes,
    }
    return """<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1" Version="2.0"
  IssueInstant="{begins}"><saml:Issuer>{issuer}</saml:Issuer><saml:Subject><saml:NameID>{name}</saml:NameID>
  <saml:SubjectConfirmation Method="{method}"><saml:SubjectConfirmationData
  {shown}/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{begins}"
  NotOnOrAfter="{ends}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>
  </saml:AudienceRestriction>{condition}</saml:Conditions><saml:AuthnStatement AuthnInstant="{begins}"/>
  <saml:AttributeStatement><saml:Attribute Name="memberOf"><saml:AttributeValue>{group}</saml:AttributeValue>
  </saml:Attribute></saml:AttributeStatement></saml:Assertion>""".format(**fields)


def signed(text: str, key: rsa.RSAPrivateKey = KEY, shown: x509.Certificate = CERTIFICATE) -> bytes:
    return sign(element=etree.fromstring(text), private_key=key, certificate=shown, index=1)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def provider(tmp_path: Path) -> SamlProvider:
    (tmp_path / "idp.pem").write_bytes(CERTIFICATE.public_bytes(serialization.Encoding.PEM))
    return SamlProvider.load(
        0, SamlConfig(issuer=ISSUER, certificates=tmp_path / "idp.pem", recipient=RECIPIENT, groups="memberOf")
    )


def test_an_assertion_names_its_subject_and_groups(provider: SamlProvider) -> None:
    subject = read_assertion(encoded(signed(assertion())), [provider], now())
    assert (subject.iss, subject.sub, subject.groups) == (ISSUER, "alice", ("finance",))
    assert subject.keys[0].sub == "7"


def wrapped() -> bytes:
    """Put the signed assertion inside another, which is not (signature wrapping)."""
    outer = etree.fromstring(assertion(name="admin"))
    outer.set("ID", "_2")
    outer.append(etree.fromstring(signed(assertion())))
    return etree.tostring(outer)


OTHERS = "<saml:AudienceRestriction><saml:Audience>https://other.example</saml:Audience></saml:AudienceRestriction>"
TWO = "gatekeeper</saml:Audience><saml:Audience>https://other.example"
REFUSED: dict[str, Callable[[], bytes]] = {
    "not signed": lambda: assertion().encode(),
    "a stranger's": lambda: signed(assertion(), STRANGER, certificate(STRANGER)),
    "a stranger's key under our certificate": lambda: signed(assertion(), STRANGER),
    "another issuer": lambda: signed(assertion(issuer="https://evil.example")),
    "another audience": lambda: signed(assertion(audience="https://other.example")),
    "another audience too": lambda: signed(assertion(condition=OTHERS)),
    "two audiences": lambda: signed(assertion(audience=TWO)),
    "over": lambda: signed(assertion(ends="2020-01-01T00:00:00Z")),
    "not yet": lambda: signed(assertion(begins="2199-01-01T00:00:00Z", ends="2199-01-01T01:00:00Z")),
    "changed": lambda: signed(assertion()).replace(b">alice<", b">admin<"),
    "no subject": lambda: signed(assertion(name="")),
    "a group that is no text": lambda: signed(assertion(group="")),
    "no XML": lambda: b"nothing",
    "empty": lambda: b"",
    "entities": lambda: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + signed(assertion()),
    "long": lambda: b"<a>" + b" " * 50_000 + b"</a>",
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_refuses(provider: SamlProvider, make: Callable[[], bytes]) -> None:
    with pytest.raises(IdentityError, match="the assertion") as caught:
        read_assertion(encoded(make()), [provider], now())
    assert caught.value.reason is Reason.BAD_TOKEN


def shown(*fields: str, ends: float = 4) -> str:
    """Give the attributes of a confirmation's data; `ends` in minutes from now."""
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=ends)).strftime(UTC)
    return " ".join((*fields, f'NotOnOrAfter="{until}"'))


HERE = f'Recipient="{RECIPIENT}"'
SAML = "gatekeeper.identity.saml"
CONFIRMED = Check.of(f"{SAML}:is_confirmed", lambda *_: True)
CONDITIONS = Check.of(f"{SAML}:check_conditions", lambda *_: None)
NOT_FOR_HERE: dict[str, tuple[Check, dict[str, str]]] = {
    "shown to another": (CONFIRMED, {"shown": shown('Recipient="https://other.example/acs"')}),
    "shown to a place that begins like ours": (CONFIRMED, {"shown": shown(f'Recipient="{RECIPIENT}/x"')}),
    "shown to nobody": (CONFIRMED, {"shown": shown()}),
    "an answer to a question": (CONFIRMED, {"shown": shown(HERE, 'InResponseTo="_q"')}),
    "confirmed from later on": (CONFIRMED, {"shown": shown(HERE, 'NotBefore="2020-01-01T00:00:00Z"')}),
    "confirmed until a moment ago": (CONFIRMED, {"shown": shown(HERE, ends=-1)}),
    "confirmed for a day": (CONFIRMED, {"shown": shown(HERE, ends=1440)}),
    "confirmed for ever": (CONFIRMED, {"shown": HERE}),
    "confirmed until no time": (CONFIRMED, {"shown": f'{HERE} NotOnOrAfter="tomorrow"'}),
    "confirmed by a key": (CONFIRMED, {"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"}),
    "confirmed by who sends it": (CONFIRMED, {"method": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"}),
    "under an unknown condition": (CONDITIONS, {"condition": "<saml:Condition/>"}),
    "under a stranger's condition": (CONDITIONS, {"condition": '<x xmlns="https://other.example"/>'}),
}


@pytest.mark.parametrize(("check", "changes"), NOT_FOR_HERE.values(), ids=NOT_FOR_HERE)
def test_what_was_not_made_to_be_shown_here_is_refused_by_one_check(
    provider: SamlProvider, check: Check, changes: dict[str, str]
) -> None:
    made = encoded(signed(assertion(**changes)))
    with pytest.raises(IdentityError, match="the assertion"):
        read_assertion(made, [provider], now())
    with taken_out(check):
        assert read_assertion(made, [provider], now()).sub == "alice"


def test_what_is_wrapped_around_a_signed_assertion_says_nothing(provider: SamlProvider) -> None:
    try:
        subject = read_assertion(encoded(wrapped()), [provider], now())
    except IdentityError:
        return
    assert subject.sub == "alice"


def test_a_comment_does_not_cut_a_name_short(provider: SamlProvider) -> None:
    """`admin<!-- -->.evil` must not be read as `admin` (CVE-2018-0489 and its kind)."""
    data = signed(assertion(name="admin.evil")).replace(b"admin.evil", b"admin<!-- -->.evil")
    try:
        subject = read_assertion(encoded(data), [provider], now())
    except IdentityError:
        return
    assert subject.sub == "admin.evil"


def test_with_no_provider_nobody_is_believed() -> None:
    with pytest.raises(IdentityError):
        read_assertion(encoded(signed(assertion())), [], now())


def test_not_base64_is_refused(provider: SamlProvider) -> None:
    with pytest.raises(IdentityError, match="base64url"):
        read_assertion("é!", [provider], now())


def test_certificates_that_can_not_be_read_name_their_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"identity\.saml\[0\]\.certificates"):
        SamlProvider.load(0, SamlConfig(issuer=ISSUER, certificates=tmp_path / "none.pem", recipient=RECIPIENT))
