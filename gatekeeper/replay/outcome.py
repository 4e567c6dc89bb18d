"""How a call ended, in one word of a closed list. Pure."""

import enum

from gatekeeper.journal import ResponseData, TruncatedData


class Outcome(enum.Enum):
    """`REFUSED` is an answer of the gateway's own that no rule asked for, such as an upstream that can't be reached."""

    ALLOWED = "allowed"
    DENIED = "denied"
    RELEASED = "released"
    NOT_RELEASED = "not-released"
    REFUSED = "refused"
    BROKEN = "broken"
    TRUNCATED = "truncated"
    OPEN = "open"


def outcome_of(action: str, end: object, *, held: bool, released: bool) -> Outcome:
    """Tell it from the verdict's action, the data of the entry that ended the call, and what became of its hold."""
    match end:
        case None:
            return Outcome.OPEN
        case ResponseData() if held:
            return Outcome.RELEASED if released else Outcome.NOT_RELEASED
        case ResponseData(by="gateway"):
            return Outcome.DENIED if action == "deny" else Outcome.REFUSED
        case ResponseData():
            return Outcome.ALLOWED
        case TruncatedData():
            return Outcome.TRUNCATED
        case _:
            return Outcome.BROKEN
