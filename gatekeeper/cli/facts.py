"""One entry of the journal, in full, as lines."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
import msgspec
from msgspec import UNSET

from gatekeeper.cli.describe import found_sentence, subject_sentence, verdict_sentence
from gatekeeper.cli.shown import Extent, body_lines, body_of, missing_line
from gatekeeper.cli.times import show_instant, show_offset, show_size
from gatekeeper.cli.visible import visible, visible_lines
from gatekeeper.journal import Entry, Recorded
from gatekeeper.journal.entries import (
    Body,
    RequirementData,
    SubjectData,
    TargetData,
    TimingData,
    UpstreamData,
    VerdictData,
)

WIDTH: Final = 9
INDENT: Final = " " * (WIDTH + 2)


def entry_lines(entry: Entry, content: Recorded | None, extent: Extent, *, damaged: bool) -> Iterator[str]:
    """Give the lines of an entry: where it stands, what it says, its body, its headers."""
    yield _line("entry", f"{entry.seq}, {entry.kind}, {show_instant(entry.time)}")
    if entry.exchange is not None:
        yield _line("exchange", f"{entry.exchange}, session {entry.session}")
    fields = {name: getattr(entry.data, name) for name in entry.data.__struct_fields__}
    headers = fields.pop("headers", ())
    for name, value in fields.items():
        yield from _fact(name, value)
    if content is not None:
        yield from body_lines(content, extent, INDENT)
    elif (body := body_of(entry)) is not None:
        yield INDENT + missing_line(body, damaged=damaged)
    for name, value in headers:
        yield _line("header", visible(f"{name}: {value}"))
    yield _line("leaf hash", entry.leaf_hash.hex())


def _fact(name: str, value: object) -> Iterator[str]:
    if value is UNSET or value is None or value in ((), {}, ""):
        return
    first, *rest = visible_lines(value.rstrip("\n")) if isinstance(value, str) else [_text(name, value)]
    yield _line(name, first)
    yield from (INDENT + line for line in rest)


def _text(name: str, value: object) -> str:  # noqa: PLR0911 - one for each type
    match value:
        case SubjectData():
            return subject_sentence(value)
        case VerdictData():
            return verdict_sentence(value)
        case Body():
            return visible(f"{show_size(value.size)} of {value.media}")
        case TimingData():
            return f"first byte {show_offset(value.first)}, last {show_offset(value.last)}"
        case TargetData(host=host, port=port) | UpstreamData(ip=host, port=port):
            return visible(f"{host}:{port}")
        case int() if name == "expires":
            return show_instant(value)
        case [RequirementData(), *_]:
            return visible("; ".join(f"{one.quorum} of {', '.join(one.reviewers)}" for one in _requirements(value)))
        case Mapping() if name == "findings":
            return found_sentence(value)
        case tuple():
            return visible(", ".join(map(str, value)))
        case _:
            return visible(value if isinstance(value, str) else _json(value))


def _requirements(value: Any) -> tuple[RequirementData, ...]:
    return tuple(value)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _line(name: str, text: str) -> str:
    return f"{click.style(name.replace('_', ' ').ljust(WIDTH), dim=True)}  {text}"
