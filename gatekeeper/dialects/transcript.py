"""A request to a model as a person reads it: who said what, last turns last. What is not known is left to the caller.

It is for showing only: nothing is decided by it.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from gatekeeper.dialects.reading import items, member

_TEXTS: Final = frozenset({"text", "input_text", "output_text", "refusal"})


class Turn(msgspec.Struct, frozen=True):
    """What one side said: its role, and the parts of it, texts and calls of tools."""

    role: str
    parts: tuple[str, ...]


def read_transcript(body: bytes) -> tuple[Turn, ...]:
    """Read the turns of a request in OpenAI's, Anthropic's or Gemini's form; none where it is of another."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    found = [Turn(role, tuple(parts)) for role, content in _turns(request) if (parts := list(_parts(content)))]
    return tuple(found)


def _turns(request: object) -> Iterator[tuple[str, object]]:
    for key in ("system", "instructions", "systemInstruction", "system_instruction"):
        if (said := member(request, key)) is not None:
            yield "system", said
    said = member(request, "input")
    if isinstance(said, str):
        yield "user", said
    for message in (*items(member(request, "messages")), *items(said), *items(member(request, "contents"))):
        role = member(message, "role") or member(message, "type")
        yield (role if isinstance(role, str) else "user"), message


def _parts(content: object) -> Iterator[str]:
    """Give what a message, a content block or a part says, whichever of the three it is."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _parts(part)
    elif isinstance(content, dict):
        yield from _block(content)


def _block(block: dict[object, object]) -> Iterator[str]:
    kind = block.get("type")
    if kind in _TEXTS or (kind is None and isinstance(block.get("text"), str)):
        yield str(block.get("text", block.get("refusal", "")))
        return
    for call in items(block.get("tool_calls")):
        yield _call(member(call, "function") or call)
    if kind in {"tool_use", "function_call", "custom_tool_call", "server_tool_use"}:
        yield _call(block)
    elif block.get("functionCall") is not None:
        yield _call(block["functionCall"])
    elif (result := block.get("functionResponse")) is not None:
        yield f"result {_json(result)}"
    elif kind in {"tool_result", "function_call_output"}:
        result = block.get("content", block.get("output"))
        yield from (f"result {part}" for part in _parts(result))
    elif "content" in block or "parts" in block:
        yield from _parts(block.get("content"))
        yield from _parts(block.get("parts"))
    elif isinstance(kind, str) and kind != "message":
        yield f"[{kind}]"


def _call(call: object) -> str:
    arguments = next((given for key in ("arguments", "input", "args") if (given := member(call, key)) is not None), {})
    return f"calls {member(call, 'name')}({arguments if isinstance(arguments, str) else _json(arguments)})"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
