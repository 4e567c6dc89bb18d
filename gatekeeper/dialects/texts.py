"""The texts in a body, for the patterns that rules match prompts with. Pure.

A client may hide text where nobody looks, so the reading is broad: every string below a message counts,
JSON inside strings is opened too, and of a body in no known form every string is a text, or all of it.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

# Their values are names of the format (`user`, `tool_result`, `call_1`) unless they have the form of text.
_STRUCTURE: Final = frozenset({"role", "type", "id", "tool_call_id", "tool_use_id", "call_id"})
type Pairs = list[tuple[str, object]]

_NAME_LIMIT: Final = 64
_CONTAINERS: Final = ("{", "[")


def texts_in(tree: object) -> list[str]:
    """Give all texts of decoded JSON, outer ones first.

    It walks without recursion, since the depth is the sender's choice, and fast: it sees every call.
    """
    found: list[str] = []
    waiting = [tree]
    for node in waiting:  # grows while it is walked
        if type(node) is dict:
            for key, value in node.items():
                if not _is_name(key):
                    found.append(key)
                if type(value) is not str:
                    waiting.append(value)
                elif key not in _STRUCTURE or not _is_name(value):
                    _take(value, found, waiting)
        elif type(node) is list:
            waiting += node
        elif type(node) is str:
            _take(node, found, waiting)
    return found


def texts_of_any(body: bytes) -> tuple[str, ...]:
    """Give the texts of a body of unknown form: its strings where it is JSON of any kind, else all of it."""
    if not body:
        return ()
    try:
        tree = _lenient(body)
    except (ValueError, RecursionError):
        return (_decoded(body),)
    return tuple(texts_in(tree))


def _is_name(text: str) -> bool:
    return len(text) <= _NAME_LIMIT and " " not in text and text.isascii()


def _take(text: str, found: list[str], waiting: list[object]) -> None:
    """Note a text, and open it where it is JSON itself, such as a tool's arguments."""
    found.append(text)
    if text.lstrip()[:1] in _CONTAINERS:
        with suppress(ValueError, RecursionError):
            waiting.append(msgspec.json.decode(text))


def lenient_json(body: bytes) -> bytes:
    """Write in plain JSON what any server might read as JSON; raises ValueError or RecursionError.

    With a byte order mark, in UTF-16, with NaN, with lone surrogates, in a character set of one byte a character.
    """
    return json.dumps(_lenient(body), ensure_ascii=False).encode("utf-8", "replace")


def _lenient(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except ValueError:
        tree = load_json(body)
    # Lone surrogates can be neither matched nor encoded further on.
    return json.loads(json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace"))


def load_json(body: bytes, pairs: Callable[[Pairs], object] = dict) -> object:
    """Decode what Python's own servers read as JSON, and in the character sets in which others take it.

    `pairs` makes an object of its members, of which one may stand twice. Raises ValueError or RecursionError.
    """
    try:
        return json.loads(body, object_pairs_hook=pairs, parse_constant=_nothing)
    except UnicodeDecodeError:
        return json.loads(body.decode("latin-1"), object_pairs_hook=pairs, parse_constant=_nothing)


def _nothing(_: str) -> None:
    return


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")
