"""OpenAI's dialect, and that of the servers compatible with it: chat completions, responses, completions, embeddings.

Shapes: platform.openai.com/docs/api-reference. Fields are typed `object` where a wrong type must not hide the rest.
"""

from typing import Final

import msgspec

from gatekeeper.dialects.assembly import Assembly
from gatekeeper.dialects.attributes import ABSENT, Attributes, numbers, position, short
from gatekeeper.dialects.reading import Reading, items, member
from gatekeeper.dialects.texts import texts_in

_NUMBERS: Final = (
    ("max_tokens", "gen_ai.request.max_tokens"),
    ("max_completion_tokens", "gen_ai.request.max_tokens"),
    ("max_output_tokens", "gen_ai.request.max_tokens"),
    ("temperature", "gen_ai.request.temperature"),
    ("top_p", "gen_ai.request.top_p"),
    ("frequency_penalty", "gen_ai.request.frequency_penalty"),
    ("presence_penalty", "gen_ai.request.presence_penalty"),
    ("seed", "gen_ai.request.seed"),
    ("n", "gen_ai.request.choice.count"),
    ("dimensions", "gen_ai.embeddings.dimension.count"),
)
# Of the Responses API: items that call a tool, events that bring a piece of one, and the last states.
_CALLS: Final = frozenset({"function_call", "custom_tool_call", "mcp_call"})
_PIECES: Final = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
_ENDS: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})


class _Request(msgspec.Struct):
    model: object = None
    stream: object = None
    instructions: object = None
    messages: object = None
    input: object = None
    prompt: object = None
    suffix: object = None
    prediction: object = None
    tools: object = None
    functions: object = None
    encoding_format: object = None
    max_tokens: msgspec.Raw = ABSENT
    max_completion_tokens: msgspec.Raw = ABSENT
    max_output_tokens: msgspec.Raw = ABSENT
    temperature: msgspec.Raw = ABSENT
    top_p: msgspec.Raw = ABSENT
    frequency_penalty: msgspec.Raw = ABSENT
    presence_penalty: msgspec.Raw = ABSENT
    seed: msgspec.Raw = ABSENT
    n: msgspec.Raw = ABSENT
    dimensions: msgspec.Raw = ABSENT


_REQUESTS: Final = msgspec.json.Decoder(_Request)


def read_request(body: bytes) -> Reading:
    """Read a request's body; raises msgspec.DecodeError, UnicodeDecodeError or RecursionError."""
    request = _REQUESTS.decode(body)
    texts = [request.instructions, request.messages, request.input, request.prompt, request.suffix, request.prediction]
    return Reading(
        model=short(request.model),
        stream=request.stream is True,
        texts=tuple(texts_in(texts)),
        tools=tuple(_tool_name(tool) for tool in items(request.tools) + items(request.functions)),
        attributes=_attributes(request),
    )


def _attributes(request: _Request) -> Attributes:
    found = numbers(request, _NUMBERS)
    if encoding := short(request.encoding_format):
        found["gen_ai.request.encoding_formats"] = [encoding]
    return found


def _tool_name(tool: object) -> str:
    """Name an offered tool; those that the provider runs itself have a type only."""
    places = (member(tool, "function"), member(tool, "custom"), tool)
    names = (short(member(place, "name")) for place in places)
    return next(filter(None, names), "") or short(member(tool, "type"))


class _Function(msgspec.Struct):
    name: object = None
    arguments: object = None
    input: object = None


class _ToolCall(msgspec.Struct):
    index: object = None
    id: object = None
    function: _Function | None = None
    custom: _Function | None = None


class _Message(msgspec.Struct):
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct):
    index: object = None
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: object = None


class _Item(msgspec.Struct):
    type: object = None
    name: object = None
    arguments: object = None
    input: object = None


class _Response(msgspec.Struct):
    id: object = None
    model: object = None
    status: object = None
    incomplete_details: object = None
    output: list[_Item] | None = None
    usage: object = None


class _Event(_Response):
    """A whole answer of any of the four operations, or one event of its stream."""

    type: object = None
    choices: list[_Choice] | None = None
    response: _Response | None = None
    output_index: object = None
    item: _Item | None = None
    delta: object = None


_EVENTS: Final = msgspec.json.Decoder(_Event)


def read_event(answer: Assembly, payload: bytes) -> None:
    """Add a whole answer, or one event of a stream; raises as `read_request`."""
    event = _EVENTS.decode(payload)
    _read_whole(answer, event)
    for choice in event.choices or ():
        _read_choice(answer, choice)
    if event.response is not None:
        _read_whole(answer, event.response)
    place = (0, position(event.output_index))
    if event.item is not None:
        _read_item(answer, place, event.item)
    elif short(event.type) in _PIECES:
        answer.extend(place, "", "", event.delta)


def _read_whole(answer: Assembly, response: _Response) -> None:
    answer.name(response.id, response.model)
    answer.use(*_tokens(response.usage))
    for index, item in enumerate(response.output or ()):
        _read_item(answer, (0, index), item)
    if short(response.status) in _ENDS:
        answer.end(0, member(response.incomplete_details, "reason") or response.status)


def _read_choice(answer: Assembly, choice: _Choice) -> None:
    index = position(choice.index)
    answer.end(index, choice.finish_reason)
    for message in (choice.delta, choice.message):
        if message is None:
            continue
        for number, call in enumerate(message.tool_calls or ()):
            function = call.function or call.custom or _Function()
            place = (index, number if call.index is None else position(call.index))
            answer.extend(place, call.id, function.name, _arguments(function))
        if message.function_call is not None:
            answer.extend((index, -1), "", message.function_call.name, _arguments(message.function_call))


def _read_item(answer: Assembly, place: tuple[int, int], item: _Item) -> None:
    if short(item.type) in _CALLS:
        answer.replace(place, item.name, _arguments(item))


def _arguments(call: _Function | _Item) -> object:
    return call.input if call.arguments is None else call.arguments


def _tokens(usage: object) -> tuple[object, object, object]:
    sent, received = member(usage, "prompt_tokens"), member(usage, "completion_tokens")
    details = member(usage, "prompt_tokens_details") or member(usage, "input_tokens_details")
    return (
        member(usage, "input_tokens") if sent is None else sent,
        member(usage, "output_tokens") if received is None else received,
        member(details, "cached_tokens"),
    )
