"""What policy said of one exchange."""

import enum
from typing import NewType

import msgspec

from gatekeeper.config import Action

RuleName = NewType("RuleName", str)


class Side(enum.Enum):
    """Which half of an exchange is judged."""

    REQUEST = "request"
    ANSWER = "answer"


class Verdict(msgspec.Struct, frozen=True):
    """`rule` is None where no rule matched; `reasons` say in words what the rule matched."""

    action: Action
    rule: RuleName | None
    reasons: tuple[str, ...] = ()
