import base64
import json

import pytest
from examples import examples
from hypothesis import example, given
from hypothesis import strategies as st
from streams import cut

from gatekeeper.config import MaskingConfig
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker, StreamMasker, UnreadableBody, stream_masker
from gatekeeper.masking.runs import LONGEST

MASKER = Masker(MaskingConfig(), b"a key for tests")
TEXT = "write to john.smith@example.com, soon"
MASKED = "write to <EMAIL_ADDRESS>, soon"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100
BINARY = bytes(number * number % 251 for number in range(40_000))


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


def masker(*, unread: bool = False) -> StreamMasker:
    made = stream_masker(MASKER, "text/event-stream", unread=unread)
    assert made is not None
    return made


def joined(body: bytes) -> str:
    events = [json.loads(line[6:]) for line in body.split(b"\n\n") if line.startswith(b"data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events)


def streamed(pieces: list[str], *, unread: bool = False) -> str:
    stream = masker(unread=unread)
    sent = [out for piece in pieces for out in stream.feed(chunk(piece))]
    return joined(b"".join([*sent, *stream.finish()]))


def whole(text: str) -> str:
    body = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}).encode()
    answer = Message(status=200, headers=(("content-type", "application/json"),), body=body)
    return str(json.loads(MASKER.inspect(answer).to_client().body)["choices"][0]["message"]["content"])


parts = st.sampled_from(
    (
        b64(TEXT), b64(b64(TEXT)), b64(TEXT).rstrip("="), base64.urlsafe_b64encode(TEXT.encode()).decode(),
        base64.encodebytes(f"{'x' * 50} {TEXT}".encode()).decode(), f"data:text/plain;base64,{b64(TEXT)}",
        "data:text/plain;charset=utf-8,john%40example.com ", b64("nothing in it, really"), " john@example.com ",
        " ", "\n", ".", ",", ": ", "é", "completion_tokens_details", "src/components/Button/index.tsx", "=", "word ",
    )
)  # fmt: skip


@given(st.lists(parts, max_size=6).map("".join), st.lists(st.integers(0, 400), max_size=12))
@example(f"data:text/plain,john%40example.com {b64(TEXT)} data:text/plain,john%40example.com", [])
@example(f"{b64(TEXT).rstrip('=')}\ndata:text/plain;base64,{b64(TEXT)}", [])
@examples(300)
def test_what_is_encoded_in_a_text_is_masked_however_it_was_split(text: str, places: list[int]) -> None:
    assert streamed(list(cut(text, places))) == whole(text)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_no_value_leaves_in_base64(size: int) -> None:
    text = f"see {b64(TEXT)} and data:text/plain;base64,{b64(TEXT)}."

    read = streamed([text[at : at + size] for at in range(0, len(text), size)])

    assert read == f"see {b64(MASKED)} and data:text/plain;base64,{b64(MASKED)}."


@pytest.mark.parametrize("data", [PNG, BINARY, PNG[:200]], ids=["picture", "binary", "small picture"])
def test_what_can_not_be_inspected_passes_only_where_a_rule_says_so(data: bytes) -> None:
    text = f"![it](data:image/png;base64,{b64(data)}) done"
    pieces = [text[at : at + 100] for at in range(0, len(text), 100)]

    with pytest.raises(UnreadableBody, match="uninspected"):
        streamed(pieces)

    assert streamed(pieces, unread=True) == text


def test_what_passes_uninspected_is_counted_and_not_recorded() -> None:
    text = f"it is {b64(PNG)} done"
    stream = masker(unread=True)
    for at in range(0, len(text), 500):
        stream.feed(chunk(text[at : at + 500]))
    stream.finish()

    assert stream.uninspected == "a part of the body is not text: a text of it has image encoded in it"
    recorded = joined(stream.take_recorded())
    assert "‹uninspected: image" in recorded
    assert recorded.endswith("› done")
    assert len(recorded) < len(text) / 10


def test_text_that_is_encoded_and_too_long_to_be_held_back_is_refused() -> None:
    with pytest.raises(UnreadableBody, match="too long"):
        streamed([b64("some words " * LONGEST)[at : at + 1000] for at in range(0, 2 * LONGEST, 1000)])


def test_a_long_run_that_is_no_base64_flows() -> None:
    stream = masker()
    text = "abcdefghijklmnop-" * (LONGEST // 8)

    arrived = [bool(stream.feed(chunk(text[at : at + 1000]))) for at in range(0, len(text), 1000)]

    assert any(arrived)


def test_words_do_not_wait_for_longer_than_their_end() -> None:
    stream = masker()

    assert [joined(b"".join(stream.feed(chunk(word)))) for word in ("one ", "two", " three", ". ")] == [
        "one ", "", "two ", "three. ",
    ]  # fmt: skip
