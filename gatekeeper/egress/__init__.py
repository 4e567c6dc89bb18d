"""Where calls may go: names in one form, paths in one form, and addresses that are checked and pinned."""

from gatekeeper.egress.addresses import AddressRefused, check_address
from gatekeeper.egress.names import TargetError, check_names, normalise_host
from gatekeeper.egress.path import normal_path
from gatekeeper.egress.resolve import PINNED, GetAddrInfo, Pin, Unresolvable, resolve

__all__ = [
    "PINNED",
    "AddressRefused",
    "GetAddrInfo",
    "Pin",
    "TargetError",
    "Unresolvable",
    "check_address",
    "check_names",
    "normal_path",
    "normalise_host",
    "resolve",
]
