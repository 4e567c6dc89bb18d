"""Events of OpenAI's Responses API: each kind of text has a `delta` and a `done` that repeats the whole."""

import functools
from typing import Final

from gatekeeper.masking.json_source import Json, Path
from gatekeeper.masking.streams.pieces import EVERYTHING, Added, Reading, TextPiece, number_of, tokens_repeat

_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_SCALARS: Final = (str, int, float)
_PADDING: Final = frozenset({"obfuscation"})


def read_responses(_: str, event: Json) -> Reading | None:
    """Read an event; None for what is none."""
    kind = event.get("type")
    if not isinstance(kind, str) or not kind.startswith("response."):
        return None
    if kind in _ENDS:
        return Reading(closes=EVERYTHING, last=True)
    base, _, step = kind.rpartition(".")
    item = number_of(event, "output_index", -1)
    output: Path = ("output", item if item >= 0 else str(event.get("item_id")))
    part = (number_of(event, "content_index", -1), number_of(event, "summary_index", -1))
    delta = event.get("delta")
    if step == "delta" and isinstance(delta, str) and not base.endswith("audio"):
        piece = TextPiece((*output, *part, base), ("delta",), delta, functools.partial(_added, event))
        return Reading((piece,), tokens_stay=tokens_repeat(event.get("logprobs"), (delta,)))
    if kind == "response.output_item.done":
        return Reading(closes=(output,))
    if step == "done":
        return Reading(closes=((*output, *part) if base.endswith("part") else (*output, *part, base),))
    return Reading()


def _added(event: Json, text: str) -> Added:
    """Give one more delta. It bears the number of the one before it: a client that resumes asks by that number."""
    fields = {key: value for key, value in event.items() if isinstance(value, _SCALARS) and key not in _PADDING}
    tokens: Json = {"logprobs": []} if isinstance(event.get("logprobs"), list) else {}
    return "", {**fields, **tokens, "delta": text}, ("delta",)
