"""Upstream secrets: kept here, put in for the hosts they belong to, and nowhere else."""

from gatekeeper.credentials.eraser import Eraser
from gatekeeper.credentials.secret import CredentialUnavailable
from gatekeeper.credentials.vault import ForeignCredential, ForeignKey, Outgoing, Vault

__all__ = ["CredentialUnavailable", "Eraser", "ForeignCredential", "ForeignKey", "Outgoing", "Vault"]
