"""What can be searched for in a recorded body: the words that a person would see in it, whatever its form.

Pure. Strings of JSON are taken out of their escapes, JSON inside strings too; the pieces of a stream are joined as its
client joins them. What is no text gives nothing.
"""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

NESTED: Final = 4
"""Levels of JSON inside JSON strings that are looked into."""

_BLOB: Final = re.compile(r"[A-Za-z0-9+/=_-]{257,}")
"""A run that is no word: base64 of an image, a vector, a signature."""

# Scripts that are written without spaces between words: each character is a word of its own, and a word a phrase.
_UNSPACED: Final = re.compile(r"([\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af])")
_SPACED: Final = re.compile(
    r"([\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af][«»]?) +"
)
_DATA: Final = re.compile(r"^data: ?(.*)$", re.MULTILINE)

type Path = tuple[str | int, ...]


def text_of(media: str, data: bytes) -> str:
    """Give the words of a body; nothing where it is no text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ""
    kind = media.partition(";")[0].strip().lower()
    if kind == "text/event-stream" or text.startswith(("data:", "event:")):
        found = _joined(_events(text))
    elif kind == "application/x-www-form-urlencoded":
        found = "\n".join(value for _, value in parse_qsl(text))
    elif "ndjson" in kind or "jsonl" in kind:
        found = _joined(text.split("\n"))
    else:
        found = _of_json(text, 0)
    return _BLOB.sub(" ", found)


def words(text: str) -> str:
    """Put spaces where a script has none, so that each of its characters is a word to search for."""
    return text if text.isascii() else _UNSPACED.sub(r" \1 ", text)


def unspaced(text: str) -> str:
    """Take out the spaces that `words` has put in."""
    return text if text.isascii() else _SPACED.sub(r"\1", text)


def _of_json(text: str, depth: int) -> str:
    if depth < NESTED and text.lstrip()[:1] in ("{", "["):
        try:
            return "\n".join(value for _, value in _leaves(msgspec.json.decode(text), (), depth))
        except (msgspec.DecodeError, RecursionError):
            return text
    return text


def _leaves(value: Any, path: Path, depth: int) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            yield path, _of_json(value, depth + 1)
        case bool() | None:
            pass
        case int() | float():
            yield path, str(value)
        case list():
            for number, item in enumerate(value):
                yield from _leaves(item, (*path, number), depth)
        case dict():
            for name, item in value.items():
                yield from _leaves(item, (*path, name), depth)
        case _:
            pass


def _events(text: str) -> Iterator[str]:
    for event in re.split(r"\r?\n\r?\n", text):
        if lines := _DATA.findall(event.replace("\r", "")):
            yield "\n".join(lines)


def _joined(events: "Iterator[str] | list[str]") -> str:
    """Join the values that stand at one place of several events, unless they are the same in each: ids, names."""
    pieces: dict[Path, list[str]] = {}
    for event in events:
        try:
            value = msgspec.json.decode(event)
        except (msgspec.DecodeError, RecursionError):
            pieces.setdefault((), []).append(f"{event} ")
            continue
        for path, text in _leaves(value, _place(value), NESTED):
            pieces.setdefault(path, []).append(text)
    return "\n".join(_of_json(_together(texts), 0) for texts in pieces.values())


def _together(texts: list[str]) -> str:
    return texts[0] if len(texts) > 2 and len(set(texts)) == 1 else "".join(texts)  # noqa: PLR2004 - "ha" "ha" is "haha"


def _place(event: Any) -> Path:
    """Tell the channels of a stream apart by what providers number them with."""
    if not isinstance(event, dict):
        return ()
    kind = event.get("type")
    numbers = [event.get(name) for name in ("index", "output_index", "content_index")]
    inner = event.get("choices")
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        numbers.append(inner[0].get("index"))
    return tuple(one for one in (kind, *numbers) if isinstance(one, str | int))
