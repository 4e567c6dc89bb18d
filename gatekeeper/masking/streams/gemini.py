"""Gemini's chunks: each is an answer by itself, and the client joins their parts."""

import functools
from collections.abc import Iterator
from typing import Final

from gatekeeper.masking.json_source import Json, Path
from gatekeeper.masking.streams.pieces import Added, Reading, TextPiece, number_of, tokens_repeat

_ENVELOPE: Final = ("modelVersion", "responseId", "createTime")


def read_gemini(_: str, chunk: Json) -> Reading | None:
    """Read a chunk; None for what is none."""
    candidates = chunk.get("candidates")
    if not isinstance(candidates, list) or not all(isinstance(candidate, dict) for candidate in candidates):
        return None
    pieces: list[TextPiece] = []
    closes: list[Path] = []
    tokens_stay = True
    for position, candidate in enumerate(candidates):
        index = number_of(candidate, "index", position)
        found = list(_pieces(chunk, candidate, index, position))
        pieces += found
        closes += [("candidates", index)] if candidate.get("finishReason") else []
        tokens = candidate.get("logprobsResult")
        chosen = tokens.get("chosenCandidates") if isinstance(tokens, dict) else tokens
        tokens_stay = tokens_stay and tokens_repeat(chosen, (piece.text for piece in found))
    return Reading(tuple(pieces), tuple(closes), tokens_stay=tokens_stay)


def _pieces(chunk: Json, candidate: Json, index: int, position: int) -> Iterator[TextPiece]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    for number, part in enumerate(parts if isinstance(parts, list) else ()):
        if not isinstance(part, dict):
            continue
        path = ("candidates", position, "content", "parts", number)
        if isinstance(part.get("text"), str):
            thought = part.get("thought") is True
            added = functools.partial(_added_text, chunk, index, thought)
            yield TextPiece(
                ("candidates", index, "thought" if thought else "text"), (*path, "text"), part["text"], added
            )
        call = part.get("functionCall")
        arguments = call.get("partialArgs") if isinstance(call, dict) else None
        for place, argument in enumerate(arguments if isinstance(arguments, list) else ()):
            if isinstance(argument, dict) and isinstance(argument.get("stringValue"), str):
                where = str(argument.get("jsonPath"))
                yield TextPiece(
                    ("candidates", index, "arguments", where),
                    (*path, "functionCall", "partialArgs", place, "stringValue"),
                    argument["stringValue"],
                    functools.partial(_added_argument, chunk, index, where),
                )


def _added_text(chunk: Json, index: int, thought: bool, text: str) -> Added:  # noqa: FBT001 - bound by partial
    return _added(chunk, index, {"text": text, "thought": True} if thought else {"text": text}, ("text",))


def _added_argument(chunk: Json, index: int, where: str, text: str) -> Added:
    argument = {"jsonPath": where, "stringValue": text, "willContinue": True}
    part = {"functionCall": {"partialArgs": [argument]}}
    return _added(chunk, index, part, ("functionCall", "partialArgs", 0, "stringValue"))


def _added(chunk: Json, index: int, part: Json, path: Path) -> Added:
    envelope = {key: chunk[key] for key in _ENVELOPE if key in chunk}
    candidate = {"content": {"parts": [part], "role": "model"}, "index": index}
    return "", {"candidates": [candidate], **envelope}, ("candidates", 0, "content", "parts", 0, *path)
