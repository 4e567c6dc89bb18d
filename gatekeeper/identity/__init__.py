"""Who calls: tokens read, verified and issued, and the sessions they belong to."""

from gatekeeper.identity.claims import Life, read_life
from gatekeeper.identity.credential import Credential, read_proxy_credential
from gatekeeper.identity.issuer import EmbeddedIssuer
from gatekeeper.identity.key_url import StaleKeys
from gatekeeper.identity.keys import KeySet
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.session import SessionWindows
from gatekeeper.identity.verifier import Verifier

__all__ = [
    "Credential",
    "EmbeddedIssuer",
    "IdentityError",
    "KeySet",
    "Life",
    "SessionWindows",
    "StaleKeys",
    "Verifier",
    "read_life",
    "read_proxy_credential",
]
