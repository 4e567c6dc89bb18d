"""Reads a request into what it is about. Its body is hostile: what can't be read is left out, never an exception."""

from typing import Final

import msgspec

from gatekeeper.dialects import anthropic, bedrock, gemini, mcp, openai
from gatekeeper.dialects.attributes import Attributes, short
from gatekeeper.dialects.reading import Reading
from gatekeeper.dialects.route import Route, route_of
from gatekeeper.dialects.texts import lenient_json, texts_of_any
from gatekeeper.exchange import DialectName, ExchangeSummary, Message

_READERS: Final = {
    DialectName.OPENAI: openai.read_request,
    DialectName.ANTHROPIC: anthropic.read_request,
    DialectName.GEMINI: gemini.read_request,
    DialectName.BEDROCK: bedrock.read_request,
}


def read_request(message: Message, host: str) -> ExchangeSummary:
    """Summarise a request. `prompt` has every text that a rule's patterns should see; `gen_ai` has none of them.

    A body that is not the dialect's, or a call that has no known operation, gives all texts of the body
    as `prompt`: a pattern must not be passed by a form that we don't know.
    """
    route = route_of(host, message.path)
    operation = route.operation if message.method == "POST" else ""
    reading = _read(route, message.body) if operation else None
    if route.dialect is DialectName.HTTP and message.method == "POST":
        reading = mcp.read_request(message.body)
        if reading is not None:
            route = Route(DialectName.MCP, "")
            operation = "execute_tool" if reading.tool_calls else ""
    if reading is None:
        reading = Reading(texts=texts_of_any(message.body))
    model = reading.model or short(route.model)
    return ExchangeSummary(
        dialect=route.dialect,
        operation=operation,
        model=model,
        stream=reading.stream or route.stream,
        prompt=reading.texts,
        tools=reading.tools,
        tool_calls=reading.tool_calls,
        gen_ai=_attributes(route, operation, model) | reading.attributes,
    )


def _read(route: Route, body: bytes) -> Reading | None:
    """Read the body of a known operation, which only a dialect with a reader has."""
    reader = _READERS[route.dialect]
    try:
        return reader(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return reader(lenient_json(body))  # a rule must not be passed by a spelling that only some servers read
    except (ValueError, RecursionError):
        return None


def _attributes(route: Route, operation: str, model: str) -> Attributes:
    named = {
        "gen_ai.provider.name": route.provider,
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": model,
    }
    return {name: value for name, value in named.items() if value}
