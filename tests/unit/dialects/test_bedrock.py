import json

import pytest

from gatekeeper.dialects import answer_reader, dialect_of, read_answer, read_request
from gatekeeper.exchange import AnswerSummary, DialectName, Message, ToolCall

HOST = "bedrock-runtime.us-east-1.amazonaws.com"
MODEL = "anthropic.claude-sonnet-4-v1:0"
USAGE = {"inputTokens": 5, "outputTokens": 7, "cacheReadInputTokens": 3, "cacheWriteInputTokens": 2, "totalTokens": 17}
WHOLE = {
    "output": {"message": {"role": "assistant", "content": [
        {"text": "hello"},
        {"toolUse": {"toolUseId": "t1", "name": "find", "input": {"q": 1.50}}},
    ]}},
    "stopReason": "tool_use",
    "usage": USAGE,
}  # fmt: skip
STREAM = [
    {"role": "assistant", "p": "abc"},
    {"contentBlockIndex": 0, "delta": {"text": "hello"}},
    {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t1", "name": "find"}}},
    {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"q": '}}},
    {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "1.5}"}}},
    {"contentBlockIndex": 1},
    {"stopReason": "tool_use"},
    {"usage": USAGE, "metrics": {"latencyMs": 3}},
]
SUMMARY = AnswerSummary(
    tool_calls=(ToolCall("find", '{"q": 1.5}'),),
    gen_ai={
        "gen_ai.response.finish_reasons": ["tool_use"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_creation.input_tokens": 2,
    },
)


@pytest.mark.parametrize("operation", ["converse", "converse-stream", "invoke", "invoke-with-response-stream"])
def test_its_paths_are_known_on_any_host(operation: str) -> None:
    path = f"/model/{MODEL.replace(':', '%3A')}/{operation}"
    summary = read_request(Message(method="POST", path=path, body=b"{}"), "proxy.example")

    assert dialect_of(HOST, path) is DialectName.BEDROCK
    assert (summary.dialect, summary.model) == (DialectName.BEDROCK, MODEL)
    assert summary.stream == operation.endswith("stream")
    assert summary.gen_ai["gen_ai.provider.name"] == "aws.bedrock"
    assert dialect_of(HOST, "/model/x/other") is DialectName.HTTP


def test_a_request_of_converse_is_read() -> None:
    body = {
        "system": [{"text": "be kind"}],
        "messages": [
            {"role": "user", "content": [{"text": "hello there"}]},
            {
                "role": "user",
                "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"a": "deep down"}}]}}],
            },
        ],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 1},
        "toolConfig": {"tools": [{"toolSpec": {"name": "find"}}, {"cachePoint": {}}]},
    }
    path = f"/model/{MODEL}/converse"

    summary = read_request(Message(method="POST", path=path, body=json.dumps(body).encode()), HOST)

    assert {"be kind", "hello there", "deep down"} <= set(summary.prompt)
    assert summary.tools == ("find", "")
    assert summary.gen_ai["gen_ai.request.max_tokens"] == 9
    assert summary.gen_ai["gen_ai.request.temperature"] == "0.5"


def test_anthropic_s_body_is_read_as_anthropic_s() -> None:
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "messages": [{"role": "user", "content": "hi there"}],
        "tools": [{"name": "find"}],
    }
    path = f"/model/{MODEL}/invoke"

    summary = read_request(Message(method="POST", path=path, body=json.dumps(body).encode()), HOST)

    assert (summary.prompt, summary.tools) == (("hi there",), ("find",))


def test_an_answer_is_read_whole_and_streamed() -> None:
    reader = answer_reader(DialectName.BEDROCK)
    for event in STREAM:
        reader.feed(json.dumps(event).encode())
    whole = read_answer(DialectName.BEDROCK, Message(status=200, body=json.dumps(WHOLE).encode()))

    assert reader.finish() == SUMMARY
    assert whole.gen_ai == SUMMARY.gen_ai
    assert [(call.name, json.loads(call.arguments)) for call in whole.tool_calls] == [("find", {"q": 1.5})]


def test_what_invoke_wraps_is_anthropic_s() -> None:
    reader = answer_reader(DialectName.BEDROCK)
    block = {"type": "tool_use", "id": "t1", "name": "find", "input": {}}
    reader.feed(json.dumps({"type": "content_block_start", "index": 0, "content_block": block}).encode())
    reader.feed(b'{"type": "content_block_delta", "index": 0, "delta": {"partial_json": "{}"}}')
    reader.feed(b'{"contentBlockIndex": 0, "start": 7}')

    assert reader.finish().tool_calls == (ToolCall("find", "{}"),)
