"""Amazon Bedrock's dialect: Converse, and InvokeModel with Anthropic's bodies; others give their texts only.

Shapes: docs.aws.amazon.com/bedrock/latest/APIReference. The events of ConverseStream are told by what is in them, since
their names stand in the frame.
"""

from itertools import chain
from typing import Final

import msgspec

from gatekeeper.dialects import anthropic
from gatekeeper.dialects.assembly import Assembly, given_json
from gatekeeper.dialects.attributes import ABSENT, Attributes, count, numbers, position, short
from gatekeeper.dialects.reading import Reading, items, member
from gatekeeper.dialects.texts import texts_in

_NUMBERS: Final = (
    ("max_tokens", "gen_ai.request.max_tokens"),
    ("temperature", "gen_ai.request.temperature"),
    ("top_p", "gen_ai.request.top_p"),
)


class _Inference(msgspec.Struct, rename="camel"):
    max_tokens: msgspec.Raw = ABSENT
    temperature: msgspec.Raw = ABSENT
    top_p: msgspec.Raw = ABSENT


class _Request(msgspec.Struct, rename="camel"):
    anthropic_version: object = msgspec.field(default=None, name="anthropic_version")
    inference_config: _Inference | None = None
    tool_config: object = None


_REQUESTS: Final = msgspec.json.Decoder(_Request)


def read_request(body: bytes) -> Reading:
    """Read a request's body; raises as `openai.read_request`. The model is in the URL."""
    request = _REQUESTS.decode(body)
    if request.anthropic_version is not None:
        return anthropic.read_request(body)
    attributes: Attributes = {}
    if request.inference_config is not None:
        attributes = numbers(request.inference_config, _NUMBERS)
    offered = (member(tool, "toolSpec") for tool in items(member(request.tool_config, "tools")))
    return Reading(
        texts=tuple(texts_in(msgspec.json.decode(body))),
        tools=tuple(short(member(tool, "name")) for tool in offered),
        attributes=attributes,
    )


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: object = None
    name: object = None
    input: msgspec.Raw = ABSENT


class _Block(msgspec.Struct, rename="camel"):
    tool_use: _ToolUse | None = None


class _Message(msgspec.Struct):
    content: list[_Block] | None = None


class _Output(msgspec.Struct):
    message: _Message | None = None


class _Event(msgspec.Struct, rename="camel"):
    """A whole answer, or one event of its stream."""

    type: object = None
    content: object = None
    content_block_index: object = None
    start: _Block | None = None
    delta: _Block | None = None
    output: _Output | None = None
    stop_reason: object = None
    usage: object = None


_EVENTS: Final = msgspec.json.Decoder(_Event)


def read_event(answer: Assembly, payload: bytes) -> None:
    """Add a whole answer, or one event of a stream; raises as `read_request`."""
    event = _EVENTS.decode(payload)
    if event.type is not None:
        anthropic.read_event(answer, payload)
        return
    answer.end(0, event.stop_reason)
    index = position(event.content_block_index)
    message = event.output.message if event.output else None
    whole = enumerate((message.content if message else None) or ())
    for place, block in chain(whole, ((index, block) for block in (event.start, event.delta) if block is not None)):
        if block.tool_use is not None:
            call = block.tool_use
            answer.extend((0, place), call.tool_use_id, call.name, _arguments(call.input))
    _read_usage(answer, event.usage)


def _arguments(given: msgspec.Raw) -> str:
    """Give a tool's input: an object in a whole answer, a string with a piece of its JSON in a stream."""
    raw = bytes(given)
    return msgspec.json.decode(raw, type=str) if raw[:1] == b'"' else given_json(given)


def _read_usage(answer: Assembly, usage: object) -> None:
    """Bedrock counts cached tokens apart; the convention counts them in (gen_ai.usage.input_tokens)."""
    sent = count(member(usage, "inputTokens"))
    read, created = member(usage, "cacheReadInputTokens"), member(usage, "cacheWriteInputTokens")
    total = None if sent is None else sent + (count(read) or 0) + (count(created) or 0)
    answer.use(total, member(usage, "outputTokens"), read, created)
