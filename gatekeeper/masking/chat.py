"""Chat completion chunks (OpenAI's API and those like it): where the pieces of texts are, and how to write one."""

from collections.abc import Iterator
from typing import Final

import msgspec

from gatekeeper.masking.json_source import Json, Path

# The keys under which a delta has pieces that the client joins; arguments are inside tool and function calls.
PIECE_KEYS: Final = frozenset(
    {"content", "refusal", "reasoning_content", "reasoning", "thinking", "text", "arguments", "summary", "transcript"}
)
_ENVELOPE: Final = ("id", "object", "created", "model", "system_fingerprint", "service_tier")


class TextPiece(msgspec.Struct, frozen=True):
    """A piece of one text: `channel` says of which, `path` where it stands in the chunk."""

    channel: Path
    path: Path
    text: str


class Choice(msgspec.Struct, frozen=True):
    """One choice of a chunk; `closes`: no text follows."""

    index: int
    pieces: tuple[TextPiece, ...]
    closes: bool
    tokens: Json


def read_choices(chunk: Json) -> tuple[Choice, ...] | None:
    """Give the choices of a chunk; None for what is no chat completion chunk."""
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    if not isinstance(choices, list):
        return None
    found = []
    for position, choice in enumerate(choices):
        if not isinstance(choice, dict):
            return None
        index = _index(choice, position)
        inside = {key: choice[key] for key in ("delta", "text", "message") if key in choice}
        pieces = tuple(_pieces(inside, ("choices", index), ("choices", position)))
        found.append(Choice(index, pieces, choice.get("finish_reason") is not None, choice.get("logprobs")))
    return tuple(found)


def _index(item: Json, position: int) -> int:
    index = item.get("index") if isinstance(item, dict) else None
    return index if isinstance(index, int) else position


def _pieces(value: Json, channel: Path, path: Path) -> Iterator[TextPiece]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                if key in PIECE_KEYS:
                    yield TextPiece((*channel, key), (*path, key), inner)
            elif inner is not None:
                yield from _pieces(inner, (*channel, key), (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _pieces(inner, (*channel, _index(inner, position)), (*path, position))


def envelope(chunk: Json) -> dict[str, object]:
    """Give the fields that all chunks of an answer share."""
    return {key: chunk[key] for key in _ENVELOPE if key in chunk}


def chunk_with(fields: dict[str, object], channel: Path, text: str) -> bytes:
    """Write a chunk that adds `text` to one channel."""
    _, index, *steps = channel
    delta: object = text
    for step in reversed(steps):
        if isinstance(step, int):
            item = delta if isinstance(delta, dict) else {"text": delta}
            delta = [{"index": step, **item}]
        else:
            delta = {step: delta}
    choice = {"index": index, **(delta if isinstance(delta, dict) else {}), "logprobs": None, "finish_reason": None}
    return msgspec.json.encode({**fields, "choices": [choice]})


def tokens_repeat(choice: Choice) -> bool:
    """Tell whether a choice's `logprobs`, where it has any, repeat just the text beside them."""
    if choice.tokens is None:
        return True
    content = choice.tokens.get("content") if isinstance(choice.tokens, dict) else None
    if not isinstance(content, list):
        return False
    tokens = (token.get("token") if isinstance(token, dict) else None for token in content)
    return "".join(map(str, tokens)) == "".join(piece.text for piece in choice.pieces)
