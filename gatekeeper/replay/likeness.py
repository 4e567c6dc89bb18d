"""When two requests are the same call: dates, ids and key order don't matter, all else does. Pure."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

# What differs between two runs of one program, in the order in which it is looked for.
_VOLATILE: Final = (
    # RFC 3339 date and time, and its date alone
    (re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?\b"), "‹time›"),
    # RFC 9110 §5.6.7
    (re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT\b"), "‹time›"),
    (re.compile(r"\b\d{1,2}:\d{2}:\d{2}(?:\.\d+)?\b"), "‹time›"),
    # RFC 9562, with hyphens or without
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "‹id›"),
    # what a library names a run, a call or a message: a word, then random letters and digits
    (re.compile(r"\b[a-z]{2,12}[-_](?=[A-Za-z]*\d)[A-Za-z0-9]{12,64}\b"), "‹id›"),
    (re.compile(r"\b[0-9a-fA-F]{16,64}\b"), "‹id›"),
    # seconds, milliseconds, microseconds since 1970, in this century's middle
    (re.compile(r"\b1[5-9]\d{8}(?:\d{3}){0,2}(?:\.\d+)?\b"), "‹time›"),
)


class Likeness(msgspec.Struct, frozen=True, order=True):
    """What two requests must share: method, address without its query, query in order of names, and body."""

    method: str
    address: str
    query: tuple[tuple[str, str], ...]
    body: str


def likeness(method: str, url: str, body: bytes) -> Likeness:
    """Bring a request, masked as it is recorded, into the form that is compared. Header fields don't take part."""
    parts = urlsplit(url)
    query = tuple(sorted((name, steady(value)) for name, value in parse_qsl(parts.query, keep_blank_values=True)))
    address = f"{parts.scheme}://{parts.netloc.lower()}{steady(parts.path or '/')}"
    return Likeness(method.upper(), address, query, steady_body(body))


def steady(text: str) -> str:
    """Put a mark where a text has a date or an id."""
    for pattern, mark in _VOLATILE:
        text = pattern.sub(mark, text)
    return text


def steady_body(body: bytes) -> str:
    """Write a body so that two of one meaning are one text: JSON in order of its keys, other text as it is."""
    value = parsed(body)
    if value is None:
        return steady(body.decode("utf-8", "replace"))
    return msgspec.json.encode(steady_value(value), order="sorted").decode()


def parsed(body: bytes) -> Any:
    """Give a body's JSON, or None where it is none (or is `null`)."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def steady_value(value: Any) -> Any:
    """Put marks into all strings of a JSON value; numbers that are times are marked too."""
    match value:
        case str():
            return steady(value)
        case dict():
            return {steady(name): steady_value(member) for name, member in value.items()}
        case list():
            return [steady_value(item) for item in value]
        case bool():
            return value
        case int() | float():
            marked = steady(str(value))
            return marked if marked == "‹time›" else value
        case _:
            return value
