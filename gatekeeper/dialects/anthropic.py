"""Anthropic's dialect: messages, whole and streamed. Shapes: docs.anthropic.com/en/api/messages."""

from typing import Final

import msgspec

from gatekeeper.dialects.assembly import Assembly, given_json
from gatekeeper.dialects.attributes import ABSENT, count, numbers, position, short
from gatekeeper.dialects.reading import Reading, items, member
from gatekeeper.dialects.texts import texts_in

_NUMBERS: Final = (
    ("max_tokens", "gen_ai.request.max_tokens"),
    ("temperature", "gen_ai.request.temperature"),
    ("top_p", "gen_ai.request.top_p"),
    ("top_k", "gen_ai.request.top_k"),
)
_CALLS: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})  # blocks that call a tool


class _Request(msgspec.Struct):
    model: object = None
    stream: object = None
    system: object = None
    messages: object = None
    tools: object = None
    max_tokens: msgspec.Raw = ABSENT
    temperature: msgspec.Raw = ABSENT
    top_p: msgspec.Raw = ABSENT
    top_k: msgspec.Raw = ABSENT


_REQUESTS: Final = msgspec.json.Decoder(_Request)


def read_request(body: bytes) -> Reading:
    """Read a request's body; raises msgspec.DecodeError, UnicodeDecodeError or RecursionError."""
    request = _REQUESTS.decode(body)
    return Reading(
        model=short(request.model),
        stream=request.stream is True,
        texts=tuple(texts_in([request.system, request.messages])),
        tools=tuple(short(member(tool, "name")) or short(member(tool, "type")) for tool in items(request.tools)),
        attributes=numbers(request, _NUMBERS),
    )


class _Block(msgspec.Struct):
    type: object = None
    id: object = None
    name: object = None
    input: msgspec.Raw = ABSENT


class _Delta(msgspec.Struct):
    partial_json: object = None
    stop_reason: object = None


class _Message(msgspec.Struct):
    id: object = None
    model: object = None
    stop_reason: object = None
    content: list[_Block] | None = None
    usage: object = None


class _Event(_Message):
    """A whole answer, or one event of its stream."""

    message: _Message | None = None
    index: object = None
    content_block: _Block | None = None
    delta: _Delta | None = None


_EVENTS: Final = msgspec.json.Decoder(_Event)


def read_event(answer: Assembly, payload: bytes) -> None:
    """Add a whole answer, or one event of a stream; raises as `read_request`."""
    event = _EVENTS.decode(payload)
    _read_message(answer, event)
    if event.message is not None:
        _read_message(answer, event.message)
    index = position(event.index)
    if event.content_block is not None:
        _read_block(answer, index, event.content_block)
    if event.delta is not None:
        answer.end(0, event.delta.stop_reason)
        if event.delta.partial_json is not None:
            answer.extend((0, index), "", "", event.delta.partial_json)


def _read_message(answer: Assembly, message: _Message) -> None:
    answer.name(message.id, message.model)
    answer.end(0, message.stop_reason)
    for index, block in enumerate(message.content or ()):
        _read_block(answer, index, block)
    _read_usage(answer, message.usage)


def _read_block(answer: Assembly, index: int, block: _Block) -> None:
    if short(block.type) in _CALLS:
        # In a stream the input begins empty and follows in pieces.
        answer.extend((0, index), block.id, block.name, given_json(block.input))


def _read_usage(answer: Assembly, usage: object) -> None:
    """Anthropic counts cached tokens apart; the convention counts them in (gen_ai.usage.input_tokens)."""
    sent = count(member(usage, "input_tokens"))
    read, created = member(usage, "cache_read_input_tokens"), member(usage, "cache_creation_input_tokens")
    total = None if sent is None else sent + (count(read) or 0) + (count(created) or 0)
    answer.use(total, member(usage, "output_tokens"), read, created)
