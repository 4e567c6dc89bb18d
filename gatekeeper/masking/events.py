"""Event streams, read whole (WHATWG HTML §9.2.6): values split over events are found in what a client joins.

Which texts a client joins isn't known for every provider, so they are looked at under several keys: a value is
found if one of them joins its pieces.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from gatekeeper.masking.document import Document, Replacement
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.json_body import elements, json_document, mark_length, number_hits, string_strands, token_lists
from gatekeeper.masking.json_source import Json, Path, by_name, json_leaves, key_words, leaf_of, parse_json
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.strand import Hit, Leaf, Strand, hits
from gatekeeper.masking.view import View

_LINE: Final = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r|\Z)")  # the last one is empty, and so ends an event
_SIMPLE: Final = re.compile(r"data: ([^\r\n]+)\n\n")
_FIELD: Final = re.compile(r"([^:]*)(?:: ?)?")

# The keys under which providers send the pieces of a text, whatever the event around them.
PIECE_KEYS: Final = frozenset(
    {"text", "delta", "content", "refusal", "reasoning", "reasoning_content", "thinking", "arguments", "partial_json",
     "summary", "transcript", "output", "input", "completion", "code", "response", "token", "generated_text"}
)  # fmt: skip
_INDEX_FIELDS: Final = ("index", "output_index", "content_index", "summary_index")
_ID_FIELDS: Final = ("id", "item_id", "call_id")
_TYPES: Final = ("type", "event", "object")

type Place = tuple[int, int]


class Payload(msgspec.Struct, frozen=True):
    """The data of one event: its name, and the place of each of its lines."""

    name: str
    lines: tuple[Place, ...]

    def text(self, whole: str) -> str:
        """Give the data, its lines joined by newlines."""
        return "\n".join(whole[start:end] for start, end in self.lines)

    def place(self, offset: int) -> int:
        """Give the place in the body of a place in the data."""
        for start, end in self.lines:
            if offset <= end - start:
                return start + offset
            offset -= end - start + 1
        raise IndexError(offset)


def read_events(text: str) -> tuple[list[Payload], list[Place]]:
    """Take a stream apart: the data of its events, and the places of comments and other fields."""
    if (simple := _SIMPLE.fullmatch(text)) is not None:
        return [Payload("", (simple.span(1),))], []
    payloads: list[Payload] = []
    others: list[Place] = []
    name = ""
    data: list[Place] = []
    for match in _LINE.finditer(text, mark_length(text)):
        start, end = match.span(1)
        if start == end:
            if data:
                payloads.append(Payload(name, tuple(data)))
            name, data = "", []
            continue
        field = _FIELD.match(text, start, end)
        value = field.end() if field else end
        kind = field[1] if field else ""
        if kind == "data":
            data.append((value, end))
            continue
        others.append((start, end))
        name = text[value:end] if kind == "event" else name
    return payloads, others


def event_document(scanner: Scanner, raw: bytes, text: str, charset: str, work: Work) -> Document:
    """Read an event stream that is complete; raises UnreadableBody."""
    payloads, others = read_events(text)
    return _document(scanner, raw, text, charset, payloads, others, work)


def ndjson_document(scanner: Scanner, raw: bytes, text: str, charset: str, work: Work) -> Document:
    """Read JSON lines, each of which is an event; raises UnreadableBody."""
    lines = [match.span() for match in re.finditer(r"[^\r\n]+", text)]
    if lines:
        lines[0] = (lines[0][0] + mark_length(text), lines[0][1])
    payloads = [Payload("", (line,)) for line in lines if text[slice(*line)].strip()]
    for payload in payloads:
        parse_json(payload.text(text))
    return _document(scanner, raw, text, charset, payloads, (), work)


def chunks_document(scanner: Scanner, raw: bytes, text: str, charset: str, work: Work) -> Document:
    """Read a list of chunks, which is how Gemini streams where no event stream is asked for."""
    value = parse_json(text[mark_length(text) :])
    if not all(isinstance(chunk, dict) for chunk in value):
        return json_document(scanner, raw, text, charset, work)
    payloads = [Payload("", (place,)) for place in elements(text)]
    return _document(scanner, raw, text, charset, payloads, (), work)


class _Texts(msgspec.Struct):
    """The texts of a stream, by what may join them."""

    joined: dict[tuple[object, ...], list[Leaf]] = {}
    left: dict[tuple[object, ...], str] = {}
    alone: list[Strand] = []
    numbers: list[Hit] = []
    vouching: list[Replacement] = []

    def add(self, keys: Iterable[tuple[object, ...]], leaf: Leaf, left: str) -> None:
        """Put a leaf under each of its keys."""
        for key in keys:
            self.joined.setdefault(key, []).append(leaf)
            self.left.setdefault(key, left)

    def strands(self) -> Iterator[Strand]:
        """Give the joined texts first: what a piece alone seems to hold may be part of more."""
        seen: set[tuple[int, ...]] = set()
        for key, leaves in self.joined.items():
            places = tuple(leaf.start for leaf in leaves)
            if len(leaves) > 1 and places not in seen:
                seen.add(places)
                yield Strand(tuple(leaves), self.left[key])
        yield from self.alone

    def read(self) -> tuple[str, ...]:
        """Give the texts under their most exact keys, and those that stand alone in an event."""
        groups = [leaves for key, leaves in self.joined.items() if key[0] == "exact"]
        return tuple("".join(leaf.view.text for leaf in leaves) for leaves in groups)


def _document(
    scanner: Scanner, raw: bytes, text: str, charset: str, payloads: Sequence[Payload], others: Sequence[Place],
    work: Work,
) -> Document:  # fmt: skip
    texts = _Texts()
    for payload in payloads:
        _add_payload(texts, scanner, payload, text, work)
    texts.alone += [Strand((Leaf(View(text[start:end]), start),)) for start, end in others]
    found = (*hits(scanner, texts.strands(), work), *texts.numbers)
    vouching = tuple(texts.vouching) if found else ()
    return Document(raw=raw, text=text, charset=charset, hits=found, vouching=vouching, read=texts.read)


def _add_payload(texts: _Texts, scanner: Scanner, payload: Payload, whole: str, work: Work) -> None:
    data = payload.text(whole)
    if (value := event_json(data)) is None:
        for start, end in payload.lines:
            leaf = Leaf(View(whole[start:end]), start)
            texts.add([("exact", payload.name)], leaf, "")
            texts.alone.append(Strand((leaf,)))
        return
    leaves = [leaf for leaf in json_leaves(data) if not scanner.lets_be(leaf.path)]
    for piece in leaves:
        if piece.kind == "string":
            placed = _placed(leaf_of(data, piece), payload)
            texts.add(_keys(payload.name, value, piece.path), placed, key_words(piece.path))
    named = by_name(data, leaves)
    for strand in string_strands(data, named):
        texts.alone.append(Strand((_placed(strand.leaves[0], payload),), strand.left))
    for hit in number_hits(scanner, data, named, work):
        segments = tuple((payload.place(start), payload.place(end)) for start, end in hit.segments)
        texts.numbers.append(msgspec.structs.replace(hit, segments=segments))
    texts.vouching += [(payload.place(start), payload.place(end), empty) for start, end, empty in token_lists(data)]


def _placed(leaf: Leaf, payload: Payload) -> Leaf:
    return msgspec.structs.replace(leaf, start=payload.place(leaf.start))


def event_json(data: str) -> Json:
    """Parse data that is JSON; None for text. What begins like an object must be one."""
    begins = data.lstrip()[:1]
    if begins == "{":
        return parse_json(data)
    if begins != "[":
        return None
    try:
        return parse_json(data)
    except UnreadableBody:
        return None  # [DONE] and the like: looked at as text


def _keys(name: str, value: Json, path: Path) -> Iterator[tuple[object, ...]]:
    """Give the keys under which the text at `path` may be joined with others."""
    indices, ids, steps = siblings(value, path)
    kinds = tuple(_scalar(value.get(kind)) for kind in _TYPES) if isinstance(value, dict) else ()
    yield "exact", name, kinds, steps, indices, ids
    yield "any id", name, kinds, steps, indices
    last = next((step for step in reversed(path) if isinstance(step, str)), "")
    if last in PIECE_KEYS:
        yield "any event", last, indices


def siblings(value: Json, path: Path) -> tuple[tuple[object, ...], tuple[object, ...], Path]:
    """Collect the index and id fields of the objects on the path; a list's position gives way to an index field."""
    indices: list[object] = []
    ids: list[object] = []
    steps: list[str | int] = []
    for step in path:
        if isinstance(value, dict):
            indices += [_scalar(value[name]) for name in _INDEX_FIELDS if name in value]
            ids += [_scalar(value[name]) for name in _ID_FIELDS if name in value]
        value = value[step]
        indexed = isinstance(step, int) and isinstance(value, dict) and "index" in value
        steps.append(-1 if indexed else step)
    return tuple(indices), tuple(ids), tuple(steps)


def _scalar(value: object) -> str:
    return value if isinstance(value, str) else repr(value) if isinstance(value, int) else ""
