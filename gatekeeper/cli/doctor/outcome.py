"""What a check of the doctor's comes to."""

import enum

import msgspec


class State(enum.Enum):
    """`wrong` makes the doctor's answer no; `skipped` could not be looked at, and says why."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"
    SKIPPED = "skipped"


class Outcome(msgspec.Struct, frozen=True):
    """What was looked at, how it is, and, where it is wrong, the mend."""

    check: str
    state: State
    found: str
    mend: str = ""


def ok(check: str, found: str) -> Outcome:
    """Say that all is well."""
    return Outcome(check, State.OK, found)


def wrong(check: str, found: str, mend: str) -> Outcome:
    """Say what is wrong, and what to do."""
    return Outcome(check, State.WRONG, found, mend)


def note(check: str, found: str, mend: str = "") -> Outcome:
    """Say what may be meant so."""
    return Outcome(check, State.NOTE, found, mend)


def skipped(check: str, why: str) -> Outcome:
    """Say why something was not looked at."""
    return Outcome(check, State.SKIPPED, why)
