"""Invariant 5, for streams: however a value is split, it never leaves, and the client reads the same text."""

import json
import tracemalloc
from collections.abc import Sequence

import pytest
from examples import examples
from hypothesis import example, given
from hypothesis import strategies as st
from streams import FORMATS, Format, cut, cut_bytes

from gatekeeper.config import MaskingConfig
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker, stream_masker

VALUES = (
    "john.smith@example.com",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "378282246310005",
    "GB82 WEST 1234 5698 7654 32",
    "DE89370400440532013000",
    "536-90-4399",
    "+1 415 555 0132",
    "(415) 555-0132",
    "943 476 5919",
    "sk-proj-Zx81kfPq0sNf81mWqPz0aa",
    "AKIAIOSFODNN7EXAMPLE",
    "４１１１ 1111\u200b 1111 1111",
    "john＠example．com",
)
FILL = (
    "",
    " ",
    ", ",
    ".",
    "\n",
    " and ",
    "the ",
    "x",
    "7",
    " 12 ",
    '"',
    "\\",
    "{",
    "é ",
    "\u200b",
    "😀",
    "-",
    "ssn: ",
    "@",
    "a@",
)
MASKER = Masker(MaskingConfig(), b"a key for tests")

texts = st.lists(st.sampled_from(VALUES) | st.sampled_from(FILL) | st.text(max_size=4), max_size=8).map("".join)
separated = st.lists(
    st.tuples(st.sampled_from(("\n", ", ", "; ", " and ")), st.sampled_from(VALUES)), min_size=1, max_size=4
)


def chunk(delta: object, *, finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    payload = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1718000000, "choices": [choice]}
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def events(deltas: Sequence[object], closing: object = None) -> bytes:
    body = chunk({"role": "assistant", "content": ""}) + b"".join(map(chunk, deltas))
    return body + chunk(closing or {}, finish="stop") + b"data: [DONE]\n\n"


def streamed(body: bytes, places: Sequence[int] = ()) -> bytes:
    masker = stream_masker(MASKER, "text/event-stream; charset=utf-8")
    assert masker is not None
    sent = [piece for part in cut_bytes(body, places) for piece in masker.feed(part)]
    assert all(sent)
    out = b"".join([*sent, *masker.finish()])
    assert masker.take_recorded() == out
    return out


def joined(body: bytes, *keys: str | int) -> str:
    """Join the pieces as a client does."""
    whole = ""
    for line in body.decode().split("\n"):
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line.removeprefix("data: "))["choices"]:
            value = choice["delta"]
            for key in keys:
                value = (value.get(key) if isinstance(value, dict) else value[key] if value else None) or {}
            whole += value or ""
    return whole


def whole(text: str) -> str:
    """Mask the same text in an answer that isn't streamed."""
    message = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
    body = json.dumps(message).encode()
    answer = Message(status=200, headers=(("content-type", "application/json"),), body=body)
    content: str = json.loads(MASKER.inspect(answer).to_client().body)["choices"][0]["message"]["content"]
    return content


@given(texts, st.lists(st.integers(0, 500), max_size=12))
@example("4111 1111 1111 1111", [4])
@example("a john@example.co and m", [18])
@example("x 4111 1111 1111 1111 4111 1111 1111 1111", [7, 22])
@example("sk-proj-Zx81kfPq0sNf81mWqPz0aa¼john.smith@example.com", [])
@example("sk-proj-Zx81kfPq0sNf81mWqPz0aa¼4111 1111 1111 1111", [])
@examples(1000)
def test_the_client_reads_the_same_text_however_it_was_split_over_deltas(text: str, places: list[int]) -> None:
    body = events([{"content": piece} for piece in cut(text, places)])

    assert joined(streamed(body), "content") == whole(text)


@given(separated, st.lists(st.integers(0, 500), max_size=12))
@examples(500)
def test_no_value_leaves_whatever_the_split(parts: list[tuple[str, str]], places: list[int]) -> None:
    text = "".join(f"{space}{value}" for space, value in parts)
    body = events([{"content": piece} for piece in cut(text, places)])

    read = joined(streamed(body), "content")

    assert [value for _, value in parts if value in read] == []


@given(
    texts,
    st.lists(st.integers(0, 500), max_size=6),
    st.lists(st.integers(0, 4000), max_size=20),
    st.sampled_from((b"\n", b"\r\n", b"\r")),
)
@examples(500)
def test_the_bytes_sent_do_not_depend_on_how_the_bytes_came(
    text: str, places: list[int], byte_places: list[int], line_end: bytes
) -> None:
    body = b"\xef\xbb\xbf: a comment\n\n" + events([{"content": piece} for piece in cut(text, places)])
    body = body.replace(b"\n", line_end)

    assert streamed(body, byte_places) == streamed(body)
    assert streamed(body, range(len(body))) == streamed(body)


@given(
    st.recursive(
        st.sampled_from(VALUES)
        | st.integers()
        | st.sampled_from((4111111111111111, 4111111111111111.0))
        | st.text(max_size=5),
        lambda inner: st.dictionaries(st.sampled_from(("a", "ssn", "to")), inner, max_size=3) | inner.map(json.dumps),
        max_leaves=5,
    ).map(lambda value: json.dumps({"arg": value})),
    st.lists(st.integers(0, 500), max_size=12),
)
@examples(500)
def test_tool_arguments_stay_json_and_hold_no_value(arguments: str, places: list[int]) -> None:
    deltas = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in cut(arguments, places)]

    read = joined(streamed(events(deltas)), "tool_calls", 0, "function", "arguments")

    json.loads(read)
    assert read == whole(arguments)
    assert [value for value in VALUES if f'"{value}"' in json.dumps(json.loads(read), ensure_ascii=False)] == []
    assert "4111111111111111" not in read


@pytest.mark.parametrize("form", FORMATS, ids=str)
@given(text=texts, places=st.lists(st.integers(0, 500), max_size=12))
@examples(100)
def test_each_format_gives_the_text_of_the_whole_however_it_was_split(
    form: Format, text: str, places: list[int]
) -> None:
    assert form.joined(masked(form, form.make(cut(text, places)))) == whole(text)


@pytest.mark.parametrize("form", FORMATS, ids=str)
@given(
    text=texts,
    places=st.lists(st.integers(0, 500), max_size=6),
    byte_places=st.lists(st.integers(0, 4000), max_size=20),
)
@examples(30)
def test_the_bytes_of_no_format_depend_on_how_they_came(
    form: Format, text: str, places: list[int], byte_places: list[int]
) -> None:
    body = form.make(cut(text, places))

    assert masked(form, body, byte_places) == masked(form, body)
    assert masked(form, body, range(len(body))) == masked(form, body)


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_the_text_of_no_format_is_one_lump_at_the_end(form: Format) -> None:
    masker = stream_masker(MASKER, form.media, asked=form.asked)
    assert masker is not None
    body = form.make([f"word{number} " for number in range(50)])

    arrived = [bool(masker.feed(body[at : at + 100])) for at in range(0, len(body), 100)]

    assert sum(arrived) > len(arrived) / 4


def masked(form: Format, body: bytes, places: Sequence[int] = ()) -> bytes:
    masker = stream_masker(MASKER, form.media, asked=form.asked)
    assert masker is not None
    sent = [piece for part in cut_bytes(body, places) for piece in masker.feed(part)]
    assert all(sent)
    return b"".join([*sent, *masker.finish()])


@pytest.mark.parametrize("value", VALUES)
def test_each_value_is_one_that_detectors_find(value: str) -> None:
    assert value not in whole(f"it is {value}, yes")


SAID = (
    "the customer wrote that her order has not arrived and we should look at it again before tomorrow evening please; "
    "see section 4 of the handbook, version 2.14.3, or call back at 15:30: total 1,249.00 for item A-1042"
)
PROSE = SAID.split()


@given(st.lists(st.sampled_from(PROSE) | st.sampled_from(VALUES), min_size=200, max_size=300), st.integers(4, 6))
@examples(20)
def test_text_flows_and_few_deltas_wait(words: list[str], size: int) -> None:
    """A word is one delta, a value comes in pieces; at most 8 deltas wait at the 99th percentile.

    After a value comes a word: an account number that codes in capitals follow may go on with them.
    """
    spread = [word for place, word in enumerate(words) if word in PROSE or place % 10 == 0]
    spread = [said for word in spread for said in ((word, "and") if word in VALUES else (word,))]
    spaced = [(f" {word}", size if word in VALUES else 99) for word in spread]
    pieces = [word[at : at + width] for word, width in spaced for at in range(0, len(word), width)]
    masker = stream_masker(Masker(MaskingConfig(response={"default": "keep"}), b"k"), "text/event-stream")
    assert masker is not None
    ends: list[int] = []
    sent = received = 0
    waiting = []
    for piece in pieces:
        received += len(piece)
        ends.append(received)
        sent += len(joined(b"".join(masker.feed(chunk({"content": piece}))), "content"))
        ends = [end for end in ends if end > sent]
        waiting.append(len(ends))

    assert sorted(waiting)[len(waiting) * 99 // 100] <= 8


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_memory_does_not_grow_with_the_stream(form: Format) -> None:
    def run(count: int) -> int:
        masker = stream_masker(MASKER, form.media, asked=form.asked)
        assert masker is not None
        body = form.make([f"word {VALUES[number % 3]} " for number in range(count)])
        body = body[: len(body) // 4]  # what repeats the whole at the end must be as long as the whole
        tracemalloc.start()
        for at in range(0, len(body), 1000):
            masker.feed(body[at : at + 1000])
            masker.take_recorded()
            masker.take_events()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held

    run(50)

    assert run(400) < run(100) + (64 << 10)
