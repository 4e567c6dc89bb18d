import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.exchange import canonical_json

ASCII = st.text(st.characters(max_codepoint=127))
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ASCII, inner),
    max_leaves=20,
)


def reference(value: object) -> bytes:
    """Encode as RFC 8785 asks, with another encoder: Python's own escapes the same characters the same way."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


@given(VALUES)
def test_it_agrees_with_another_encoder(value: object) -> None:
    assert canonical_json(value) == reference(value)


@pytest.mark.parametrize("code", range(0x20))
def test_control_characters_are_escaped_as_rfc_8785_says(code: int) -> None:
    short = {8: r"\b", 9: r"\t", 10: r"\n", 12: r"\f", 13: r"\r"}
    assert canonical_json(chr(code)) == f'"{short.get(code, f"\\u{code:04x}")}"'.encode()


def test_nothing_else_is_escaped() -> None:
    assert canonical_json('/\x7f\u2028é😀"\\') == '"/\x7f\u2028é😀\\"\\\\"'.encode()


class Pair(msgspec.Struct):
    zebra: int
    apple: str | msgspec.UnsetType = msgspec.UNSET


def test_structs_are_sorted_and_leave_out_what_is_unset() -> None:
    assert canonical_json(Pair(1, "x")) == b'{"apple":"x","zebra":1}'
    assert canonical_json(Pair(1)) == b'{"zebra":1}'


def test_a_lone_surrogate_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="lone surrogate"):
        canonical_json({"a": ["\ud800"]})
