"""JSON bodies: strings, keys and numbers; all else stays byte for byte."""

import functools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from gatekeeper.masking.document import Document, Replacement
from gatekeeper.masking.json_leaves import json_hits, leaves_of, whole_number
from gatekeeper.masking.json_source import JsonLeaf, by_name, digits_of, json_leaves, key_words, leaf_of
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.strand import Hit, Strand, could_hit, hits

_ESCAPE: Final = re.compile(r"\\.")
_MEANINGS: Final = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\b": "\b", "\\f": "\f", '\\"': '"', "\\/": "/"}
_LITERAL: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_LONG_NUMBER: Final = re.compile(r"\d{9,}")

# What repeats the text of an answer token by token (OpenAI, Gemini): it would give a masked value away.
_TOKEN_LIST: Final = re.compile(r'"(?:top_)?logprobs(?:Result)?"\s*:\s*(?=[{\[])')


def json_document(scanner: Scanner, raw: bytes, text: str, charset: str, work: Work) -> Document:
    """Read a JSON body; raises UnreadableBody."""
    start = mark_length(text)
    leaves = leaves_of(text[start:])
    read = functools.partial(_values, text, start)
    found = json_hits(scanner, leaves, text, start, work) if leaves and not scanner.allowed.fields else None
    if found is None:
        if not json_could_hit(scanner, text):
            return Document(raw=raw, text=text, charset=charset, read=read)
        places = by_name(text, [leaf for leaf in json_leaves(text, start) if not scanner.lets_be(leaf.path)])
        found = (*hits(scanner, string_strands(text, places), work), *number_hits(scanner, text, places, work))
    vouching = tuple(token_lists(text)) if found else ()
    return Document(raw=raw, text=text, charset=charset, hits=found, vouching=vouching, read=read)


def json_could_hit(scanner: Scanner, text: str) -> bool:
    """Ask the gate about valid JSON: as it stands, or where it has escapes, about what its strings mean."""
    if "\\" not in text:
        return could_hit(scanner, text)
    if "\\u" not in text and "\\\\" not in text:  # each backslash begins an escape of one letter
        return could_hit(scanner, _ESCAPE.sub(lambda found: _MEANINGS[found[0]], text))
    strings = json.loads(f"[{','.join(_LITERAL.findall(text))}]")
    return could_hit(scanner, "\n".join([*strings, *_LONG_NUMBER.findall(text)]))


def string_strands(text: str, leaves: Iterable[JsonLeaf]) -> Iterator[Strand]:
    """Give a strand for each string, with its key to the left, and for each key."""
    for leaf in leaves:
        if leaf.kind == "string":
            yield Strand((leaf_of(text, leaf),), key_words(leaf.path))
        elif leaf.kind == "key":
            yield Strand((leaf_of(text, leaf),))


def number_hits(scanner: Scanner, text: str, leaves: Iterable[JsonLeaf], work: Work) -> Iterator[Hit]:
    """Find numbers that are values of people: by their digits, or by their key. Masked, one becomes a string."""
    for leaf in leaves:
        if leaf.kind != "number" or not (digits := digits_of(text[leaf.start : leaf.end])):
            continue
        for found in whole_number(scanner, digits, key_words(leaf.path), work):
            yield Hit(found.entity, digits, ((leaf.start, leaf.end),), json.dumps)


def token_lists(text: str) -> Iterator[Replacement]:
    """Say how to empty what repeats the text token by token."""
    for match in _TOKEN_LIST.finditer(text):
        end = _container_end(text, match.end())
        yield match.end(), end, "null" if text[match.end()] == "{" else "[]"


_DEPTH: Final = {"{": 1, "[": 1, "}": -1, "]": -1}
_BRACKET: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]')


def _container_end(text: str, start: int) -> int:
    depth, end = 0, start
    for match in _BRACKET.finditer(text, start):
        depth += _DEPTH.get(match[0], 0)
        end = match.end()
        if not depth:
            break
    return end


def elements(text: str) -> Iterator[tuple[int, int]]:
    """Give the places of the objects in a valid list of objects."""
    at = text.index("[") + 1
    while (start := text.find("{", at)) >= 0:
        at = _container_end(text, start)
        yield start, at


def mark_length(text: str) -> int:
    """Give the length of a byte order mark (RFC 8259 §8.1 lets a reader ignore it)."""
    return 1 if text.startswith("\ufeff") else 0


def _values(text: str, start: int) -> tuple[str, ...]:
    return tuple(leaf_of(text, leaf).view.text for leaf in json_leaves(text, start) if leaf.kind == "string")
