"""The calls that are measured: what the client asks, and what the upstream answers."""

import enum
import json
import re
from typing import Final

HOST: Final = "localhost"

_SENTENCE: Final = (
    "The invoice for the third quarter was sent to the customer on Monday, and the refund is still to be confirmed. "
)
_EMAIL: Final = "jane.roe@example.org"
_CONTENT: Final = re.compile(rb'"content": ?"([^"]*)"')
EVENTS: Final = 40
"""Deltas of one stream."""


class Scenario(enum.Enum):
    """One kind of work. The value is the path that is asked for."""

    SMALL = "/v1/chat/completions?size=1k"
    LARGE = "/v1/chat/completions?size=100k"
    STREAM = "/v1/chat/completions?stream"
    CONNECT = "/v1/chat/completions?size=1k&new"

    @property
    def title(self) -> str:
        """Name it for people."""
        return {
            Scenario.SMALL: "1 kB JSON, keep-alive",
            Scenario.LARGE: "100 kB JSON, keep-alive",
            Scenario.STREAM: f"SSE stream of {EVENTS} deltas",
            Scenario.CONNECT: "1 kB JSON, new connection each",
        }[self]


def request(scenario: Scenario) -> bytes:
    """Give the bytes of one request, as an OpenAI client would send them."""
    messages = [
        {"role": "system", "content": "You are a helpful assistant of the billing team. " + _SENTENCE},
        {"role": "user", "content": "Summarise what happened with the last three invoices, please. " + _SENTENCE},
    ]
    body = json.dumps(
        {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.2, "stream": scenario is Scenario.STREAM}
    ).encode()
    return (
        f"POST {scenario.value} HTTP/1.1\r\nHost: {HOST}:{{port}}\r\nAccept: application/json\r\n"
        "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 1.109.1\r\nX-Stainless-Lang: python\r\n"
        f"X-Stainless-Retry-Count: 0\r\nAuthorization: Bearer sk-benchmark\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def answers() -> dict[bytes, list[bytes]]:
    """Give, by path, the pieces that the upstream sends one after the other."""
    return {
        Scenario.SMALL.value.encode(): [_whole(1_000)],
        Scenario.CONNECT.value.encode(): [_whole(1_000)],
        Scenario.LARGE.value.encode(): [_whole(100_000)],
        Scenario.STREAM.value.encode(): _stream(),
    }


def is_masked(answer: bytes) -> bool:
    """Tell whether the e-mail address that stands in every text, in streams over two deltas, is gone."""
    text = b"".join(_CONTENT.findall(answer))
    assert len(text) > len(_SENTENCE), "the answer has no text"
    return _EMAIL.encode() not in text


def _whole(size: int) -> bytes:
    """Give a chat completion of about `size` bytes; one e-mail address stands in every 10 kB of it."""
    text = f"Write to {_EMAIL}. "
    while len(text) < size - 450:
        text += _SENTENCE
        if len(text) % 10_000 < len(_SENTENCE):
            text += f"Write to {_EMAIL}. "
    body = json.dumps(
        {
            "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
            "object": "chat.completion",
            "created": 1741570283,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 117, "completion_tokens": 46, "total_tokens": 163},
            "system_fingerprint": "fp_fc9f1d7035",
        }
    ).encode()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: req_benchmark\r\n"
        f"Openai-Processing-Ms: 12\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _stream() -> list[bytes]:
    """Give an event stream whose e-mail address is split over two deltas; each piece is one TLS record."""
    words = (_SENTENCE * 4).split(" ")[: EVENTS - 4]
    deltas = ["", *(f"{word} " for word in words), _EMAIL[:6], _EMAIL[6:], " "]
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"]
    pieces += [_chunk(_event({"content": delta}, None)) for delta in deltas]
    pieces += [_chunk(_event({}, "stop")), _chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"]
    return pieces


def _event(delta: dict[str, str], finish: str | None) -> bytes:
    event = {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1741570283,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
