"""Who a client certificate is from: its SPIFFE ID, else its one name (X.509-SVID §2, RFC 6125). Pure.

The certificate's chain has been verified by TLS against `proxy.client_ca`; here is read what it says.
"""

import base64
import hashlib
from typing import Final

import msgspec
from cryptography import x509

from gatekeeper.exchange import Instant, Party, Reason, Subject
from gatekeeper.identity.profiles import trust_domain
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import SECOND, is_text

SPIFFE: Final = "spiffe://"
NAME_LIMIT: Final = 2048


class ClientCertificate(msgspec.Struct, frozen=True):
    """A certificate that a connection proved: whose it is, and its thumbprint (RFC 8705 §3.1, base64url)."""

    subject: Subject
    thumbprint: str


def read_certificate(der: bytes, issuer: str) -> ClientCertificate:
    """Read a verified certificate; raises IdentityError where it does not say, in one way, whose it is.

    `issuer` is by which name rules know subjects of certificates; those with a SPIFFE ID are of its trust domain.
    """
    digest = hashlib.sha256(der)
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _names(certificate)
    except ValueError as error:
        raise IdentityError(Reason.BAD_CERTIFICATE, "the client's certificate can't be read") from error
    sub = _one(names)
    domain = trust_domain(sub)
    return ClientCertificate(
        subject=Subject(
            iss=issuer if domain is None else f"{SPIFFE}{domain}",
            sub=sub,
            token=digest.hexdigest(),
            expires=Instant(int(certificate.not_valid_after_utc.timestamp()) * SECOND),
            keys=(Party(issuer, digest.hexdigest()),),
            facts=(("certificate", f"{certificate.serial_number:x}"),),
        ),
        thumbprint=base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode(),
    )


def _names(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    """Give the certificate's URIs, and its other names."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], []
    return found.get_values_for_type(x509.UniformResourceIdentifier), found.get_values_for_type(x509.DNSName)


def _one(names: tuple[list[str], list[str]]) -> str:
    """Give the one name; a certificate with a URI is of that URI, and with several it is of nobody (X.509-SVID §2)."""
    uris, others = names
    found = uris or others
    if len(found) != 1 or not is_text(found[0], NAME_LIMIT):
        raise IdentityError(
            Reason.BAD_CERTIFICATE, "the client's certificate must name one URI, or one host, as its subject"
        )
    if found[0].lower().startswith(SPIFFE) and trust_domain(found[0]) is None:
        raise IdentityError(Reason.BAD_CERTIFICATE, "the URI of the client's certificate is no SPIFFE ID")
    if "*" in found[0]:
        raise IdentityError(Reason.BAD_CERTIFICATE, "the client's certificate is for many hosts, and so nobody's")
    return found[0]
