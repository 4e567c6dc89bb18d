"""Replay: what the journal says happened, session by session, in the recorded order and with its timing."""

from gatekeeper.replay.calls import Call, calls, in_order
from gatekeeper.replay.sessions import (
    SessionSummary,
    find_session,
    named_in_index,
    sessions,
    sessions_from_index,
)
from gatekeeper.replay.steps import Step, StepKind, entries_of_session, steps

__all__ = [
    "Call",
    "SessionSummary",
    "Step",
    "StepKind",
    "calls",
    "entries_of_session",
    "find_session",
    "in_order",
    "named_in_index",
    "sessions",
    "sessions_from_index",
    "steps",
]
