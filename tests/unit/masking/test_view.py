import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.masking.view import (
    View,
    fold,
    folded,
    form_encoded,
    json_meaning,
    json_string,
    json_text,
    percent_encoded,
    unfinished_escape,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("plain", "plain"),
        ("é", "é"),
        ("４１", "41"),
        ("٤١", "41"),
        ("𝟒𝟏", "41"),
        ("a\u200bb\u00adc\ufeffd\u2060e\u202ef\ufe0f", "abcdef"),
        ("ﬁ", "fi"),
        ("＠．＋", "@.+"),
        ("1\u00a02\u20093\u30004", "1 2 3 4"),
        ("1‐2‑3–4—5−6", "1-2-3-4-5-6"),
        ("e\u0301", "e\u0301"),
    ],
)
def test_a_text_is_looked_at_in_one_form(text: str, folded: str) -> None:
    assert fold(text).text == folded


@given(st.text(), st.text())
def test_folding_does_not_depend_on_what_stands_beside(one: str, other: str) -> None:
    assert fold(one).text + fold(other).text == fold(one + other).text


@given(st.text())
def test_each_character_knows_where_it_came_from(text: str) -> None:
    view = fold(text)
    for n, char in enumerate(view.text):
        start, end = view.source(n, n + 1)
        assert end - start == 1
        assert char in fold(text[start:end]).text


@given(st.text())
def test_a_json_string_is_seen_as_what_it_means(text: str) -> None:
    for literal in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        view = json_string(literal)

        assert view.text == text
        rebuilt = "".join(literal[slice(*view.source(n, n + 1))] for n in range(len(text)))
        assert rebuilt == literal


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (r"a\u0040b", "a@b"),
        (r"a\\\\u0040b", "a@b"),
        (r"\"a\"", '"a"'),
        (r"\\\"a\\\nb", '"a\nb'),
        (r"\ud835\udfd2", "𝟒"),
        (r"\\ud835\\udfd2", "𝟒"),
        (r"\q", r"\q"),
        ("none", "none"),
        (r"\/", "/"),
    ],
)
def test_escapes_in_a_string_are_seen_as_what_they_mean_however_deep(text: str, seen: str) -> None:
    assert json_text(text).text == seen


@given(st.text(alphabet='\\u0d8ab"nx', max_size=30))
def test_an_escape_that_is_cut_is_known(text: str) -> None:
    for cut in range(len(text)):
        whole = json_text(text).text
        safe = unfinished_escape(text[:cut])

        assert whole.startswith(json_text(text[:safe]).text)


@pytest.mark.parametrize(
    ("text", "path", "form"),
    [
        ("a%40b", "a@b", "a@b"),
        ("a+b", "a+b", "a b"),
        ("%C3%BC", "ü", "ü"),
        ("%FF", "\ufffd", "\ufffd"),
        ("100%", "100%", "100%"),
        ("%zz", "%zz", "%zz"),
        ("plain", "plain", "plain"),
    ],
)
def test_urls_and_forms_are_seen_as_what_they_mean(text: str, path: str, form: str) -> None:
    assert percent_encoded(text).text == path
    assert form_encoded(text).text == form


@given(st.text(alphabet="a４\u200bﬁ\\u0041n"))
def test_a_view_of_a_view_leads_to_the_source(text: str) -> None:
    unescaped = json_text(text)
    both = unescaped.then(fold(unescaped.text))

    assert both.text == fold(unescaped.text).text
    for n, char in enumerate(both.text):
        start, end = both.source(n, n + 1)
        assert char in fold(json_text(text[start:end]).text).text


def test_a_view_without_a_map_stands_for_itself() -> None:
    assert View("abc").source(1, 2) == (1, 2)
    assert View("abc").then(View("abc")) == View("abc")


def test_every_decimal_digit_is_looked_at_as_ascii() -> None:
    unstable = [
        char
        for char in map(chr, range(0x10000))
        if unicodedata.category(char) == "Nd" and not fold(char).text.isascii()
    ]
    assert unstable == []


@given(st.text() | st.text(alphabet="a1é…’–︱﹘ﬁ\u200b４\ufe31\u2014中", max_size=40))
def test_the_folded_text_alone_is_that_of_the_view(text: str) -> None:
    assert folded(text) == fold(text).text
    assert folded(folded(text)) == folded(text)


@given(st.text(alphabet='a1"\\/bnu04dD8ceF é', max_size=40))
def test_the_meaning_of_escapes_alone_is_that_of_the_view(text: str) -> None:
    assert json_meaning(text) == json_text(text).text
