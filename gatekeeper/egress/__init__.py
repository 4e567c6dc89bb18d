"""Where calls may go: names in one form, paths in one form, and addresses that are checked and pinned."""

from gatekeeper.egress.addresses import AddressRefused, check_address
from gatekeeper.egress.heads import fields_problem
from gatekeeper.egress.names import TargetError, check_names, normalise_host
from gatekeeper.egress.path import normal_path
from gatekeeper.egress.quota import Quota
from gatekeeper.egress.resolve import PINNED, GetAddrInfo, Pin, Unresolvable, resolve
from gatekeeper.egress.shape import OF_PROXIES, ShapeError, Shapes
from gatekeeper.egress.websocket import KEPT, acceptance_problem, asks_for_websocket, handshake_problem

__all__ = [
    "KEPT",
    "OF_PROXIES",
    "PINNED",
    "AddressRefused",
    "GetAddrInfo",
    "Pin",
    "Quota",
    "ShapeError",
    "Shapes",
    "TargetError",
    "Unresolvable",
    "acceptance_problem",
    "asks_for_websocket",
    "check_address",
    "check_names",
    "fields_problem",
    "handshake_problem",
    "normal_path",
    "normalise_host",
    "resolve",
]
