"""Streams as providers send them, made of pieces of one text, and read as their clients read them."""

import base64
import itertools
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

EVENTS = "text/event-stream"


@dataclass(frozen=True)
class Format:
    """`make` writes a stream that brings the pieces; `joined` gives the text that a client makes of it."""

    name: str
    media: str
    make: Callable[[Sequence[str]], bytes]
    joined: Callable[[bytes], str]
    asked: bool = False
    structured: bool = True

    def __str__(self) -> str:
        return self.name


def cut(text: str, places: Sequence[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(ends)]


def cut_bytes(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(ends)]


def sse(*events: object, names: bool = False) -> bytes:
    """Write events; what is no text is written as JSON."""
    written = ""
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = f"event: {event['type']}\n" if names and isinstance(event, dict) else ""
        written += f"{name}data: {data}\n\n"
    return written.encode()


def events_of(body: bytes) -> list[tuple[str, str]]:
    """Read name and data of each event (WHATWG HTML §9.2.6)."""
    found: list[tuple[str, str]] = []
    name, data = "", []
    for line in body.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif not line:
            if "".join(data):
                found.append((name, "\n".join(data)))
            name, data = "", []
    return found


def values_of(body: bytes) -> list[Any]:
    return [json.loads(data) for _, data in events_of(body) if data[:1] == "{"]


def _chat(pieces: Sequence[str]) -> bytes:
    def chunk(delta: object, finish: str | None = None) -> object:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    first = {"role": "assistant", "content": ""}
    return sse(chunk(first), *(chunk({"content": piece}) for piece in pieces), chunk({}, "stop"), "[DONE]")


def _chat_joined(body: bytes) -> str:
    choices = [choice for value in values_of(body) for choice in value["choices"]]
    assert choices[-1]["finish_reason"] == "stop"
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def chat_calls(pieces: Sequence[str]) -> bytes:
    def chunk(delta: object, finish: str | None = None) -> object:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": ""}}
    calls = ({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces)
    return sse(chunk({"tool_calls": [call]}), *map(chunk, calls), chunk({}, "tool_calls"), "[DONE]")


def chat_calls_joined(body: bytes) -> str:
    deltas = [choice["delta"] for value in values_of(body) for choice in value["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert "".join(call.get("id", "") for call in calls) == "call_1"
    return "".join(call["function"]["arguments"] for call in calls)


def responses(pieces: Sequence[str], base: str = "response.output_text", key: str = "text") -> bytes:
    text = "".join(pieces)
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    whole = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [item], "tools": [],
             "parallel_tool_calls": False, "tool_choice": "auto", "status": "completed"}  # fmt: skip
    empty = {**part, "text": ""}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**whole, "output": [], "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": empty},
        *({"type": f"{base}.delta", **place, "delta": piece, "logprobs": [], "obfuscation": f"x{n}y"}
          for n, piece in enumerate(pieces)),
        {"type": f"{base}.done", **place, key: text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]  # fmt: skip
    return sse(*({**event, "sequence_number": number} for number, event in enumerate(events)), names=True)


def responses_joined(body: bytes) -> str:
    values = values_of(body)
    joined = "".join(value["delta"] for value in values if value["type"].endswith(".delta"))
    assert [value["text"] for value in values if value["type"] == "response.output_text.done"] == [joined]
    assert [value["part"]["text"] for value in values if value["type"] == "response.content_part.done"] == [joined]
    assert values[-1]["response"]["output"][0]["content"][0]["text"] == joined
    numbers = [value["sequence_number"] for value in values]
    assert numbers == sorted(numbers)
    return joined


def anthropic_events(pieces: Sequence[str], kind: str = "text") -> list[dict[str, Any]]:
    begins, delta, key = {
        "text": ({"type": "text", "text": ""}, "text_delta", "text"),
        "thinking": ({"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking"),
        "input": ({"type": "tool_use", "id": "toolu_1", "name": "send", "input": {}},
                  "input_json_delta", "partial_json"),
    }[kind]  # fmt: skip
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
               "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 1}}  # fmt: skip
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": begins},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": delta, key: piece}} for piece in pieces),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]


def anthropic_joined(values: Iterable[Any], key: str = "text") -> str:
    joined = ""
    stopped = False
    for value in values:
        stopped = stopped or value["type"] == "content_block_stop"
        if value["type"] == "content_block_delta":
            assert not stopped
            joined += value["delta"][key]
    assert stopped
    return joined


def gemini_chunks(pieces: Sequence[str]) -> list[Any]:
    def chunk(text: str, **more: object) -> object:
        content = {"parts": [{"text": text}], "role": "model"}
        return {"candidates": [{"content": content, "index": 0, **more}], "modelVersion": "m", "responseId": "r",
                "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}}  # fmt: skip

    return [*map(chunk, pieces[:-1]), chunk(pieces[-1] if pieces else "", finishReason="STOP")]


def gemini_joined(chunks: Iterable[Any]) -> str:
    parts = [chunk["candidates"][0]["content"]["parts"] for chunk in chunks]
    return "".join(part["text"] for several in parts for part in several)


def gemini_array(pieces: Sequence[str]) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(chunk, indent=2).encode() for chunk in gemini_chunks(pieces)) + b"\n]\n"


def amazon(name: str, payload: object, kind: str = "event") -> bytes:
    """Write one message of Amazon's event streams."""
    head = b""
    for key, value in ((":event-type", name), (":content-type", "application/json"), (":message-type", kind)):
        head += bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", len(head) + len(body) + 16, len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
    return message + struct.pack(">I", zlib.crc32(message))


def amazon_messages(body: bytes) -> list[tuple[str, Any]]:
    """Read the messages, checksums too."""
    found: list[tuple[str, Any]] = []
    while body:
        size, head_size, crc = struct.unpack_from(">III", body)
        assert crc == zlib.crc32(body[:8])
        assert struct.unpack(">I", body[size - 4 : size])[0] == zlib.crc32(body[: size - 4])
        name_size = struct.unpack_from(">H", body, 12 + 1 + len(":event-type") + 1)[0]
        name = body[12 + 1 + len(":event-type") + 3 :][:name_size].decode()
        found.append((name, json.loads(body[12 + head_size : size - 4])))
        body = body[size:]
    return found


def converse(pieces: Sequence[str]) -> bytes:
    deltas = [amazon("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}, "p": "abcdefgh"[: n % 8]})
              for n, piece in enumerate(pieces)]  # fmt: skip
    return b"".join(
        (
            amazon("messageStart", {"role": "assistant", "p": "abc"}),
            *deltas,
            amazon("contentBlockStop", {"contentBlockIndex": 0, "p": "a"}),
            amazon("messageStop", {"stopReason": "end_turn"}),
            amazon("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
                                "metrics": {"latencyMs": 7}}),
        )
    )  # fmt: skip


def converse_joined(body: bytes) -> str:
    messages = amazon_messages(body)
    assert [name for name, _ in messages[-3:]] == ["contentBlockStop", "messageStop", "metadata"]
    return "".join(value["delta"]["text"] for name, value in messages if name == "contentBlockDelta")


def invoke(pieces: Sequence[str]) -> bytes:
    """Anthropic's events as InvokeModelWithResponseStream wraps them."""
    wrapped = (base64.b64encode(json.dumps(event).encode()).decode() for event in anthropic_events(pieces))
    return b"".join(amazon("chunk", {"bytes": event, "p": "abcd"}) for event in wrapped)


def invoke_joined(body: bytes) -> str:
    return anthropic_joined(json.loads(base64.b64decode(value["bytes"])) for _, value in amazon_messages(body))


def ollama(pieces: Sequence[str]) -> bytes:
    def line(text: str, **more: object) -> str:
        message = {"role": "assistant", "content": text}
        return json.dumps({"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, **more}) + "\n"

    ends = {"done_reason": "stop", "done": True, "total_duration": 5}
    return "".join([*(line(piece, done=False) for piece in pieces), line("", **ends)]).encode()


def ollama_joined(body: bytes) -> str:
    lines = [json.loads(line) for line in body.splitlines() if line.strip()]
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    return "".join(line["message"]["content"] for line in lines)


def _tokens(pieces: Sequence[str]) -> bytes:
    return sse(*({"type": "token", "id": "7", "text": piece} for piece in pieces), {"type": "end"})


def _tokens_joined(body: bytes) -> str:
    values = values_of(body)
    assert values[-1]["type"] == "end"
    return "".join(value.get("text", "") for value in values)


FORMATS = (
    Format("chat", EVENTS, _chat, _chat_joined),
    Format("chat tools", EVENTS, chat_calls, chat_calls_joined),
    Format("responses", EVENTS, responses, responses_joined),
    Format("anthropic", EVENTS, lambda pieces: sse(*anthropic_events(pieces), names=True),
           lambda body: anthropic_joined(values_of(body))),
    Format("anthropic thinking", EVENTS, lambda pieces: sse(*anthropic_events(pieces, "thinking"), names=True),
           lambda body: anthropic_joined(values_of(body), "thinking")),
    Format("anthropic input", EVENTS, lambda pieces: sse(*anthropic_events(pieces, "input"), names=True),
           lambda body: anthropic_joined(values_of(body), "partial_json")),
    Format("gemini", EVENTS, lambda pieces: sse(*gemini_chunks(pieces)), lambda body: gemini_joined(values_of(body))),
    Format("gemini array", "application/json", gemini_array, lambda body: gemini_joined(json.loads(body)), asked=True),
    Format("converse", "application/vnd.amazon.eventstream", converse, converse_joined),
    Format("invoke", "application/vnd.amazon.eventstream", invoke, invoke_joined),
    Format("ollama", "application/x-ndjson", ollama, ollama_joined),
    Format("tokens", EVENTS, _tokens, _tokens_joined),
    Format("tokens as JSON strings", EVENTS, lambda pieces: sse(*map(json.dumps, pieces), "[DONE]"),
           lambda body: "".join(json.loads(data) for _, data in events_of(body) if data != "[DONE]")),
)  # fmt: skip
