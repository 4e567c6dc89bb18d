"""Chat completion chunks and completions (OpenAI's API and those like it)."""

import functools
from collections.abc import Iterator
from typing import Final

from gatekeeper.masking.json_source import Json, Path
from gatekeeper.masking.streams.pieces import Added, Reading, TextPiece, number_of, tokens_repeat

# The keys under which a delta has pieces that the client joins; arguments are inside tool and function calls.
_PIECE_KEYS: Final = frozenset(
    {"content", "refusal", "reasoning_content", "reasoning", "thinking", "text", "arguments", "summary", "transcript",
     "input"}
)  # fmt: skip
_ENVELOPE: Final = ("id", "object", "created", "model", "system_fingerprint", "service_tier")


def read_chat(_: str, chunk: Json) -> Reading | None:
    """Read a chunk; None for what is none."""
    choices = chunk.get("choices")
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        return None
    pieces: list[TextPiece] = []
    closes: list[Path] = []
    tokens_stay = True
    for position, choice in enumerate(choices):
        index = number_of(choice, "index", position)
        inside = {key: choice[key] for key in ("delta", "text", "message") if key in choice}
        found = list(_pieces(chunk, inside, ("choices", index), ("choices", position)))
        pieces += found
        closes += [("choices", index)] if choice.get("finish_reason") is not None else []
        tokens_stay = tokens_stay and _tokens_repeat(choice.get("logprobs"), found)
    return Reading(tuple(pieces), tuple(closes), tokens_stay=tokens_stay)


def _tokens_repeat(tokens: Json, pieces: list[TextPiece]) -> bool:
    if tokens is None:
        return True
    content = tokens.get("content") if isinstance(tokens, dict) else None
    return isinstance(content, list) and tokens_repeat(content, (piece.text for piece in pieces))


def _pieces(chunk: Json, value: Json, channel: Path, path: Path) -> Iterator[TextPiece]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                if key in _PIECE_KEYS:
                    inside = (*channel, key)
                    yield TextPiece(inside, (*path, key), inner, functools.partial(_added, chunk, inside))
            elif inner is not None:
                yield from _pieces(chunk, inner, (*channel, key), (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _pieces(chunk, inner, (*channel, number_of(inner, "index", position)), (*path, position))


def _added(chunk: Json, channel: Path, text: str) -> Added:
    """Give a chunk that adds `text` to one channel; ids and names stay out, since clients would join them too."""
    _, index, *steps = channel
    delta: Json = text
    for step in reversed(steps):
        if isinstance(step, int):
            item = delta if isinstance(delta, dict) else {"text": delta}
            delta = [{"index": step, **item}]
        else:
            delta = {step: delta}
    envelope = {key: chunk[key] for key in _ENVELOPE if key in chunk}
    choice = {"index": index, **delta, "logprobs": None, "finish_reason": None}
    path = ("choices", 0, *(0 if isinstance(step, int) else step for step in steps))
    return "", {**envelope, "choices": [choice]}, path
