"""A stream of events, masked as it comes: one channel for each text, and what is outside of texts where it stands.

Most events of a stream differ from one before them in nothing but a piece of text; these take a short way.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from gatekeeper.exchange import Finding
from gatekeeper.masking.body import embedded_in
from gatekeeper.masking.channel import Channel, Found, json_escaped
from gatekeeper.masking.document import Nested, Opaque, Replacement, nested_changes, replacements, rewrite
from gatekeeper.masking.embedded import PART_NOT_TEXT
from gatekeeper.masking.events import Payload
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.json_body import json_could_hit, number_hits, token_lists
from gatekeeper.masking.json_source import Json, JsonLeaf, Path, by_name, json_leaves, key_words, leaf_of, parse_json
from gatekeeper.masking.masker import WORK_LIMIT, OperatorSet
from gatekeeper.masking.operators import Operators
from gatekeeper.masking.runs import Inner, Part, Runs, Unread
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.strand import Hit, Leaf, Repeats, Strand, could_hit, hits
from gatekeeper.masking.streams.frames import Block, Framing
from gatekeeper.masking.streams.generic import PIECE_KEYS
from gatekeeper.masking.streams.pieces import EVERYTHING, Reading, TextPiece
from gatekeeper.masking.streams.readings import read_pieces
from gatekeeper.masking.streams.template import Match, Template
from gatekeeper.masking.streams.watch import Watch
from gatekeeper.masking.view import View, json_string

MOST_TEXTS: Final = 4096
"""Texts of one stream; an answer has some ten."""

_UNREAD: Final = 'uninspected = "allow"'
_TEMPLATES: Final = 4  # kinds of events that come in turns
_MARKERS: Final = frozenset({"[DONE]", "[done]", "DONE", "done", "[END]", "END"})
# What a tool is called with is read for its own sake; of other texts nobody but the client reads each piece.
_ARGUMENTS: Final = frozenset({"arguments", "partial_json", "input", "response.function_call_arguments",
                               "response.custom_tool_call_input", "response.mcp_call_arguments"})  # fmt: skip


class _Event(msgspec.Struct, frozen=True):
    """An event that has data, and its reading."""

    block: Block
    payload: Payload
    data: str
    value: Json
    reading: Reading

    @property
    def paths(self) -> frozenset[Path]:
        """Where its pieces stand."""
        return frozenset(piece.path for piece in self.reading.pieces)

    def placed(self, changes: Iterable[Replacement]) -> Iterator[Replacement]:
        """Give changes of its data as changes of its text."""
        return ((self.payload.place(start), self.payload.place(end), instead) for start, end, instead in changes)


class _Text:
    """One text that comes in pieces, and the block that brought its last one."""

    __slots__ = ("block", "channel", "runs")

    def __init__(self, scanner: Scanner, block: Block) -> None:
        self.channel, self.block = Channel(scanner), block
        self.runs = Runs(lambda text: embedded_in(scanner, text, _work()))

    @property
    def holds(self) -> bool:
        """Tell whether something is held back."""
        return self.channel.holds or self.runs.holds

    def push(self, text: str, *, final: bool) -> Sequence[Part]:
        """Add to the text and give what can be released."""
        return self.runs.take(self.channel.push(text, _work(), final=final), final=final)


class EventStream:
    """Masks what one framing cuts into events; raises UnreadableBody."""

    def __init__(self, scanner: Scanner, operators: OperatorSet, framing: Framing, *, unread: bool = False) -> None:
        self._scanner, self._framing, self._unread = scanner, framing, unread
        sent, recorded = operators.sent, operators.recorded
        self._variants = (sent, recorded) if operators.differ or unread else (sent,)
        self._texts: dict[Path, _Text] = {}
        self._watch = Watch(scanner)
        self._closed: set[Path] = set()
        self._repeats = Repeats(scanner)
        self._templates: list[Template] = []
        self._structured = False
        self._sent: list[bytes] = []
        self._recorded: list[bytes] = []
        self._events: list[bytes] = []
        self._findings: Counter[Finding] = Counter()
        self.said_all = False
        self.uninspected: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far."""
        return tuple(self._findings.elements())

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        """Take bytes from upstream; raises UnreadableBody."""
        for block in self._framing.feed(data):
            self._block(block)
        return self._take()

    def finish(self) -> tuple[bytes, ...]:
        """Give the rest; raises UnreadableBody."""
        for block in self._framing.rest():
            self._block(block)
        self._flush(EVERYTHING)
        return self._take()

    def take_recorded(self) -> bytes:
        """Give what is to be recorded since the last call."""
        recorded = b"".join(self._recorded)
        self._recorded.clear()
        return recorded

    def take_events(self) -> tuple[bytes, ...]:
        """Give the data of the events that say more than a further piece of text, unmasked."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def _take(self) -> tuple[bytes, ...]:
        sent = b"".join(self._sent)
        self._sent.clear()
        return (sent,) if sent else ()

    def _block(self, block: Block) -> None:
        for template in self._templates:
            if (match := template.match(block.text)) is not None and self._short_way(block, template, match):
                return
        if block.margin and could_hit(self._scanner, block.margin):
            msg = "something is in the frame of an event of it that can't be masked there"
            raise UnreadableBody(msg)
        payload, others = self._framing.read(block)
        strands = [Strand((Leaf(View(block.text[start:end]), start),)) for start, end in others]
        marginal = hits(self._scanner, strands, _work())
        self._findings.update(Finding(hit.entity, "body") for hit in marginal)
        if payload is None:
            self._put_changed(block, [replacements(marginal, operators) for operators in self._variants])
        else:
            self._event(self._read(block, payload), marginal)

    def _short_way(self, block: Block, template: Template, match: Match) -> bool:
        """Mask an event of a known form; False where it has to be read after all."""
        if any(could_hit(self._scanner, text) for text in match.volatile):
            return False
        text = block.text[match.start : match.end]
        if "\\" in text:
            text = json_string(text).text
        pieces = self._push(template.piece.channel, text, block, final=False)
        if len(pieces) == 1 and pieces[0] == text:
            self._put([block.raw])
        else:
            head, tail = block.text[: match.start], block.text[match.end :]
            self._put([self._framing.sealed(block, head + json_escaped(out) + tail) for out in self._rendered(pieces)])
        if template.piece.channel[-1] in _ARGUMENTS:
            self._events.append(block.text[template.head : len(block.text) - template.tail].encode("utf-8", "replace"))
        return True

    def _read(self, block: Block, payload: Payload) -> _Event:
        data = payload.text(block.text)
        value = _value(data)
        if value is not None:
            self._structured = self._structured or not isinstance(value, str)
            reading = Reading() if block.alone else read_pieces(payload.name, value)
        elif data.strip() in _MARKERS:
            reading = Reading(closes=EVERYTHING, last=True)
        elif self._structured:
            reading = Reading()
        else:
            reading = read_pieces(payload.name, data)
        return _Event(block, payload, data, value, reading)

    def _event(self, event: _Event, marginal: tuple[Hit, ...]) -> None:
        reading = event.reading
        self._watch.look(reading.others, _work())
        released = self._release(event)
        leaves = list(json_leaves(event.data)) if event.value is not None else []
        alone = self._alone(event, leaves)
        nested = self._nested(event, leaves)
        self._findings.update(Finding(hit.entity, "body") for hit in alone)
        changed = False
        variants = []
        for number, operators in enumerate(self._variants):
            texts = {piece.path: outs[number] for piece, outs in released if outs[number] != piece.text}
            changes = [*self._changes(event, leaves, texts), *replacements(alone, operators)]
            changes += nested_changes(nested, operators)
            if (changes or not reading.tokens_stay) and event.value is not None:
                changes += token_lists(event.data)
            changed = changed or bool(changes)
            variants.append([*event.placed(changes), *replacements(marginal, operators)])
        self._put_changed(event.block, variants)
        if event.value is not None:
            self._events.append(event.data.encode("utf-8", "replace"))
        if len(reading.pieces) == 1 and not (reading.closes or alone or marginal or nested) and reading.tokens_stay:
            self._learn(event, leaves, reading.pieces[0])

    def _learn(self, event: _Event, leaves: Sequence[JsonLeaf], piece: TextPiece) -> None:
        if any(leaf.path[-1:] == ("logprobs",) or "logprobs" in leaf.path for leaf in leaves):
            return
        if template := Template.of(event.block.text, event.payload, leaves, piece):
            self._templates = [template, *self._templates[: _TEMPLATES - 1]]

    def _release(self, event: _Event) -> list[tuple[TextPiece, list[str]]]:
        """Give what of each piece may leave; before a text is closed, all that it holds back."""
        reading = event.reading
        last = {piece.channel: number for number, piece in enumerate(reading.pieces)}
        self._flush(reading.closes, except_for=last)
        released = []
        for number, piece in enumerate(reading.pieces):
            final = last[piece.channel] == number and _is_under(piece.channel, reading.closes)
            out = self._push(piece.channel, piece.text, event.block, final=final)
            released.append((piece, self._rendered(out)))
        for channel in last:
            if _is_under(channel, reading.closes):
                self._texts.pop(channel, None)
        if reading.strict:
            self._closed.update(reading.closes)
        self.said_all = self.said_all or reading.last
        if len(self._texts) + len(self._closed) > MOST_TEXTS:
            msg = f"it has more than {MOST_TEXTS} texts"
            raise UnreadableBody(msg)
        return released

    def _push(self, path: Path, text: str, block: Block, *, final: bool) -> Sequence[Part]:
        kept = self._texts.get(path)
        if kept is None:
            if any(path[:size] in self._closed for size in range(len(path) + 1)):
                return _nothing_more(text)
            kept = self._texts[path] = _Text(self._scanner, block)
        kept.block = block
        pieces = kept.push(text, final=final)
        self._note(pieces)
        return pieces

    def _note(self, pieces: Iterable[Part]) -> None:
        """Take down what was found; raises UnreadableBody for what can't be inspected and may not pass."""
        for piece in pieces:
            if isinstance(piece, Found):
                self._findings[Finding(piece.entity, "body")] += 1
            elif isinstance(piece, Inner):
                self._findings.update(Finding(entity, "body") for entity in piece.nested.document.entities())
            elif isinstance(piece, Unread):
                self._refuse(piece.kind)
                self.uninspected = self.uninspected or f"{PART_NOT_TEXT}: a text of it has {piece.kind} encoded in it"

    def _refuse(self, kind: str) -> None:
        if not self._unread:
            msg = f"an event of it has {kind} in it, and the rule that let the request pass lacks {_UNREAD}"
            raise UnreadableBody(msg)

    def _rendered(self, pieces: Sequence[Part]) -> list[str]:
        return [_rendered(pieces, operators) for operators in self._variants]

    def _flush(self, closes: Iterable[Path], except_for: Iterable[Path] = ()) -> None:
        """Send what the texts under these channels hold back, each in an event of its own, and forget them."""
        closes, kept = tuple(closes), frozenset(except_for)
        if not closes:
            return
        for path in [path for path in self._texts if path not in kept and _is_under(path, closes)]:
            text = self._texts.pop(path)
            if text.holds:
                pieces = text.push("", final=True)
                self._note(pieces)
                self._put([self._added(path, text.block, out, operators) for out, operators in self._each(pieces)])

    def _each(self, pieces: Sequence[Part]) -> Iterator[tuple[str, Operators]]:
        return zip(self._rendered(pieces), self._variants, strict=True)

    def _added(self, path: Path, block: Block, text: str, operators: Operators) -> bytes:
        """Write an event that adds to a text, like the one that brought its last piece."""
        payload, _ = self._framing.read(block)
        if not text or payload is None:
            return b""
        event = self._read(block, payload)
        name, value, place = next(piece.added for piece in reversed(event.reading.pieces) if piece.channel == path)(
            text
        )
        name = (name or payload.name) if payload.name and not could_hit(self._scanner, payload.name) else ""
        if event.value is None:
            return self._framing.another(block, name, self._framing.plain(text))
        data = msgspec.json.encode(value).decode()
        found = self._found_in(data, list(json_leaves(data)), frozenset((place,)))
        return self._framing.another(block, name, rewrite(data, replacements(found, operators)))

    def _alone(self, event: _Event, leaves: Sequence[JsonLeaf]) -> tuple[Hit, ...]:
        """Find what stands in an event outside of the texts that are joined."""
        if event.value is None:
            if event.reading.pieces:
                return ()
            return hits(self._scanner, [Strand((Leaf(View(event.data), 0),))], _work())
        return self._found_in(event.data, leaves, event.paths)

    def _nested(self, event: _Event, leaves: Sequence[JsonLeaf]) -> tuple[Nested, ...]:
        """Read what stands encoded outside of the texts that are joined."""
        if event.value is None:
            return ()
        embedded = embedded_in(self._scanner, event.data, _work())
        pieces = [(leaf.start, leaf.end) for leaf in leaves if leaf.kind == "string" and leaf.path in event.paths]
        outside = [one for one in embedded.nested if not any(a <= one.start < b for a, b in pieces)]
        opaque = [one.document.kind for one in outside if isinstance(one.document, Opaque)]
        if opaque:
            self._refuse(opaque[0])
        self.uninspected = self.uninspected or embedded.uninspected if opaque else self.uninspected
        self._findings.update(Finding(entity, "body") for one in outside for entity in one.document.entities())
        return tuple(outside)

    def _found_in(self, data: str, leaves: Sequence[JsonLeaf], paths: frozenset[Path]) -> tuple[Hit, ...]:
        if not json_could_hit(self._scanner, data):
            return ()
        looked_at = (leaf for leaf in leaves if not self._scanner.lets_be(leaf.path))
        others = by_name(data, [leaf for leaf in looked_at if leaf.kind != "string" or leaf.path not in paths])
        strings = hits(self._scanner, _strands(data, others), _work(), self._repeats)
        return (*strings, *number_hits(self._scanner, data, others, _work()))

    def _changes(self, event: _Event, leaves: Sequence[JsonLeaf], texts: dict[Path, str]) -> Iterator[Replacement]:
        """Say how to write the pieces that are not what they were."""
        if texts and event.value is None:
            yield 0, len(event.data), self._framing.plain(texts[()])
        elif texts:
            for leaf in leaves:
                if leaf.kind == "string" and leaf.path in texts:
                    yield leaf.start, leaf.end, json_escaped(texts[leaf.path])

    def _put_changed(self, block: Block, variants: Iterable[Sequence[Replacement]]) -> None:
        sealed = self._framing.sealed
        self._put([sealed(block, rewrite(block.text, changes)) if changes else block.raw for changes in variants])

    def _put(self, variants: Sequence[bytes]) -> None:
        """Let bytes leave: the first for the client, the last for the journal."""
        self._sent.append(variants[0])
        self._recorded.append(variants[-1])


def _value(data: str) -> Json:
    """Parse data that is JSON; None for text. What begins like an object must be one."""
    begins = data.lstrip()[:1]
    if begins == "{":
        return parse_json(data)
    if begins not in {"[", '"'}:
        return None
    try:
        return parse_json(data)
    except UnreadableBody:
        return None


def _nothing_more(text: str) -> Sequence[Part]:
    if text:
        msg = "a text of it goes on after its end"
        raise UnreadableBody(msg)
    return []


def _is_under(channel: Path, closes: Iterable[Path]) -> bool:
    return any(channel[: len(prefix)] == prefix for prefix in closes)


def _strands(data: str, leaves: Iterable[JsonLeaf]) -> Iterator[Strand]:
    """Give a strand for each string and key; a text that repeats one that came in pieces is looked at as these were."""
    for leaf in leaves:
        if leaf.kind == "string":
            repeats = leaf.path[-1:] and leaf.path[-1] in PIECE_KEYS
            yield Strand((leaf_of(data, leaf),), "" if repeats else key_words(leaf.path))
        elif leaf.kind == "key":
            yield Strand((leaf_of(data, leaf),))


def _rendered(pieces: Iterable[Part], operators: Operators) -> str:
    return "".join(piece if isinstance(piece, str) else _instead(piece, operators) for piece in pieces)


def _instead(piece: Found | Inner | Unread, operators: Operators) -> str:
    if not isinstance(piece, Found):
        return piece.written(operators)
    instead = operators.apply(piece.entity, piece.value)
    return piece.source if instead is None else piece.written(instead)


def _work() -> Work:
    return Work(WORK_LIMIT)
