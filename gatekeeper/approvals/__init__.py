"""Approvals: calls that wait for reviewers, decisions that reviewers sign, releases that are used once."""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gatekeeper.approvals.desk import Desk
    from gatekeeper.approvals.hold import Hold, Refused, Released
    from gatekeeper.approvals.keygen import read_signers
    from gatekeeper.approvals.ledger import Ledger
    from gatekeeper.approvals.notices import Notices
    from gatekeeper.approvals.views import ApprovalDetail, ApprovalView, DecisionOutcome, DecisionView
    from gatekeeper.journal.statement import DecisionRefused

__all__ = [
    "ApprovalDetail",
    "ApprovalView",
    "DecisionOutcome",
    "DecisionRefused",
    "DecisionView",
    "Desk",
    "Hold",
    "Ledger",
    "Notices",
    "Refused",
    "Released",
    "read_signers",
]

_PLACES: Final = {
    "ApprovalDetail": "gatekeeper.approvals.views",
    "ApprovalView": "gatekeeper.approvals.views",
    "DecisionOutcome": "gatekeeper.approvals.views",
    "DecisionRefused": "gatekeeper.journal.statement",
    "DecisionView": "gatekeeper.approvals.views",
    "Desk": "gatekeeper.approvals.desk",
    "Hold": "gatekeeper.approvals.hold",
    "Ledger": "gatekeeper.approvals.ledger",
    "Notices": "gatekeeper.approvals.notices",
    "Refused": "gatekeeper.approvals.hold",
    "Released": "gatekeeper.approvals.hold",
    "read_signers": "gatekeeper.approvals.keygen",
}


def __getattr__(name: str) -> object:
    # Loaded when used (PEP 562): the desk with database and event loop costs the command line, which needs
    # the views only, 0.4 s at each start.
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
