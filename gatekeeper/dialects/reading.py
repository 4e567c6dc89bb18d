"""What a dialect's reader gives for a request's body."""

import msgspec

from gatekeeper.dialects.attributes import Attributes
from gatekeeper.exchange import ToolCall


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A request's body, read."""

    model: str = ""
    stream: bool = False
    texts: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    attributes: Attributes = {}


def member(value: object, key: str) -> object:
    """Give a member of decoded JSON; None where it is no object or has none of that name."""
    return value.get(key) if isinstance(value, dict) else None


def items(value: object) -> list[object]:
    """Give the items of decoded JSON; none where it is no array."""
    return value if isinstance(value, list) else []
