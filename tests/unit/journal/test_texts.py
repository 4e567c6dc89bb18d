"""The words of bodies: whatever form they come in, what a person would see in them is found."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.journal.texts import text_of, unspaced, words

SSE = "text/event-stream"


def event(**value: object) -> str:
    return f"data: {json.dumps(value)}\n\n"


@pytest.mark.parametrize(
    ("media", "body", "found"),
    [
        ("application/json", '{"a": "line one\\nline two"}', "line one\nline two"),
        ("application/json; charset=utf-8", '["gr\\u00fcn", 250, 1.5, true, null]', "grün\n250\n1.5"),
        ("application/json", json.dumps({"arguments": json.dumps({"city": "Paris\nFrance"})}), "Paris\nFrance"),
        ("application/json", '{"broken": ', '{"broken": '),
        ("text/plain", "as it is", "as it is"),
        ("application/x-www-form-urlencoded", "note=two+words&x=%C3%A9", "two words\né"),
        ("application/x-ndjson", '{"m": "Hel"}\n{"m": "lo"}\n', "Hello"),
        (SSE, event(delta={"content": "Hel"}) + event(delta={"content": "lo"}) + "data: [DONE]\n\n", "Hello"),
        (SSE, 'event: x\r\ndata: {"t": "Hel"}\r\n\r\ndata: {"t": "lo"}\r\n\r\n', "Hello"),
        (SSE, "data: plain\ndata: text\n\n", "plain\ntext"),
        ("", '{"no": "media type"}', "media type"),
    ],
)
def test_what_a_person_would_see_is_found(media: str, body: str, found: str) -> None:
    assert found in text_of(media, body.encode())


def test_channels_of_a_stream_are_not_mixed() -> None:
    chunks = [("one", 0), ("eins", 1), (" two", 0), (" zwei", 1)]
    stream = "".join(event(choices=[{"index": number, "delta": {"content": text}}]) for text, number in chunks)
    text = text_of(SSE, stream.encode())
    assert "one two" in text
    assert "eins zwei" in text


def test_what_is_the_same_in_each_event_is_said_once() -> None:
    stream = "".join(event(id="chatcmpl-1", text=piece) for piece in ("a", "b", "c"))
    assert sorted(text_of(SSE, stream.encode()).split()) == ["abc", "chatcmpl-1"]


def test_a_blob_is_no_word_and_no_text_gives_nothing() -> None:
    image = "QUJD" * 200
    assert "QUJD" not in text_of("application/json", json.dumps({"image": image, "say": "hi"}).encode())
    assert text_of("image/png", b"\x89PNG\xff\xfe") == ""


def test_deep_nesting_ends_nothing() -> None:
    assert "[[" in text_of("application/json", b"[" * 100_000)


@given(st.text())
def test_spaces_that_were_put_in_come_out(text: str) -> None:
    squeezed = " ".join(text.split())
    assert unspaced(" ".join(words(squeezed).split())).replace(" ", "") == squeezed.replace(" ", "")


@given(st.binary(max_size=300), st.sampled_from(["", SSE, "application/json", "application/x-www-form-urlencoded"]))
def test_any_bytes_have_some_words_or_none(body: bytes, media: str) -> None:
    assert isinstance(text_of(media, body), str)
