# ruff: noqa: D401, PLR2004, E501
"""Makes the dictionary with which small bodies are compressed, from invented calls, and measures what it brings.

    uv run python benchmarks/journal_dictionary.py [--write]

No recorded call goes into it: what an erased key was to destroy could live on in it. With `--write` it takes the place of
`gatekeeper/journal/bodies.zdict`; journals that exist keep theirs, in `keys.db`.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any, Final

import zstandard

SIZE: Final = 24 << 10
DICTIONARY_ID: Final = 1_771_001
SAMPLES: Final = 6000
TARGET: Final = Path(__file__).parent.parent / "gatekeeper" / "journal" / "bodies.zdict"

WORDS: Final = [
    "the",
    "a",
    "to",
    "of",
    "and",
    "in",
    "is",
    "for",
    "on",
    "with",
    "that",
    "this",
    "be",
    "are",
    "as",
    "it",
    "at",
    "by",
    "from",
    "or",
    "an",
    "your",
    "you",
    "can",
    "will",
    "please",
    "order",
    "customer",
    "account",
    "payment",
    "refund",
    "invoice",
    "email",
    "address",
    "date",
    "time",
    "number",
    "report",
    "summary",
    "document",
    "file",
    "search",
    "result",
    "data",
    "user",
    "request",
    "response",
    "error",
    "status",
    "help",
    "need",
    "want",
    "check",
    "update",
    "create",
    "delete",
    "list",
    "find",
    "get",
    "set",
    "send",
    "call",
    "tool",
    "function",
    "use",
    "value",
    "name",
    "type",
    "message",
    "question",
    "answer",
    "information",
    "following",
    "based",
    "provide",
    "information",
    "system",
    "assistant",
    "task",
    "step",
    "first",
    "next",
    "then",
    "finally",
    "because",
    "however",
    "also",
    "more",
    "most",
    "about",
    "which",
    "when",
    "where",
    "how",
    "what",
    "who",
    "why",
]
ENTITIES: Final = ("<EMAIL_ADDRESS>", "<CREDIT_CARD>", "<PHONE_NUMBER>", "<US_SSN>", "<IBAN_CODE>", "<API_KEY>")


class Inventor:
    """Invents calls in the shapes of the providers' APIs."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - it repeats

    def text(self, most: int = 60) -> str:
        """Give some words."""
        words = self.chance.choices(WORDS, k=self.chance.randrange(3, most))
        if self.chance.random() < 0.2:
            words.append(self.chance.choice(ENTITIES))
        return " ".join(words).capitalize() + "."

    def id(self, prefix: str, size: int = 24) -> str:
        """Give an identifier."""
        return prefix + "".join(
            self.chance.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=size)
        )

    def schema(self) -> dict[str, Any]:
        """Give the schema of a tool's arguments."""
        names = self.chance.sample(("query", "id", "name", "amount", "currency", "date", "limit", "email", "path"), 3)
        properties = {
            name: {"type": self.chance.choice(("string", "integer", "number", "boolean")), "description": self.text(9)}
            for name in names
        }
        return {"type": "object", "properties": properties, "required": names[:1], "additionalProperties": False}

    def name(self) -> str:
        """Name a tool."""
        return "_".join(self.chance.sample(("get", "issue", "search", "create", "refund", "order", "user", "file"), 2))

    def one(self) -> object:
        """Give one request, answer or event."""
        return self.chance.choice(
            (
                self.openai_request, self.openai_answer, self.openai_chunk, self.responses_request, self.anthropic_request,
                self.anthropic_answer, self.anthropic_event, self.gemini_request, self.gemini_answer, self.mcp,
                self.embeddings, self.refusal,
            )
        )()  # fmt: skip

    def messages(self) -> list[dict[str, Any]]:
        """Give a conversation."""
        roles = ("system", "user", "assistant", "user", "tool", "assistant", "user")
        return [{"role": role, "content": self.text()} for role in roles[: self.chance.randrange(1, 7)]]

    def openai_request(self) -> object:
        """Chat completions."""
        made: dict[str, Any] = {
            "model": self.chance.choice(("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5")),
            "messages": self.messages(),
        }
        if self.chance.random() < 0.5:
            function = {"name": self.name(), "description": self.text(20), "parameters": self.schema()}
            made |= {"tools": [{"type": "function", "function": function}], "tool_choice": "auto"}
        return made | {
            "temperature": 0.7,
            "max_tokens": self.chance.choice((256, 1024, 4096)),
            "stream": self.chance.random() < 0.3,
        }

    def openai_answer(self) -> object:
        """Chat completions."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text(90), "refusal": None, "annotations": []}
        if self.chance.random() < 0.3:
            call = {"name": self.name(), "arguments": json.dumps({"id": self.id("", 8), "amount": 20})}
            message |= {"content": None, "tool_calls": [{"id": self.id("call_"), "type": "function", "function": call}]}
        prompt, completion = self.chance.randrange(4000), self.chance.randrange(900)
        usage = {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        }  # fmt: skip
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self.chance.choice(("stop", "tool_calls", "length")),
        }
        return {
            "id": self.id("chatcmpl-"), "object": "chat.completion", "created": self.chance.randrange(1_700_000_000, 1_900_000_000),
            "model": "gpt-4o-2024-08-06", "choices": [choice], "usage": usage, "service_tier": "default",
            "system_fingerprint": self.id("fp_", 10),
        }  # fmt: skip

    def openai_chunk(self) -> object:
        """A piece of a stream."""
        delta = (
            {"content": " " + self.chance.choice(WORDS)}
            if self.chance.random() < 0.9
            else {"role": "assistant", "content": "", "refusal": None}
        )
        made = {
            "id": self.id("chatcmpl-"), "object": "chat.completion.chunk", "created": self.chance.randrange(1_700_000_000, 1_900_000_000),
            "model": "gpt-4o-2024-08-06", "service_tier": "default", "system_fingerprint": self.id("fp_", 10),
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}],
        }  # fmt: skip
        return "".join(
            f"data: {json.dumps(made, separators=(',', ':'))}\n\n" for _ in range(self.chance.randrange(1, 5))
        )

    def responses_request(self) -> object:
        """OpenAI's Responses API."""
        content = [{"type": "input_text", "text": self.text()}]
        return {
            "model": "gpt-5",
            "input": [{"role": "user", "content": content}],
            "instructions": self.text(),
            "max_output_tokens": 1024,
            "store": False,
        }

    def anthropic_request(self) -> object:
        """Anthropic's Messages API."""
        messages = [
            {"role": one["role"], "content": [{"type": "text", "text": one["content"]}]} for one in self.messages()
        ]
        tools = [{"name": self.name(), "description": self.text(20), "input_schema": self.schema()}]
        return {
            "model": "claude-sonnet-4-20250514",
            "max_tokens": 1024,
            "system": self.text(),
            "messages": messages,
            "tools": tools,
        }

    def anthropic_answer(self) -> object:
        """Anthropic's Messages API."""
        content: list[dict[str, Any]] = [{"type": "text", "text": self.text(90)}]
        if self.chance.random() < 0.3:
            content.append(
                {"type": "tool_use", "id": self.id("toolu_"), "name": self.name(), "input": {"query": self.text(6)}}
            )
        usage = {
            "input_tokens": self.chance.randrange(4000),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": self.chance.randrange(900),
            "service_tier": "standard",
        }
        return {
            "id": self.id("msg_"), "type": "message", "role": "assistant", "model": "claude-sonnet-4-20250514", "content": content,
            "stop_reason": "end_turn", "stop_sequence": None, "usage": usage,
        }  # fmt: skip

    def anthropic_event(self) -> object:
        """A piece of a stream."""
        made = {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": " " + self.chance.choice(WORDS)},
        }
        return "".join(
            f"event: content_block_delta\ndata: {json.dumps(made)}\n\n" for _ in range(self.chance.randrange(1, 5))
        )

    def gemini_request(self) -> object:
        """Gemini's generateContent."""
        return {
            "contents": [{"role": "user", "parts": [{"text": self.text()}]}],
            "systemInstruction": {"parts": [{"text": self.text()}]},
            "generationConfig": {"temperature": 0.7, "maxOutputTokens": 1024, "candidateCount": 1},
            "safetySettings": [],
        }

    def gemini_answer(self) -> object:
        """Gemini's generateContent."""
        candidate = {
            "content": {"parts": [{"text": self.text(90)}], "role": "model"},
            "finishReason": "STOP",
            "index": 0,
        }
        usage = {"promptTokenCount": 12, "candidatesTokenCount": 99, "totalTokenCount": 111}
        return {
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": "gemini-2.5-flash",
            "responseId": self.id(""),
        }

    def mcp(self) -> object:
        """JSON-RPC of MCP."""
        if self.chance.random() < 0.5:
            return {
                "jsonrpc": "2.0",
                "id": self.chance.randrange(99),
                "method": "tools/call",
                "params": {"name": self.name(), "arguments": {"query": self.text(6)}},
            }
        return {
            "jsonrpc": "2.0",
            "id": self.chance.randrange(99),
            "result": {"content": [{"type": "text", "text": self.text()}], "isError": False},
        }

    def embeddings(self) -> object:
        """OpenAI's embeddings."""
        return {"model": "text-embedding-3-small", "input": [self.text(20)], "encoding_format": "base64"}

    def refusal(self) -> object:
        """The gateway's and the providers' errors."""
        return {
            "error": {"message": self.text(20), "type": "invalid_request_error", "param": None, "code": "access_denied"}
        }


def invented(seed: int, count: int) -> list[bytes]:
    """Give bodies of invented calls."""
    inventor = Inventor(seed)
    made = [inventor.one() for _ in range(count)]
    return [
        one.encode() if isinstance(one, str) else json.dumps(one, separators=(",", ":") if at % 2 else None).encode()
        for at, one in enumerate(made)
    ]


def main() -> None:
    """Train, measure on other calls, and write where asked to."""
    trained = zstandard.train_dictionary(SIZE, invented(1, SAMPLES), dict_id=DICTIONARY_ID, level=3)
    plain, better = zstandard.ZstdCompressor(level=3), zstandard.ZstdCompressor(level=3, dict_data=trained)
    others = invented(2, 1000)
    sizes = [
        sum(map(len, others)),
        sum(len(plain.compress(one)) for one in others),
        sum(len(better.compress(one)) for one in others),
    ]
    print(
        "bytes a body: {:.0f} plain, {:.0f} zstd, {:.0f} zstd with the dictionary".format(
            *(one / 1000 for one in sizes)
        )
    )
    if "--write" in sys.argv:
        TARGET.write_bytes(trained.as_bytes())
        print(f"{TARGET}: {len(trained.as_bytes())} bytes")


if __name__ == "__main__":
    main()
