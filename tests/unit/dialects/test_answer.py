import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.dialects import answer_reader, read_answer
from gatekeeper.exchange import AnswerSummary, DialectName, Message, ToolCall, canonical_json

OPENAI, ANTHROPIC, GEMINI = DialectName.OPENAI, DialectName.ANTHROPIC, DialectName.GEMINI


def whole(dialect: DialectName, body: object) -> AnswerSummary:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(dialect, Message(status=200, body=data))


def streamed(dialect: DialectName, events: Sequence[object]) -> AnswerSummary:
    reader = answer_reader(dialect)
    for event in events:
        reader.feed(event if isinstance(event, bytes) else json.dumps(event).encode())
    return reader.finish()


def as_event_stream(events: Sequence[object], end: str = "\n") -> bytes:
    lines = [f"event: x{end}data: {json.dumps(event)}{end}{end}" for event in events]
    return "".join([f": comment{end}", *lines, f"data: [DONE]{end}{end}"]).encode()


CHAT = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q":1}'}},
                    {"id": "c2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
                ],
            },
        },
        {"index": 1, "finish_reason": "length", "message": {"function_call": {"name": "old", "arguments": ""}}},
    ],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 3}},
}
CHAT_STREAM = [
    {"id": "chatcmpl-1", "model": "gpt-4o-2024", "choices": [{"index": 0, "delta": {"role": "assistant"}}]},
    {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "id": "c1", "function": {"name": "find", "arguments": ""}}]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"q"'}}]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 1, "id": "c2", "custom": {"name": "shell", "input": "l"}}]}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}},
                                                       {"index": 1, "custom": {"input": "s"}}]}}]},
    {"choices": [{"index": 1, "delta": {"function_call": {"name": "old", "arguments": ""}}}]},
    {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    {"choices": [], "usage": CHAT["usage"]},
]  # fmt: skip
CHAT_SUMMARY = AnswerSummary(
    tool_calls=(ToolCall("find", '{"q":1}'), ToolCall("shell", "ls"), ToolCall("old", "{}")),
    gen_ai={
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-2024",
        "gen_ai.response.finish_reasons": ["tool_calls", "length"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
    },
)

CALL = {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q":1}'}
RESPONSE = {
    "id": "resp_1",
    "model": "gpt-5",
    "status": "completed",
    "output": [
        {"type": "message", "content": []},
        CALL,
        {"type": "custom_tool_call", "name": "shell", "input": "ls"},
    ],
    "usage": {"input_tokens": 11, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 3}},
}
RESPONSE_STREAM = [
    {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5", "status": "in_progress"}},
    {"type": "response.output_item.added", "output_index": 1, "item": {**CALL, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"q"'},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": ":1}"},
    {"type": "response.output_item.done", "output_index": 1, "item": CALL},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "hello"},
    {"type": "response.completed", "response": RESPONSE},
]
RESPONSE_SUMMARY = AnswerSummary(
    tool_calls=(ToolCall("find", '{"q":1}'), ToolCall("shell", "ls")),
    gen_ai={
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "gpt-5",
        "gen_ai.response.finish_reasons": ["completed"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
    },
)

MESSAGE_USAGE = {
    "input_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2, "output_tokens": 7
}  # fmt: skip
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet",
    "stop_reason": "tool_use",
    "content": [
        {"type": "text", "text": "hello"},
        {"type": "tool_use", "id": "t1", "name": "find", "input": {"q": 1.50}},
        {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
    ],
    "usage": MESSAGE_USAGE,
}
MESSAGE_STREAM = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet", "content": [], "stop_reason": None,
                                          "usage": {**MESSAGE_USAGE, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_start", "index": 1,
     "content_block": {"type": "tool_use", "id": "t1", "name": "find", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"q": '}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "1.5}"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2,
     "content_block": {"type": "tool_use", "id": "t2", "name": "now", "input": {}}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]  # fmt: skip
MESSAGE_SUMMARY = AnswerSummary(
    tool_calls=(ToolCall("find", '{"q": 1.5}'), ToolCall("now", "{}")),
    gen_ai={
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.model": "claude-sonnet",
        "gen_ai.response.finish_reasons": ["tool_use"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_creation.input_tokens": 2,
    },
)

GEMINI_STREAM = [
    {"responseId": "r1", "modelVersion": "gemini-2.5-flash", "candidates": [
        {"content": {"parts": [{"text": "hi"}, {"functionCall": {"name": "find", "args": {"q": 1.5}}}]}}],
     "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 2}},
    {"candidates": [{"index": 0, "finishReason": "STOP", "content": {"parts": [{"functionCall": {"name": "now"}}]}}],
     "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 5, "thoughtsTokenCount": 2,
                       "cachedContentTokenCount": 3}},
]  # fmt: skip
GENERATED = {**GEMINI_STREAM[0], **GEMINI_STREAM[1], "candidates": [
    {"finishReason": "STOP", "content": {"parts": [
        {"text": "hi"}, {"functionCall": {"name": "find", "args": {"q": 1.5}}}, {"functionCall": {"name": "now"}}]}}],
}  # fmt: skip
GEMINI_SUMMARY = AnswerSummary(
    tool_calls=(ToolCall("find", '{"q": 1.5}'), ToolCall("now", "{}")),
    gen_ai={
        "gen_ai.response.id": "r1",
        "gen_ai.response.model": "gemini-2.5-flash",
        "gen_ai.response.finish_reasons": ["STOP"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
    },
)
WHOLE = [
    (OPENAI, CHAT, CHAT_SUMMARY),
    (OPENAI, RESPONSE, RESPONSE_SUMMARY),
    (ANTHROPIC, MESSAGE, MESSAGE_SUMMARY),
    (GEMINI, GENERATED, GEMINI_SUMMARY),
]
STREAMS = [
    (OPENAI, CHAT_STREAM, CHAT_SUMMARY),
    (OPENAI, RESPONSE_STREAM, RESPONSE_SUMMARY),
    (ANTHROPIC, MESSAGE_STREAM, MESSAGE_SUMMARY),
    (GEMINI, GEMINI_STREAM, GEMINI_SUMMARY),
]


@pytest.mark.parametrize(("dialect", "body", "summary"), WHOLE)
def test_a_whole_answer_is_read(dialect: DialectName, body: object, summary: AnswerSummary) -> None:
    assert whole(dialect, body) == summary


@pytest.mark.parametrize(("dialect", "events", "summary"), STREAMS)
def test_a_stream_says_the_same_as_the_whole_answer(
    dialect: DialectName, events: list[object], summary: AnswerSummary
) -> None:
    assert streamed(dialect, events) == summary


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("dialect", "events", "summary"), STREAMS)
def test_a_buffered_stream_is_read_whatever_its_content_type(
    dialect: DialectName, events: list[object], summary: AnswerSummary, end: str
) -> None:
    assert whole(dialect, as_event_stream(events, end)) == summary
    assert whole(dialect, b"\xef\xbb\xbf" + as_event_stream(events, end)) == summary
    assert whole(dialect, as_event_stream(events, end).rstrip()) == summary


def test_an_event_may_have_several_lines_of_data() -> None:
    assert whole(OPENAI, b'data: {"id":\ndata: "x"}\n\n').gen_ai == {"gen_ai.response.id": "x"}


def test_the_stream_that_gemini_sends_as_an_array_is_read() -> None:
    assert whole(GEMINI, GEMINI_STREAM) == GEMINI_SUMMARY


def test_a_broken_array_says_nothing() -> None:
    assert whole(GEMINI, b"[{}") == AnswerSummary()


@pytest.mark.parametrize("cut", range(2, 5))
def test_a_call_whose_stream_was_cut_off_is_still_seen(cut: int) -> None:
    assert streamed(OPENAI, RESPONSE_STREAM[:cut]).tool_calls[0].name == "find"
    assert streamed(OPENAI, CHAT_STREAM[:cut]).tool_calls[0].name == "find"


def test_calls_that_share_a_place_are_told_apart_by_their_ids() -> None:
    """Some compatible servers number every call of a stream 0."""
    events = [
        {
            "choices": [
                {"delta": {"tool_calls": [{"index": 0, "id": id_, "function": {"name": name, "arguments": "{}"}}]}}
            ]
        }
        for id_, name in (("a", "find"), ("b", "refund"))
    ]
    assert [call.name for call in streamed(OPENAI, events).tool_calls] == ["find", "refund"]


def test_a_name_that_comes_in_pieces_is_joined_as_clients_join_it() -> None:
    events = [
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": piece}}]}}]}
        for piece in ("issue_", "refund")
    ]
    assert streamed(OPENAI, events).tool_calls == (ToolCall("issue_refund", "{}"),)


def test_why_a_response_is_incomplete_is_its_finish_reason() -> None:
    body = {"id": "r", "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert whole(OPENAI, body).gen_ai["gen_ai.response.finish_reasons"] == ["max_output_tokens"]


def test_embeddings_count_tokens() -> None:
    body = {"object": "list", "model": "ada", "data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 3}}
    assert whole(OPENAI, body).gen_ai == {"gen_ai.response.model": "ada", "gen_ai.usage.input_tokens": 3}


@pytest.mark.parametrize(
    "usage", [5, "x", [], {"prompt_tokens": 1.5, "completion_tokens": -1}, {"input_tokens": 2**60}]
)
def test_numbers_that_are_no_counts_are_left_out(usage: object) -> None:
    assert whole(OPENAI, {"usage": usage}) == AnswerSummary()


def test_what_is_recorded_is_bounded() -> None:
    choices = [{"index": n, "finish_reason": "\x00" * 500} for n in range(300)]
    summary = whole(OPENAI, {"id": "i" * 999, "model": "m" * 999, "choices": choices})
    assert len(canonical_json(summary.gen_ai)) < 32768


def test_plain_http_says_nothing() -> None:
    assert whole(DialectName.HTTP, CHAT) == AnswerSummary()


@pytest.mark.parametrize("dialect", list(DialectName))
@pytest.mark.parametrize(
    "payload", [b"[DONE]", b"", b"\xff", b"5", b'{"choices": 5}', b'{"a":' + b"[" * 100_000, b'"\xff"']
)
def test_an_event_that_can_not_be_read_adds_nothing(dialect: DialectName, payload: bytes) -> None:
    assert streamed(dialect, [payload]) == AnswerSummary()


def test_what_follows_an_event_that_can_not_be_read_is_read() -> None:
    events: list[object] = [b"nonsense", *CHAT_STREAM]
    assert streamed(OPENAI, events) == CHAT_SUMMARY


@pytest.mark.parametrize("dialect", list(DialectName))
@given(st.binary(max_size=64))
def test_no_body_is_an_exception(dialect: DialectName, body: bytes) -> None:
    canonical_json(whole(dialect, body).gen_ai)


KEYS = ["id", "model", "type", "choices", "delta", "message", "tool_calls", "index", "function", "name", "arguments",
        "usage", "output", "response", "item", "content", "input", "content_block", "candidates", "parts",
        "functionCall", "args", "usageMetadata", "finish_reason", "output_index"]  # fmt: skip
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["tool_use", "function_call"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)


@pytest.mark.parametrize("dialect", list(DialectName))
@given(st.dictionaries(st.sampled_from(KEYS), SHAPES))
def test_wrong_types_are_no_exception(dialect: DialectName, body: dict[str, object]) -> None:
    summary = whole(dialect, body)
    canonical_json(summary.gen_ai)
    assert all(isinstance(call.name, str) and isinstance(call.arguments, str) for call in summary.tool_calls)


SPELLED = json.dumps({"choices": [{"index": 0, "message": {"tool_calls": [
    {"id": "1", "type": "function", "function": {"name": "pay", "arguments": "{}"}}]}}], "x": "é"})  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        SPELLED.encode("utf-8-sig"),
        SPELLED.encode("utf-16"),
        SPELLED.encode("utf-32"),
        SPELLED.replace("\\u00e9", "\\ud800").encode(),
        SPELLED.replace("{", '{"y": NaN, ', 1).encode(),
        f"\ufeffdata: {SPELLED}\n\n".encode(),
    ],
    ids=["byte order mark", "UTF-16", "UTF-32", "half a character", "NaN", "events with a mark"],
)
def test_a_call_is_seen_however_the_answer_is_spelled(body: bytes) -> None:
    assert [call.name for call in whole(OPENAI, body).tool_calls] == ["pay"]
