"""Reads an answer, whole or event by event. What can't be read adds nothing: the summary says what was seen."""

import codecs
import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from gatekeeper.dialects import anthropic, bedrock, gemini, openai
from gatekeeper.dialects.assembly import Assembly
from gatekeeper.dialects.texts import lenient_json
from gatekeeper.exchange import AnswerSummary, DialectName, Message, ToolCall


def _read_nothing(_answer: Assembly, _payload: bytes) -> None:
    """Plain HTTP proposes no tool calls and counts no tokens."""


_READERS: Final[dict[DialectName, Callable[[Assembly, bytes], None]]] = {
    DialectName.OPENAI: openai.read_event,
    DialectName.ANTHROPIC: anthropic.read_event,
    DialectName.GEMINI: gemini.read_event,
    DialectName.BEDROCK: bedrock.read_event,
    DialectName.MCP: _read_nothing,
    DialectName.HTTP: _read_nothing,
}
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""UTF-32's little-endian mark begins like UTF-16's."""
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")  # WHATWG HTML §9.2.5


class AnswerReader:
    """Reads a streamed answer from the JSON payloads of its events, in order."""

    def __init__(self, dialect: DialectName) -> None:
        self._answer = Assembly()
        self._read = _READERS[dialect]

    def feed(self, payload: bytes) -> None:
        """Take the payload of one event; what is not JSON of the dialect, such as `[DONE]`, adds nothing."""
        try:
            self._read(self._answer, payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            with contextlib.suppress(ValueError, RecursionError):
                self._read(self._answer, lenient_json(payload))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Give the tool calls so far; the last one of each place may not be whole yet."""
        return self._answer.summary().tool_calls if self._answer.calls else ()

    def finish(self) -> AnswerSummary:
        """Give what the answer said."""
        return self._answer.summary()


def answer_reader(dialect: DialectName) -> AnswerReader:
    """Begin to read a streamed answer."""
    return AnswerReader(dialect)


def read_answer(dialect: DialectName, message: Message) -> AnswerSummary:
    """Read a whole answer: a JSON object, an array of them (Gemini's stream), or a buffered event stream.

    The body's first byte tells which, since clients don't go by the content type either.
    """
    reader = AnswerReader(dialect)
    for payload in _payloads(message.body):
        reader.feed(payload)
    return reader.finish()


def _payloads(body: bytes) -> Iterator[bytes]:
    if body.startswith(_MARKS):
        with contextlib.suppress(ValueError, RecursionError):
            body = lenient_json(body)
    match body.lstrip()[:1]:
        case b"{":
            yield body
        case b"[":
            yield from _array(body)
        case _:
            yield from _event_data(body)


def _array(body: bytes) -> Iterator[bytes]:
    try:
        members = _ARRAY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    yield from (bytes(member) for member in members)


def _event_data(body: bytes) -> Iterator[bytes]:
    """Give the data of each event (WHATWG HTML §9.2.6), and of a last one that was cut off."""
    data: list[bytes] = []
    for line in _LINE_END.split(body.removeprefix(b"\xef\xbb\xbf")):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data.clear()
    if data:
        yield b"\n".join(data)
