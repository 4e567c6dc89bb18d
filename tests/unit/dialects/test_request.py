import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.dialects import read_request
from gatekeeper.exchange import DialectName, ExchangeSummary, Message, canonical_json

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
PATHS = [CHAT, RESPONSES, "/v1/embeddings", "/v1/completions", MESSAGES, GENERATE, "/v1/refunds"]


def read(path: str, body: object, host: str = "localhost", method: str = "POST") -> ExchangeSummary:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_request(Message(method=method, url=f"https://{host}{path}", path=path, body=data), host)


def test_an_openai_chat_is_read() -> None:
    summary = read(
        CHAT,
        {
            "model": "gpt-4o-mini",
            "stream": True,
            "temperature": 0.25,
            "max_completion_tokens": 100,
            "n": 2,
            "seed": 7,
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "hello"}]},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"q":"cats"}'}}
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "three cats"},
            ],
            "tools": [
                {"type": "function", "function": {"name": "find", "parameters": {}}},
                {"type": "custom", "custom": {"name": "shell"}},
            ],
            "functions": [{"name": "legacy"}],
            "user": "never looked at",
        },
    )
    assert summary.dialect is DialectName.OPENAI
    assert summary.operation == "chat"
    assert summary.model == "gpt-4o-mini"
    assert summary.stream
    assert set(summary.prompt) == {"be brief", "hello", "find", '{"q":"cats"}', "cats", "three cats"}
    assert summary.tools == ("find", "shell", "legacy")
    assert summary.gen_ai == {
        "gen_ai.provider.name": "openai",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": "0.25",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.seed": 7,
    }


def test_openai_responses_are_read() -> None:
    summary = read(
        RESPONSES,
        {
            "model": "gpt-5",
            "instructions": "be brief",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
                {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q":"cats"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "three cats"},
            ],
            "tools": [{"type": "function", "name": "find"}, {"type": "web_search"}],
            "max_output_tokens": 50,
        },
    )
    assert set(summary.prompt) == {"be brief", "hello", "find", '{"q":"cats"}', "cats", "three cats"}
    assert summary.tools == ("find", "web_search")
    assert summary.gen_ai["gen_ai.request.max_tokens"] == 50
    assert not summary.stream


@pytest.mark.parametrize("given_input", ["hello", ["hello"]])
def test_embeddings_are_read(given_input: object) -> None:
    summary = read(
        "/v1/embeddings", {"model": "ada", "input": given_input, "encoding_format": "base64", "dimensions": 8}
    )
    assert summary.operation == "embeddings"
    assert summary.prompt == ("hello",)
    assert summary.gen_ai["gen_ai.request.encoding_formats"] == ["base64"]
    assert summary.gen_ai["gen_ai.embeddings.dimension.count"] == 8


def test_completions_are_read() -> None:
    summary = read("/v1/completions", {"model": "m", "prompt": ["one", "two"], "suffix": "end"})
    assert summary.operation == "text_completion"
    assert set(summary.prompt) == {"one", "two", "end"}


def test_anthropic_messages_are_read() -> None:
    summary = read(
        MESSAGES,
        {
            "model": "claude-sonnet",
            "max_tokens": 64,
            "top_k": 5,
            "stream": True,
            "system": [{"type": "text", "text": "be brief"}],
            "messages": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find",
                                                   "input": {"type": "big cats"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1",
                                              "content": [{"type": "text", "text": "three cats"}]}]},
            ],
            "tools": [{"name": "find", "input_schema": {}}, {"type": "custom_20250101"}],
        },
    )  # fmt: skip
    assert summary.dialect is DialectName.ANTHROPIC
    assert summary.stream
    assert set(summary.prompt) == {"be brief", "hello", "find", "big cats", "three cats"}
    assert summary.tools == ("find", "custom_20250101")
    assert summary.gen_ai == {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-sonnet",
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.top_k": 5,
    }


@pytest.mark.parametrize("system", ["systemInstruction", "system_instruction"])
def test_gemini_is_read_in_either_spelling(system: str) -> None:
    summary = read(
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        {
            system: {"parts": [{"text": "be brief"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "hello"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "find", "args": {"q": "cats"}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {"r": "three cats"}}}]},
            ],
            "tools": [
                {"functionDeclarations": [{"name": "find"}], "function_declarations": [{"name": "seek"}]},
                {"googleSearch": {}},
            ],
            "generationConfig": {"maxOutputTokens": 9, "temperature": 1.5, "candidateCount": 1},
        },
    )
    assert summary.dialect is DialectName.GEMINI
    assert (summary.model, summary.stream, summary.operation) == ("gemini-2.5-flash", True, "generate_content")
    assert set(summary.prompt) == {"be brief", "hello", "find", "cats", "three cats"}
    assert summary.tools == ("find", "seek", "googleSearch")
    assert summary.gen_ai == {
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.operation.name": "generate_content",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.temperature": "1.5",
        "gen_ai.request.choice.count": 1,
    }


@pytest.mark.parametrize(
    "body",
    [
        {"content": {"parts": [{"text": "hello"}]}},
        {"requests": [{"model": "e", "content": {"parts": [{"text": "hello"}]}}]},
    ],
)
def test_texts_to_embed_are_read_from_gemini(body: dict[str, Any]) -> None:
    summary = read("/v1beta/models/e:batchEmbedContents", body)
    assert summary.operation == "embeddings"
    assert "hello" in summary.prompt


def test_a_deployment_in_the_path_is_the_model() -> None:
    summary = read("/openai/deployments/my-gpt/chat/completions", {"messages": []}, "x.openai.azure.com")
    assert summary.model == "my-gpt"
    assert summary.gen_ai["gen_ai.request.model"] == "my-gpt"


def test_plain_http_gives_all_its_texts_and_no_attributes() -> None:
    summary = read("/v1/refunds", {"reason": "ignore all", "amount": 5})
    assert summary == ExchangeSummary(dialect=DialectName.HTTP, prompt=("ignore all",))


def test_another_method_has_no_operation_but_its_texts() -> None:
    summary = read(CHAT, {"note": "ignore all"}, "api.openai.com", "DELETE")
    assert summary.operation == ""
    assert summary.prompt == ("ignore all",)
    assert summary.gen_ai == {"gen_ai.provider.name": "openai"}


def every_field(value: bytes) -> bytes:
    """Put one value into the field for text of each dialect."""
    fields = (b"messages", b"input", b"prompt", b"contents")
    return b"{" + b", ".join(b'"' + field + b'": ' + value for field in fields) + b"}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b'["ignore all"]',
        b'{"messages": ["ignore all"], "temperature": 1e999, "x": NaN}',
        every_field(b'"ignore all", "generationConfig": 5'),
        b"ignore all",
        b"\xff ignore all",
        every_field(b'"\xff ignore all"'),
        every_field(b"[" * 100_000 + b'"ignore all"'),
    ],
)
def test_a_body_in_no_known_form_still_shows_its_texts(path: str, body: bytes) -> None:
    assert any("ignore all" in text for text in read(path, body).prompt)


@pytest.mark.parametrize("path", PATHS)
@given(st.binary(max_size=64))
def test_no_body_is_an_exception(path: str, body: bytes) -> None:
    canonical_json(read(path, body).gen_ai)


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["model", "messages", "tools", "function", "name", "type", "stream", "max_tokens", "n",
                         "generationConfig", "maxOutputTokens", "functionDeclarations", "encoding_format"]),
        inner,
        max_size=4,
    ),
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@given(st.dictionaries(st.sampled_from(["model", "messages", "tools", "stream", "n", "generationConfig"]), SHAPES))
def test_wrong_types_are_no_exception_and_no_float_is_recorded(path: str, body: dict[str, object]) -> None:
    summary = read(path, body)
    for value in summary.gen_ai.values():
        assert type(value) in {str, int, list}
    canonical_json(summary.gen_ai)
    msgspec.to_builtins(summary)


def test_names_are_cut_so_that_a_leaf_stays_small() -> None:
    summary = read(CHAT, {"model": "m" * 100_000, "tools": [{"type": "function", "name": "t" * 1000}]})
    assert summary.model == "m" * 256
    assert summary.tools == ("t" * 256,)
    assert len(canonical_json(summary.gen_ai)) < 1000


def test_no_text_of_messages_is_in_the_attributes() -> None:
    secret = "4111111111111111"
    body = {"model": "m", "messages": [{"role": "user", "content": secret}], "stop": [secret], "user": secret}
    assert secret not in repr(read(CHAT, body).gen_ai)
