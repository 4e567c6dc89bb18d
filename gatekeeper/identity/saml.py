"""Who a SAML 2.0 assertion is about, for `/token` alone (RFC 8693 §3, RFC 7522 §2.1).

minisaml verifies the signature and gives only what it covers; here is said which identity providers are believed.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography import x509
from lxml.etree import LxmlError
from minisaml.errors import MiniSAMLError
from minisaml.response import Response, validate_response
from minisignxml.errors import MiniSignXMLError

from gatekeeper.config import ConfigError
from gatekeeper.config.model import SamlConfig
from gatekeeper.exchange import Instant, Party, Reason, Subject
from gatekeeper.identity.claims import GROUPS_LIMIT
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import SECOND, is_text

ASSERTION_LIMIT: Final = 48 * 1024
GOOD_FOR: Final = 300 * SECOND
"""How long a verified assertion stands for its subject here: until it has been traded."""


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
