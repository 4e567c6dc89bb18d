"""The providers' own clients read what is sent, and read the text that is the masked whole."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, override

import anthropic
import boto3
import openai
import pytest
from google import genai
from streams import (
    EVENTS,
    FORMATS,
    anthropic_events,
    chat_calls,
    converse,
    cut,
    gemini_array,
    gemini_chunks,
    invoke,
    responses,
    sse,
)

from gatekeeper.config import MaskingConfig
from gatekeeper.masking import Masker, stream_masker

MASKER = Masker(MaskingConfig(), b"a key for tests")
TEXT = "Ada is john.smith@example.com, card 4111 1111 1111 1111"
MASKED = "Ada is <EMAIL_ADDRESS>, card <CREDIT_CARD>"
ARGUMENTS = json.dumps({"to": "john.smith@example.com", "cards": [4111111111111111]})
MASKED_ARGUMENTS = {"to": "<EMAIL_ADDRESS>", "cards": ["<CREDIT_CARD>"]}
EVERY_FOUR = range(0, 200, 4)
PIECES = cut(TEXT, EVERY_FOUR)


class Provider:
    """Answers any call with the bytes that the gateway would send."""

    def __init__(self) -> None:
        self.media, self.body = "", b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(200)
                self.send_header("Content-Type", outer.media)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            @override
            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answers(self, media: str, body: bytes, *, asked: bool = False) -> None:
        masker = stream_masker(MASKER, media, asked=asked)
        assert masker is not None
        self.media, self.body = media, b"".join([*masker.feed(body), *masker.finish()])


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    own = Provider()
    threading.Thread(target=own.server.serve_forever, daemon=True).start()
    yield own
    own.server.shutdown()
    own.server.server_close()


def _openai(provider: Provider) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{provider.url}/v1", api_key="k", max_retries=0)


def _anthropic(provider: Provider) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=provider.url, api_key="k", max_retries=0)


def _bedrock(provider: Provider) -> Any:
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=provider.url,
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
    )


def test_openai_chat(provider: Provider) -> None:
    provider.answers(EVENTS, FORMATS[0].make(PIECES))

    with _openai(provider).chat.completions.stream(model="m", messages=[{"role": "user", "content": "x"}]) as stream:
        completion = stream.get_final_completion()

    assert completion.choices[0].message.content == MASKED
    assert completion.choices[0].finish_reason == "stop"


def test_openai_tool_calls(provider: Provider) -> None:
    provider.answers(EVENTS, chat_calls(cut(ARGUMENTS, EVERY_FOUR)))

    with _openai(provider).chat.completions.stream(model="m", messages=[{"role": "user", "content": "x"}]) as stream:
        [call] = stream.get_final_completion().choices[0].message.tool_calls or ()

    assert (call.id, call.function.name) == ("call_1", "send")
    assert json.loads(call.function.arguments) == MASKED_ARGUMENTS


def test_openai_responses(provider: Provider) -> None:
    provider.answers(EVENTS, responses(PIECES))

    with _openai(provider).responses.stream(model="m", input="x") as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()

    assert deltas == final.output_text == MASKED


@pytest.mark.parametrize(
    ("kind", "pieces", "read", "expected"),
    [
        ("text", PIECES, lambda block: block.text, MASKED),
        ("thinking", PIECES, lambda block: block.thinking, MASKED),
        ("input", cut(ARGUMENTS, EVERY_FOUR), lambda block: block.input, MASKED_ARGUMENTS),
    ],
)
def test_anthropic(
    provider: Provider, kind: str, pieces: list[str], read: Callable[[Any], object], expected: object
) -> None:
    provider.answers(EVENTS, sse(*anthropic_events(pieces, kind), names=True))

    messages: Any = [{"role": "user", "content": "x"}]
    with _anthropic(provider).messages.stream(model="m", max_tokens=9, messages=messages) as stream:
        message = stream.get_final_message()

    assert read(message.content[0]) == expected
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize("array", [False, True])
def test_google(provider: Provider, array: bool) -> None:  # noqa: FBT001
    if array:
        provider.answers("application/json", gemini_array(PIECES), asked=True)
        chunks = json.loads(provider.body)
        assert "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks) == MASKED
        return
    provider.answers(EVENTS, sse(*gemini_chunks(PIECES)))

    client = genai.Client(api_key="k", http_options={"base_url": provider.url})
    chunks = client.models.generate_content_stream(model="gemini-2.5-flash", contents="x")

    assert "".join(chunk.text or "" for chunk in chunks) == MASKED


def test_bedrock_converse(provider: Provider) -> None:
    provider.answers("application/vnd.amazon.eventstream", converse(PIECES))

    messages = [{"role": "user", "content": [{"text": "x"}]}]
    events = list(_bedrock(provider).converse_stream(modelId="m", messages=messages)["stream"])

    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(deltas) == MASKED
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 2


def test_bedrock_invoke(provider: Provider) -> None:
    provider.answers("application/vnd.amazon.eventstream", invoke(PIECES))

    answer = _bedrock(provider).invoke_model_with_response_stream(modelId="m", body=b"{}")
    events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]

    text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    assert text == MASKED
