"""Google's Gemini dialect: generateContent and embeddings, whole and streamed. Shapes: ai.google.dev/api.

Requests are protocol buffers in JSON, which may spell a name in camel or snake case; answers use camel case.
"""

from itertools import chain
from typing import Final

import msgspec

from gatekeeper.dialects.assembly import Assembly, given_json
from gatekeeper.dialects.attributes import ABSENT, Attributes, count, numbers, position, short
from gatekeeper.dialects.reading import Reading, items, member
from gatekeeper.dialects.texts import texts_in

_NUMBERS: Final = (
    ("max_output_tokens", "gen_ai.request.max_tokens"),
    ("temperature", "gen_ai.request.temperature"),
    ("top_p", "gen_ai.request.top_p"),
    ("top_k", "gen_ai.request.top_k"),
    ("frequency_penalty", "gen_ai.request.frequency_penalty"),
    ("presence_penalty", "gen_ai.request.presence_penalty"),
    ("seed", "gen_ai.request.seed"),
    ("candidate_count", "gen_ai.request.choice.count"),
)


class _Generation(msgspec.Struct, rename="camel"):
    max_output_tokens: msgspec.Raw = ABSENT
    temperature: msgspec.Raw = ABSENT
    top_p: msgspec.Raw = ABSENT
    top_k: msgspec.Raw = ABSENT
    frequency_penalty: msgspec.Raw = ABSENT
    presence_penalty: msgspec.Raw = ABSENT
    seed: msgspec.Raw = ABSENT
    candidate_count: msgspec.Raw = ABSENT


class _Request(msgspec.Struct):
    system_instruction: object = None
    system_instruction_camel: object = msgspec.field(default=None, name="systemInstruction")
    contents: object = None
    content: object = None
    requests: object = None
    tools: object = None
    generation_config: _Generation | None = msgspec.field(default=None, name="generationConfig")


_REQUESTS: Final = msgspec.json.Decoder(_Request)


def read_request(body: bytes) -> Reading:
    """Read a request's body; raises as `openai.read_request`. The model is in the URL."""
    request = _REQUESTS.decode(body)
    texts = [request.system_instruction, request.system_instruction_camel, request.contents, request.content]
    attributes: Attributes = {}
    if request.generation_config is not None:
        attributes = numbers(request.generation_config, _NUMBERS)
    return Reading(
        texts=tuple(texts_in([*texts, request.requests])),
        tools=tuple(chain.from_iterable(_tool_names(tool) for tool in items(request.tools))),
        attributes=attributes,
    )


def _tool_names(tool: object) -> list[str]:
    """Name the functions that a tool declares, or the tool itself where the provider runs it."""
    declared = items(member(tool, "functionDeclarations")) + items(member(tool, "function_declarations"))
    built_in = [short(key) for key in tool if not key.startswith("function")] if isinstance(tool, dict) else []
    return [short(member(function, "name")) for function in declared] + built_in


class _FunctionCall(msgspec.Struct):
    id: object = None
    name: object = None
    args: msgspec.Raw = ABSENT


class _Part(msgspec.Struct, rename="camel"):
    function_call: _FunctionCall | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    index: object = None
    content: _Content | None = None
    finish_reason: object = None


class _Event(msgspec.Struct, rename="camel"):
    """A whole answer, or one event of its stream: both have the same shape."""

    candidates: list[_Candidate] | None = None
    usage_metadata: object = None
    model_version: object = None
    response_id: object = None


_EVENTS: Final = msgspec.json.Decoder(_Event)


def read_event(answer: Assembly, payload: bytes) -> None:
    """Add a whole answer, or one event of a stream; raises as `read_request`."""
    event = _EVENTS.decode(payload)
    answer.name(event.response_id, event.model_version)
    for candidate in event.candidates or ():
        choice = position(candidate.index)
        answer.end(choice, candidate.finish_reason)
        for part in (candidate.content.parts if candidate.content else None) or ():
            if part.function_call is not None:
                _read_call(answer, choice, part.function_call)
    _read_usage(answer, event.usage_metadata)


def _read_call(answer: Assembly, choice: int, call: _FunctionCall) -> None:
    """Each call comes whole, so each has a place of its own."""
    answer.extend((choice, answer.calls), call.id, call.name, given_json(call.args))


def _read_usage(answer: Assembly, usage: object) -> None:
    """Thinking is paid for as output and counted apart."""
    shown, thought = count(member(usage, "candidatesTokenCount")), count(member(usage, "thoughtsTokenCount"))
    received = None if shown is None and thought is None else (shown or 0) + (thought or 0)
    answer.use(member(usage, "promptTokenCount"), received, member(usage, "cachedContentTokenCount"))
