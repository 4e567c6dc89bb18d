"""Events of Bedrock's ConverseStream, and of Nova's own stream, which nests the same under the event's name."""

import functools
from typing import Final

from gatekeeper.masking.json_source import Json, Path
from gatekeeper.masking.streams.pieces import EVERYTHING, Added, Reading, TextPiece, number_of

_INDEX: Final = "contentBlockIndex"
_DELTA: Final = "contentBlockDelta"
_STOP: Final = "contentBlockStop"
_NAMES: Final = frozenset({"messageStart", "contentBlockStart", _DELTA, _STOP, "messageStop", "metadata"})
_PIECES: Final[tuple[Path, ...]] = (("text",), ("toolUse", "input"), ("reasoningContent", "text"))


def read_bedrock(name: str, event: Json) -> Reading | None:
    """Read an event; None for what is none."""
    nested = next((key for key in event if key in _NAMES), "")
    name = nested or name
    inside = event.get(nested) if nested else event
    if name not in _NAMES or not isinstance(inside, dict):
        return None
    block: Path = ("block", number_of(inside, _INDEX, 0))
    around: Path = (nested,) if nested else ()
    if name == _DELTA:
        return Reading(tuple(_pieces(inside, block, around)))
    if name == _STOP:
        return Reading(closes=(block,))
    ends = name in {"messageStop", "metadata"}
    return Reading(closes=EVERYTHING if ends else (), last=name == "metadata")


def _pieces(inside: Json, block: Path, around: Path) -> list[TextPiece]:
    found = []
    for keys in _PIECES:
        value = inside.get("delta")
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            added = functools.partial(_added, block[1], keys, around)
            found.append(TextPiece((*block, *keys), (*around, "delta", *keys), value, added))
    return found


def _added(index: int | str, keys: Path, around: Path, text: str) -> Added:
    delta: Json = text
    for key in reversed(keys):
        delta = {key: delta}
    event: Json = {_INDEX: index, "delta": delta}
    for key in around:
        event = {key: event}
    return _DELTA, event, (*around, "delta", *keys)
