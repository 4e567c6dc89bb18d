"""Text from outside on a terminal: seen, never interpreted."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.cli.visible import visible, visible_body, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain text, ~ and all", "plain text, ~ and all"),
        ("Grüße, 日本, e\u0301", "Grüße, 日本, e\u0301"),
        ("\x1b[31mred\x1b[0m", "‹U+001B›[31mred‹U+001B›[0m"),
        ("a\rb\nc\td\x7f\x00", "a‹U+000D›b‹U+000A›c‹U+0009›d‹U+007F›‹U+0000›"),
        ("\x9b31m", "‹U+009B›31m"),
        ("\u202epj.exe", "‹U+202E›pj.exe"),
        ("\u2066x\u2069\u200f\u061c", "‹U+2066›x‹U+2069›‹U+200F›‹U+061C›"),
        ("pass\u200bword\ufeff\u2060\u00ad", "pass‹U+200B›word‹U+FEFF›‹U+2060›‹U+00AD›"),
        ("a\u00a0b\u2003c", "a‹U+00A0›b‹U+2003›c"),
        ("a\u2028b\u2029c", "a‹U+2028›b‹U+2029›c"),
        ("\U000e0041\U000e0142", "‹U+E0041›‹U+E0142›"),
        ("x\ufe0f\u3164\u034f", "x‹U+FE0F›‹U+3164›‹U+034F›"),
        ("\ud800", "‹U+D800›"),
        ("\ue000", "‹U+E000›"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters()))
def test_nothing_that_a_terminal_could_act_on_comes_through(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_only_line_feeds_end_lines() -> None:
    assert visible_lines("a\nb\r\nc\x0bd\u2028e") == ["a", "b‹U+000D›", "c‹U+000B›d‹U+2028›e"]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ('{"a":1.50,"b":[true,null],"c":{},"d":[]}', ["{", '  "a": 1.50,', '  "b": [', "    true,", "    null", "  ],",
                                                     '  "c": {},', '  "d": []', "}"]),
        ('{"to":"me","to":"mallory"}', ["{", '  "to": "me",', '  "to": "mallory"', "}"]),
        ("123456789012345678901234567890.10e400", ["123456789012345678901234567890.10e400"]),
        ('{"a":"\\u001b[31m\\u202e"}', ["{", '  "a": "\\u001b[31m‹U+202E›"', "}"]),
        ('{"a":"line\\nline"}', ["{", '  "a": "line\\nline"', "}"]),
        ("[NaN]", ["[NaN]"]),
        ("not json\x1b", ["not json‹U+001B›"]),
        ("a=1&b=2\nc", ["a=1&b=2", "c"]),
        ("", [""]),
    ],
)  # fmt: skip
def test_json_is_laid_out_without_changing_what_it_says(body: str, lines: list[str]) -> None:
    assert visible_body(body) == lines


def test_json_too_deep_to_lay_out_is_shown_as_it_is() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert visible_body(deep) == [deep]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_laid_out_json_still_says_the_same(value: object) -> None:
    shown = "\n".join(visible_body(json.dumps(value)))
    if "‹U+" not in shown:
        assert json.loads(shown) == value
