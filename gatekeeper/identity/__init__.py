"""Who calls: tokens read, verified and issued, and the sessions they belong to."""

from gatekeeper.identity.certificate import ClientCertificate, read_certificate
from gatekeeper.identity.claims import Life, check_expiry, read_life
from gatekeeper.identity.credential import Credential, read_proxy_credential
from gatekeeper.identity.issuer import EmbeddedIssuer
from gatekeeper.identity.key_url import StaleKeys
from gatekeeper.identity.keys import KeySet
from gatekeeper.identity.locks import Held, Lock, LockKind, Locks, lock_data, make_lock
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.session import SessionWindows
from gatekeeper.identity.trade import Permission, TradeFault, TradeRefused, make_deal, read_offer
from gatekeeper.identity.verifier import Verifier

__all__ = [
    "ClientCertificate",
    "Credential",
    "EmbeddedIssuer",
    "Held",
    "IdentityError",
    "KeySet",
    "Life",
    "Lock",
    "LockKind",
    "Locks",
    "Permission",
    "SessionWindows",
    "StaleKeys",
    "TradeFault",
    "TradeRefused",
    "Verifier",
    "check_expiry",
    "lock_data",
    "make_deal",
    "make_lock",
    "read_certificate",
    "read_life",
    "read_offer",
    "read_proxy_credential",
]
