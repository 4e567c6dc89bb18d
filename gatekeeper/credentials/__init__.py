"""Upstream secrets: kept here, put in for the hosts they belong to, and nowhere else."""

from gatekeeper.credentials.eraser import Eraser
from gatekeeper.credentials.secret import CredentialUnavailable
from gatekeeper.credentials.vault import Applied, ForeignCredential, Vault

__all__ = ["Applied", "CredentialUnavailable", "Eraser", "ForeignCredential", "Vault"]
