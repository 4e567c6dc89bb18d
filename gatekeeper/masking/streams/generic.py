"""Events of streams that nobody described to us: which of their strings are pieces of a text is told by names.

Pieces are joined by what surrounds them: the event's name and kind, the path, index and id fields. Events that repeat
a whole, or that end something, hold no pieces.
"""

import functools
from collections.abc import Iterator
from typing import Final

from gatekeeper.masking.events import siblings
from gatekeeper.masking.json_source import Json, Path
from gatekeeper.masking.streams.pieces import EVERYTHING, Added, Reading, TextPiece, words_of

# The keys under which providers send the pieces of a text, whatever the event around them.
PIECE_KEYS: Final = frozenset(
    {"text", "delta", "content", "refusal", "reasoning", "reasoning_content", "thinking", "arguments", "partial_json",
     "transcript", "output", "completion", "response", "token", "answer", "chunk", "generation", "outputText"}
)  # fmt: skip
_KINDS: Final = ("type", "event", "event_type", "object", "kind")
_ENDINGS: Final = frozenset(
    {"done", "end", "ended", "stop", "complete", "completed", "final", "finish", "finished", "close", "closed",
     "error", "failed", "result"}
)  # fmt: skip
_WHOLE: Final = _ENDINGS | {"start", "started", "created", "values", "updates", "metadata", "usage", "snapshot"}
_GROWING: Final = frozenset({"delta", "chunk"})
_REASONS: Final = frozenset(
    {"finish_reason", "stop_reason", "finishReason", "stopReason", "completionReason", "done_reason"}
)
_ENDS: Final = frozenset({"done", "is_finished", "finished", "is_final", "end", "final"})
_MESSAGE: Final = "jsonrpc"  # JSON-RPC, and so MCP: whole messages


def read_generic(name: str, event: Json) -> Reading:
    """Read an event of any kind."""
    if isinstance(event, str):
        return Reading((TextPiece(("data", name), (), event, _added_text),), strict=False)
    words = words_of(name)
    if isinstance(event, dict):
        if _MESSAGE in event:
            return Reading(strict=False)
        words |= {word for kind in _KINDS if isinstance(event.get(kind), str) for word in words_of(event[kind])}
    growing = bool(words & _GROWING)
    ends = not growing and bool(words & _ENDINGS)
    if not growing and words & _WHOLE:
        return Reading(closes=EVERYTHING if ends else (), strict=False)
    pieces = tuple(_pieces(name, event, event, (), 0))
    others = tuple(_others(name, event, event, (), 0))
    return Reading(pieces, EVERYTHING if _says_end(event) else (), strict=False, others=others)


def _says_end(event: Json) -> bool:
    for value in (event, *(event.values() if isinstance(event, dict) else event if isinstance(event, list) else ())):
        if isinstance(value, dict) and any(
            (key in _REASONS and inner not in (None, "", "none", "null")) or (key in _ENDS and inner is True)
            for key, inner in value.items()
        ):
            return True
    return False


_SHORT: Final = 64  # characters of a piece as models send them
# Words of keys whose strings say which event it is, and when.
_LABELS: Final = frozenset(
    {"id", "ids", "uid", "uuid", "key", "type", "event", "kind", "object", "name", "role", "model", "status", "state",
     "time", "timestamp", "ts", "date", "at", "created", "updated", "seq", "sequence", "offset", "cursor", "index",
     "version", "code", "hash", "digest", "signature", "fingerprint", "url", "uri", "lang", "language", "tier", "price",
     "amount", "count", "total", "level", "step", "node", "thread", "run", "session", "trace", "span", "reason"}
)  # fmt: skip
_DEPTH: Final = 16  # of pieces in an event; what stands deeper is looked at where it stands


def _pieces(name: str, event: Json, value: Json, path: Path, depth: int) -> Iterator[TextPiece]:
    if depth > _DEPTH:
        return
    if isinstance(value, str):
        if path and _is_piece(path):
            yield TextPiece((name, *_channel(event, path)), path, value, functools.partial(_added, event, path))
        return
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield from _pieces(name, event, inner, (*path, step), depth + 1)


def _others(name: str, event: Json, value: Json, path: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """Give the short strings that are no pieces by name, and no names, numbers or times of their events either."""
    if isinstance(value, str):
        if path and len(value) <= _SHORT and not _is_piece(path) and not words_of(str(path[-1])) & _LABELS:
            yield (name, "?", *_channel(event, path)), value
        return
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members if depth < _DEPTH else ():
        yield from _others(name, event, inner, (*path, step), depth + 1)


def _is_piece(path: Path) -> bool:
    keys = [step for step in path if isinstance(step, str)]
    return bool(keys) and (keys[-1] in PIECE_KEYS or keys[-2:] == ["text", "value"])


def _channel(event: Json, path: Path) -> Path:
    """Tell texts apart by kinds, index and id fields, and path."""
    indices, ids, steps = siblings(event, path)
    kinds = [str(event.get(kind)) for kind in _KINDS] if isinstance(event, dict) else []
    return (*kinds, *map(str, indices), "/", *map(str, ids), "/", *steps)


def _added_text(text: str) -> Added:
    return "", text, ()


def _added(event: Json, path: Path, text: str) -> Added:
    """Give the event again with nothing in it but what says where the piece belongs."""
    value, at = _pruned(event, path, text)
    return "", value, at


def _pruned(value: Json, path: Path, text: str) -> tuple[Json, Path]:
    if not path:
        return text, ()
    step, *rest = path
    inner, at = _pruned(value[step], tuple(rest), text)
    if isinstance(step, int):
        return [inner], (0, *at)
    around = {
        key: field
        for key, field in value.items()
        if isinstance(field, str | int | float | None) and key not in PIECE_KEYS and key not in _REASONS
    }
    return {**around, step: inner}, (step, *at)
