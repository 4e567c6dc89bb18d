"""Events of Anthropic's Messages API: blocks that start, grow and stop."""

import functools
from typing import Final

from gatekeeper.masking.json_source import Json, Path
from gatekeeper.masking.streams.pieces import EVERYTHING, Added, Reading, TextPiece, number_of

_DELTA: Final = "content_block_delta"
_KINDS: Final = frozenset(
    {"message_start", "content_block_start", _DELTA, "content_block_stop", "message_delta", "message_stop", "ping"}
)
_PLACES: Final = {"content_block_start": "content_block", _DELTA: "delta"}
# The keys of pieces, and the type of the delta that adds one.
_PIECES: Final = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}


def read_anthropic(_: str, event: Json) -> Reading | None:
    """Read an event; None for what is none."""
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        return None
    block: Path = ("block", number_of(event, "index", 0))
    if place := _PLACES.get(kind):
        return Reading(_pieces(event, place, block))
    if kind == "content_block_stop":
        return Reading(closes=(block,))
    ends = kind in {"message_delta", "message_stop"}
    return Reading(closes=EVERYTHING if ends else (), last=kind == "message_stop")


def _pieces(event: Json, place: str, block: Path) -> tuple[TextPiece, ...]:
    """Find the pieces; a block may begin with a text that its deltas go on with."""
    inside = event.get(place)
    if not isinstance(inside, dict):
        return ()
    return tuple(
        TextPiece((*block, key), (place, key), inside[key], functools.partial(_added, block[1], key))
        for key in _PIECES
        if isinstance(inside.get(key), str)
    )


def _added(index: int | str, key: str, text: str) -> Added:
    event = {"type": _DELTA, "index": index, "delta": {"type": _PIECES[key], key: text}}
    return _DELTA, event, ("delta", key)
