"""What goes over the admin socket about locks. The command line imports this module alone, so it imports little."""

import msgspec


class LockAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be locked or unlocked, and why."""

    kind: str
    value: str = ""
    issuer: str = ""
    reason: str = ""


class LockView(msgspec.Struct, frozen=True, kw_only=True):
    """A lock in force. `since`: µs since 1970 UTC."""

    kind: str
    value: str
    issuer: str
    since: int
    by: str
    reason: str


class LockDone(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: `cut` counts the connections that were ended."""

    lock: str
    cut: int = 0
