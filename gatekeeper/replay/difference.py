"""Where two requests or answers differ, said so that a person finds the place. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from gatekeeper.replay.likeness import Likeness, parsed, steady, steady_value

SHOWN: Final = 60
"""Characters of a value that are shown."""


def likeness_differences(asked: Likeness, recorded: Likeness, *, most: int = 5) -> tuple[str, ...]:
    """Say what differs between a request and a recorded one: `body.messages[1].content: "…" where "…" was recorded`."""
    told: list[str] = []
    for name in ("method", "address"):
        ours, theirs = getattr(asked, name), getattr(recorded, name)
        if ours != theirs:
            told.append(_differs(name, ours, theirs))
    if asked.query != recorded.query:
        told += value_differences(dict(asked.query), dict(recorded.query), "query")
    if asked.body != recorded.body:
        told += body_differences(asked.body.encode(), recorded.body.encode())
    return tuple(told[:most])


def body_differences(asked: bytes, recorded: bytes, place: str = "body") -> list[str]:
    """Say where two bodies differ: by path where both are JSON, else at the first character."""
    ours, theirs = parsed(asked), parsed(recorded)
    if ours is not None and theirs is not None:
        return value_differences(steady_value(ours), steady_value(theirs), place)
    left, right = steady(asked.decode("utf-8", "replace")), steady(recorded.decode("utf-8", "replace"))
    if left == right:
        return []
    at = _first_difference(left, right)
    return [_differs(f"{place} at character {at}", left[at:], right[at:])]


def value_differences(ours: Any, theirs: Any, place: str) -> list[str]:
    """Say where two JSON values differ, in order."""
    return list(_walk(ours, theirs, place))


def _walk(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    match ours, theirs:
        case dict(), dict():
            for name in [*theirs, *(name for name in ours if name not in theirs)]:
                inner = f"{place}.{name}"
                if name not in ours:
                    yield f"{inner}: missing, {_shown(theirs[name])} was recorded"
                elif name not in theirs:
                    yield f"{inner}: {_shown(ours[name])}, and nothing was recorded"
                else:
                    yield from _walk(ours[name], theirs[name], inner)
        case list(), list():
            for n, (one, other) in enumerate(zip(ours, theirs, strict=False)):
                yield from _walk(one, other, f"{place}[{n}]")
            if len(ours) != len(theirs):
                yield f"{place}: {len(ours)} items, {len(theirs)} were recorded"
        case _ if ours != theirs or type(ours) is not type(theirs):
            yield _differs(place, ours, theirs)


def _differs(place: str, ours: Any, theirs: Any) -> str:
    if isinstance(ours, str) and isinstance(theirs, str):
        at = _first_difference(ours, theirs)
        return f"{place}: {_around(ours, at)} where {_around(theirs, at)} was recorded"
    return f"{place}: {_shown(ours)} where {_shown(theirs)} was recorded"


def _first_difference(ours: str, theirs: str) -> int:
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(ours), len(theirs)))


def _around(text: str, at: int) -> str:
    """Show a text where it begins to differ: what is before it is cut, so that the difference is seen."""
    start = max(0, at - SHOWN // 2) if len(text) > SHOWN else 0
    return repr(f"{'…' if start else ''}{text[start : start + SHOWN]}{'…' if start + SHOWN < len(text) else ''}")


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
