"""The Model Context Protocol's dialect: JSON-RPC 2.0 over streamable HTTP (modelcontextprotocol.io/specification).

Any path may be one; the body tells. What could be read in two ways (a name given twice) counts as both.
"""

import json
from collections.abc import Iterator
from typing import Final

from gatekeeper.dialects.attributes import short
from gatekeeper.dialects.reading import Reading
from gatekeeper.dialects.texts import load_json, texts_of_any
from gatekeeper.exchange import ToolCall

CALL: Final = "tools/call"
_METHODS: Final = frozenset({"initialize", "ping", "logging/setLevel", "completion/complete"})
_FAMILIES: Final = ("tools/", "resources/", "prompts/", "notifications/", "sampling/", "elicitation/", "roots/")
# One of them stands in every body that names `jsonrpc`: as it is, escaped, or in UTF-16 or UTF-32.
_MARKS: Final = (b"jsonrpc", b"\\u", b"\0")


class _Members(list[tuple[str, object]]):
    """The members of an object, in order, those given twice included."""


def read_request(body: bytes) -> Reading | None:
    """Read a body as JSON-RPC of MCP; None where it is none."""
    if not any(mark in body for mark in _MARKS):
        return None
    try:
        tree = load_json(body, _Members)
    except (ValueError, RecursionError):
        return None
    messages = [message for message in _each(tree) if "jsonrpc" in _names(message)]
    methods = [method for message in messages for method in _all(message, "method") if _is_mcp(method)]
    if not methods:
        return None
    calls = tuple(call for message in messages if CALL in _all(message, "method") for call in _calls(message))
    names = sorted({call.name for call in calls})
    return Reading(
        texts=texts_of_any(body),
        tool_calls=calls,
        attributes={"gen_ai.tool.name": ", ".join(names)[:256]} if names else {},
    )


def _calls(message: _Members) -> Iterator[ToolCall]:
    for params in _all(message, "params"):
        if isinstance(params, _Members):
            arguments = json.dumps(_plain(next(iter(_all(params, "arguments")), {})), ensure_ascii=False)
            names = _all(params, "name") or [""]
            yield from (ToolCall(short(name), _encodable(arguments)) for name in names)


def _each(tree: object) -> list[_Members]:
    """Give the messages of a body: one, or a batch of them."""
    items = [tree] if isinstance(tree, _Members) else tree if isinstance(tree, list) else []
    return [item for item in items if isinstance(item, _Members)]


def _names(message: _Members) -> set[str]:
    return {name for name, _ in message}


def _all(message: _Members, wanted: str) -> list[object]:
    return [value for name, value in message if name == wanted]


def _is_mcp(method: object) -> bool:
    return isinstance(method, str) and (method in _METHODS or method.startswith(_FAMILIES))


def _plain(value: object) -> object:
    match value:
        case _Members():
            return {name: _plain(member) for name, member in value}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
