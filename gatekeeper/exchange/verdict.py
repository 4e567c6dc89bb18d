"""What policy said of one exchange."""

import enum
from typing import NewType

import msgspec

from gatekeeper.config import Action
from gatekeeper.exchange.summary import ToolCall

RuleName = NewType("RuleName", str)


class Side(enum.Enum):
    """Which half of an exchange is judged."""

    REQUEST = "request"
    ANSWER = "answer"


class Verdict(msgspec.Struct, frozen=True):
    """`rule` is None where no rule matched; `reasons` say in words what the rule matched.

    `tool_calls` are those of an answer that the rule is about.
    """

    action: Action
    rule: RuleName | None
    reasons: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
