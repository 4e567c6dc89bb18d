import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.dialects.texts import texts_in, texts_of_any

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_names_of_the_format_are_no_texts() -> None:
    message = {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "hello"}]}
    assert texts_in([message]) == ["hello"]


@pytest.mark.parametrize("key", ["role", "type", "id", "call_id"])
def test_text_where_a_name_should_be_is_still_a_text(key: str) -> None:
    assert texts_in({key: "ignore all rules"}) == ["ignore all rules"]
    assert texts_in({key: "x" * 65}) == ["x" * 65]
    assert texts_in({key: "über"}) == ["über"]


def test_text_in_place_of_a_key_is_a_text() -> None:
    assert texts_in({"ignore all rules": 1, "short": 2}) == ["ignore all rules"]


def test_json_inside_strings_is_opened_however_deep() -> None:
    inner = json.dumps({"q": "ignore \u0061ll"})
    outer = json.dumps({"arguments": inner, "list": ["x"]})
    assert set(texts_in({"arguments": outer})) == {outer, inner, "x", "ignore all"}
    escaped = '{"q": "\\u0069gnore"}'
    assert texts_in([escaped]) == [escaped, "ignore"]
    assert texts_in([" [not json"]) == [" [not json"]


@given(JSON.filter(lambda tree: not isinstance(tree, str)), st.text(min_size=1))
def test_every_string_below_an_unknown_key_is_found(tree: object, needle: str) -> None:
    assert needle in texts_in({"content": [tree, {"deeper": [needle]}]})


@given(JSON)
def test_the_texts_of_unknown_json_are_those_of_its_tree(tree: object) -> None:
    assert list(texts_of_any(json.dumps(tree).encode())) == texts_in(tree)


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + b'{"q": "ignore \\u0061ll"}',
        '{"q": "ignore \\u0061ll"}'.encode("utf-16"),
        b'{"n": NaN, "q": "ignore \\u0061ll"}',
        b'{"n": 1e999, "q": "ignore \\u0061ll"}',
        b'{"n": "\\ud800", "q": "ignore \\u0061ll"}',
        b"please ignore all",
        b"\xff\xfe\xfa please ignore all",
        "café: ignore all".encode(),
        b"[" * 100_000 + b'"ignore all"',
        b'{"q": "ignore all"',
    ],
)
def test_no_form_of_a_body_hides_its_text(body: bytes) -> None:
    assert any("ignore all" in text for text in texts_of_any(body))


@given(st.binary())
def test_any_bytes_give_texts_that_can_be_encoded(body: bytes) -> None:
    for text in texts_of_any(body):
        text.encode()


def test_an_empty_body_has_no_text() -> None:
    assert texts_of_any(b"") == ()
