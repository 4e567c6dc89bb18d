"""Who a SAML 2.0 assertion is about, for `/token` alone (RFC 8693 §3, RFC 7522 §2.1).

minisaml verifies the signature, the issuer, the one audience and the times of the conditions, and gives only what is
signed. Here is said which identity providers are believed, and checked what minisaml leaves out: that the assertion
was made to be shown here, by whoever bears it, and for no longer than a token may live.
"""

import base64
import binascii
import datetime as dt
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from cryptography import x509
from lxml.etree import LxmlError, QName
from minisaml.errors import MiniSAMLError
from minisaml.response import Response, validate_response
from minisignxml.config import VerifyConfig
from minisignxml.errors import MiniSignXMLError
from minisignxml.verify import extract_verified_element_and_certificate

from gatekeeper.config import ConfigError
from gatekeeper.config.model import SamlConfig
from gatekeeper.exchange import Instant, Party, Reason, Subject
from gatekeeper.identity.claims import GROUPS_LIMIT
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import SECOND, is_text

ASSERTION_LIMIT: Final = 48 * 1024
GOOD_FOR: Final = 300 * SECOND
"""How long a verified assertion stands for its subject here: until it has been traded."""

LONGEST: Final = 3600 * SECOND
"""How far off an assertion's end may be: one that lasts is a password (RFC 7522 §3, 4)."""

BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_CONDITIONS: Final = frozenset({"AudienceRestriction", "OneTimeUse", "ProxyRestriction"})
"""Those that are known. With any other an assertion is not valid (SAML core §2.5.1)."""


class SamlProvider(msgspec.Struct, frozen=True):
    """An identity provider that is believed, and the certificates that it signs with."""

    config: SamlConfig
    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def load(cls, number: int, config: SamlConfig) -> Self:
        """Read the certificates; raises ConfigError that names the key."""
        try:
            certificates = x509.load_pem_x509_certificates(Path(config.certificates).read_bytes())
        except (OSError, ValueError) as error:
            msg = f"identity.saml[{number}].certificates: {config.certificates}: is no file of PEM certificates"
            raise ConfigError(msg) from error
        return cls(config, tuple(certificates))


def read_assertion(text: str, providers: Iterable[SamlProvider], now: Instant) -> Subject:
    """Give the subject of an assertion (base64url, RFC 7522 §2.1) that a provider signed; raises IdentityError."""
    if len(text) > ASSERTION_LIMIT:
        raise _refused("is longer than 48 KiB")
    try:
        data = base64.b64encode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise _refused("is not base64url") from error
    for provider in providers:
        response = _verified(data, provider)
        if response is not None:
            check_made_for(_signed(data, provider), provider.config, now)
            return _subject(response, provider, text, now)
    raise _refused("is of no [[identity.saml]], not for this gateway, not valid now, or its signature is wrong")


def _verified(data: bytes, provider: SamlProvider) -> Response | None:
    try:
        return validate_response(
            data=data,
            certificate=provider.certificates,
            expected_audience=provider.config.audience,
            idp_issuer=provider.config.issuer,
        )
    except (MiniSAMLError, MiniSignXMLError, LxmlError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever is wrong with it, it is not this provider's word


def _signed(data: bytes, provider: SamlProvider) -> Any:
    """Give the assertion that the signature covers, as minisaml has read it."""
    element, _ = extract_verified_element_and_certificate(
        xml=base64.b64decode(data), certificates=provider.certificates, config=VerifyConfig.default()
    )
    return element if element.tag == f"{_SAML}Assertion" else element.find(f"{_SAML}Assertion")


def check_made_for(assertion: Any, config: SamlConfig, now: Instant) -> None:
    """Refuse an assertion that was not made to be shown here (RFC 7522 §3; SAML profiles §4.1.4.2)."""
    check_conditions(assertion)
    confirmations = assertion.findall(f"{_SAML}Subject/{_SAML}SubjectConfirmation")
    if not any(is_confirmed(one, config.recipient, now) for one in confirmations):
        raise _refused(
            "is not confirmed for this gateway: it needs a bearer confirmation whose Recipient is that of "
            "[[identity.saml]], with an end within an hour, and without InResponseTo and NotBefore"
        )


def check_conditions(assertion: Any) -> None:
    """Refuse an assertion under a condition that is not known here."""
    names = {QName(condition) for condition in assertion.find(f"{_SAML}Conditions").iterchildren("*")}
    if any(f"{{{name.namespace}}}" != _SAML or name.localname not in _CONDITIONS for name in names):
        raise _refused("has a condition that is not known here")


def is_confirmed(confirmation: Any, recipient: str, now: Instant) -> bool:
    """Whether a confirmation of the subject lets its bearer show the assertion to `recipient`, now."""
    data = confirmation.find(f"{_SAML}SubjectConfirmationData")
    if confirmation.get("Method") != BEARER or data is None:
        return False
    return (
        data.get("Recipient") == recipient
        and "InResponseTo" not in data.attrib  # it would answer a question that nobody has asked here
        and "NotBefore" not in data.attrib
        and now < _instant(data.get("NotOnOrAfter", "")) <= now + LONGEST
    )


def _instant(text: str) -> Instant:
    """Read a time in UTC (SAML core §1.3.3); the beginning of all times for what is none."""
    try:
        return Instant(round(dt.datetime.fromisoformat(text).timestamp() * SECOND) if text.endswith("Z") else 0)
    except ValueError:
        return Instant(0)


def _subject(response: Response, provider: SamlProvider, text: str, now: Instant) -> Subject:
    issuer = provider.config.issuer
    if not is_text(response.name_id):
        raise _refused("names no subject that can be read")
    named = [one for one in response.attributes if one.name == provider.config.groups and provider.config.groups]
    groups = tuple(value for one in named for value in one.values)
    if len(groups) > GROUPS_LIMIT or not all(is_text(group) for group in groups):
        raise _refused("has groups that are no list of up to 256 short texts")
    fingerprint = hashlib.sha256(text.encode("ascii", "replace")).hexdigest()
    return Subject(
        iss=issuer,
        sub=response.name_id,
        groups=groups,
        token=fingerprint,
        expires=Instant(now + GOOD_FOR),
        keys=(Party(issuer, f"{response.certificate.serial_number:x}"),),
    )


def _refused(why: str) -> IdentityError:
    return IdentityError(Reason.BAD_TOKEN, f"the assertion {why}")
