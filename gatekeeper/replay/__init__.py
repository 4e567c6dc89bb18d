"""Replay: what the journal says happened, session by session, in the recorded order and with its timing."""

from gatekeeper.replay.sessions import SessionSummary, find_session, sessions
from gatekeeper.replay.steps import Step, StepKind, range_steps, session_steps

__all__ = [
    "SessionSummary",
    "Step",
    "StepKind",
    "find_session",
    "range_steps",
    "session_steps",
    "sessions",
]
