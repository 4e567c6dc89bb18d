"""A stream of chat completion chunks, masked as it comes."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gatekeeper.exchange import Finding
from gatekeeper.masking.channel import Channel, Found, Piece, json_escaped
from gatekeeper.masking.chat import Choice, TextPiece, chunk_with, envelope, read_choices, tokens_repeat
from gatekeeper.masking.document import Replacement, replacements, rewrite
from gatekeeper.masking.events import Payload, event_document, event_json, read_events
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.json_body import json_could_hit, number_hits, string_strands, token_lists
from gatekeeper.masking.json_source import JsonLeaf, Path, json_leaves, only_string
from gatekeeper.masking.masker import WORK_LIMIT, Masker
from gatekeeper.masking.operators import Operators
from gatekeeper.masking.scanner import Work
from gatekeeper.masking.splitter import EventSplitter
from gatekeeper.masking.strand import Hit, Leaf, Strand, hits
from gatekeeper.masking.view import View

STREAM_LIMIT: Final = 32 << 20
"""Bytes of a stream that has to be read whole."""

_NO_CHUNK: Final = "an event of it is no chat completion chunk"

type Released = list[tuple[TextPiece, list[Piece]]]


class _Event:
    """An event that has JSON: as it came, taken apart, and what was found in its other fields."""

    def __init__(self, block: bytes, text: str, payload: Payload, marginal: tuple[Hit, ...]) -> None:
        self.block, self.text, self.payload, self.marginal = block, text, payload, marginal
        self.data = payload.text(text)

    @functools.cached_property
    def leaves(self) -> tuple[JsonLeaf, ...]:
        """The leaves of its JSON."""
        return tuple(json_leaves(self.data))

    def placed(self, changes: Iterable[Replacement]) -> Iterator[Replacement]:
        """Give changes of its data as changes of its text."""
        return ((self.payload.place(start), self.payload.place(end), instead) for start, end, instead in changes)

    def pieces(self, released: Released, operators: Operators) -> Iterator[Replacement]:
        """Give the pieces of texts that are not what they were."""
        texts = {piece.path: text for piece, out in released if (text := _rendered(out, operators)) != piece.text}
        if not texts:
            return
        if len(texts) == 1:
            [(path, text)] = texts.items()
            if (place := only_string(self.data, path)) is not None:
                yield (*place, json_escaped(text))
                return
        for leaf in self.leaves:
            if leaf.kind == "string" and leaf.path in texts:
                yield leaf.start, leaf.end, json_escaped(texts[leaf.path])


class ChatStream:
    """Chat completion chunks. A stream that turns out to be another kind is held back and read whole."""

    def __init__(self, masker: Masker) -> None:
        self._scanner = masker.scanner
        operators = masker.responses
        self._variants = (operators.sent, operators.recorded) if operators.sent.keeps else (operators.sent,)
        self._splitter = EventSplitter()
        self._whole: bytearray | None = None
        self._chatting = False
        self._channels: dict[Path, Channel] = {}
        self._closed: set[object] = set()
        self._fields: dict[str, object] = {}
        self._sent: list[bytes] = []
        self._recorded: list[bytes] = []
        self._events: list[bytes] = []
        self._findings: list[Finding] = []

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far."""
        return tuple(self._findings)

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        """Take bytes from upstream; raises UnreadableBody."""
        for block in self._splitter.feed(data):
            self._block(block)
        return self._take()

    def finish(self) -> tuple[bytes, ...]:
        """Give the rest; raises UnreadableBody."""
        if rest := self._splitter.rest():
            self._block(rest)
        if self._whole is not None:
            self._read_whole(bytes(self._whole))
        else:
            self._flush(tuple(self._channels))
        return self._take()

    def take_recorded(self) -> bytes:
        """Give what is to be recorded since the last call."""
        recorded = b"".join(self._recorded)
        self._recorded.clear()
        return recorded

    def take_events(self) -> tuple[bytes, ...]:
        """Give the JSON of the events since the last call, unmasked."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def _take(self) -> tuple[bytes, ...]:
        sent = b"".join(self._sent)
        self._sent.clear()
        return (sent,) if sent else ()

    def _block(self, block: bytes) -> None:
        if self._whole is not None:
            self._keep_whole(block)
            return
        text = _decoded(block)
        payloads, others = read_events(text)
        marginal = hits(
            self._scanner, [Strand((Leaf(View(text[slice(*place)]), place[0]),)) for place in others], _work()
        )
        if not payloads:
            self._put_changed(text, block, [replacements(marginal, operators) for operators in self._variants])
            return
        event = _Event(block, text, payloads[0], marginal)
        value = event_json(event.data)
        choices = read_choices(value)
        if not self._chatting and choices is None:
            self._keep_whole(block)
            return
        self._chatting = True
        if value is None:
            self._end(event.data)
        elif choices is None and "error" not in value:
            raise UnreadableBody(_NO_CHUNK)
        else:
            self._events.append(event.data.encode())
            self._fields = envelope(value) if choices else self._fields
        self._chunk(event, choices or ())

    def _end(self, data: str) -> None:
        if data.strip() != "[DONE]":
            raise UnreadableBody(_NO_CHUNK)
        self._flush(tuple(self._channels))

    def _chunk(self, event: _Event, choices: Sequence[Choice]) -> None:
        released = [item for choice in choices for item in self._release(choice)]
        alone = self._alone(event, {piece.path for piece, _ in released})
        self._findings += [Finding(hit.entity, "body") for hit in (*alone, *event.marginal)]
        tokens_stay = all(tokens_repeat(choice) for choice in choices)
        variants = []
        for operators in self._variants:
            changes = [*event.pieces(released, operators), *replacements(alone, operators)]
            if changes or not tokens_stay:
                changes += token_lists(event.data)
            variants.append([*event.placed(changes), *replacements(event.marginal, operators)])
        self._put_changed(event.text, event.block, variants)

    def _release(self, choice: Choice) -> Released:
        """Give what of each piece may leave; before a choice closes, all that its other texts hold back."""
        if choice.index in self._closed and any(piece.text for piece in choice.pieces):
            msg = "a choice of it goes on after its end"
            raise UnreadableBody(msg)
        last = {piece.channel: number for number, piece in enumerate(choice.pieces)}
        if choice.closes:
            self._closed.add(choice.index)
            self._flush([path for path in self._channels if path[1] == choice.index and path not in last])
        released = []
        for number, piece in enumerate(choice.pieces):
            final = choice.closes and last[piece.channel] == number
            released.append((piece, self._push(piece.channel, piece.text, final=final)))
        return released

    def _push(self, path: Path, text: str, *, final: bool) -> list[Piece]:
        channel = self._channels.get(path)
        if channel is None:
            channel = self._channels[path] = Channel(self._scanner)
        pieces = channel.push(text, _work(), final=final)
        self._findings += [Finding(piece.entity, "body") for piece in pieces if isinstance(piece, Found)]
        return pieces

    def _flush(self, paths: Iterable[Path]) -> None:
        """Send what texts hold back, each in a chunk of its own."""
        for path in paths:
            if not self._channels[path].holds:
                continue
            pieces = self._push(path, "", final=True)
            fields = {name: value for name, value in self._fields.items() if not self._found_in(value)}
            texts = [_rendered(pieces, operators) for operators in self._variants]
            self._put([b"data: " + chunk_with(fields, path, text) + b"\n\n" if text else b"" for text in texts])

    def _found_in(self, value: object) -> bool:
        strand = Strand((Leaf(View(value), 0),)) if isinstance(value, str) else None
        return strand is not None and bool(hits(self._scanner, [strand], _work()))

    def _alone(self, event: _Event, pieces: set[Path]) -> tuple[Hit, ...]:
        """Find what stands in an event outside of the texts that are joined."""
        if not json_could_hit(self._scanner, event.data) or event_json(event.data) is None:
            return ()
        leaves = [leaf for leaf in event.leaves if leaf.kind != "string" or leaf.path not in pieces]
        strings = hits(self._scanner, string_strands(event.data, leaves), _work())
        return (*strings, *number_hits(self._scanner, event.data, leaves, _work()))

    def _put_changed(self, text: str, block: bytes, variants: Iterable[Sequence[Replacement]]) -> None:
        self._put([rewrite(text, changes).encode() if changes else block for changes in variants])

    def _put(self, variants: Sequence[bytes]) -> None:
        """Let bytes leave: the first for the client, the last for the journal."""
        self._sent.append(variants[0])
        self._recorded.append(variants[-1])

    def _keep_whole(self, block: bytes) -> None:
        whole = self._whole = self._whole if self._whole is not None else bytearray()
        whole += block
        if len(whole) > STREAM_LIMIT:
            msg = f"a stream of this kind is read whole, and it is larger than {STREAM_LIMIT} bytes"
            raise UnreadableBody(msg)

    def _read_whole(self, raw: bytes) -> None:
        text = _decoded(raw)
        document = event_document(self._scanner, raw, text, "utf-8", _work())
        payloads, _ = read_events(text)
        data = (payload.text(text) for payload in payloads)
        self._events += [one.encode() for one in data if event_json(one) is not None]
        self._findings += [Finding(entity, "body") for entity in document.entities()]
        self._put([document.render(operators) for operators in self._variants])


def _rendered(pieces: Iterable[Piece], operators: Operators) -> str:
    return "".join(piece if isinstance(piece, str) else _instead(piece, operators) for piece in pieces)


def _instead(found: Found, operators: Operators) -> str:
    instead = operators.apply(found.entity, found.value)
    return found.source if instead is None else found.written(instead)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        msg = "it is not UTF-8 text"
        raise UnreadableBody(msg) from None  # the cause holds the body


def _work() -> Work:
    return Work(WORK_LIMIT)
