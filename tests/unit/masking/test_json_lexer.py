import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.masking.json_lexer import JsonLexer

VALUE = "4111111111111111"


def written(before: str, value: str = VALUE, following: str = "}", instead: str = '<"X">') -> str:
    lexer = JsonLexer()
    lexer.feed(before)
    return lexer.writer(value, following)(instead)


@pytest.mark.parametrize(
    ("before", "result"),
    [
        ('{"n": ', r'"<\"X\">"'),
        ('{"n": "', r"<\"X\">"),
        ('{"n": "a", "m": [1,', r'"<\"X\">"'),
        ('{"n": "{\\"m\\": ', json.dumps(r'"<\"X\">"')[1:-1]),
        ('{"n": "{\\"m\\": \\"', json.dumps(r"<\"X\">")[1:-1]),
        ('{"n": "{\\"m\\": \\"a\\"}", "o": ', r'"<\"X\">"'),
        ('{"n": "{\\"m\\": \\"a", "o": ', r'"<\"X\">"'),
        ('{"n": "a: ', r"<\"X\">"),
        ('{"n": "say \\"a\\": ', r"<\"X\">"),
        ('{"n": "\\"', r"<\"X\">"),
        ('{"n": "", "m": ', r'"<\"X\">"'),
        ('{"n": " ", "m": ', r'"<\"X\">"'),
        ("[note] ", '<"X">'),
        ('"a" ', '<"X">'),
        ("plain: ", '<"X">'),
        (' "{:', '<"X">'),
        ("", '<"X">'),
        ('{"n": -', "0"),
    ],
)
def test_a_replacement_is_written_as_its_place_asks(before: str, result: str) -> None:
    assert written(before) == result


def test_the_part_of_a_number_becomes_a_number() -> None:
    assert written('{"n": ', following=".") == "0"
    assert written("plain: ", following=".") == '<"X">'


def test_what_is_no_number_gets_no_quotes() -> None:
    assert written("{name: ", "a@b.co") == '<"X">'


@given(st.text(alphabet='{["\\ a:,1', max_size=40), st.integers(0, 40))
def test_following_in_pieces_is_following(text: str, cut: int) -> None:
    while cut and cut <= len(text) and text[cut - 1] == "\\":
        cut -= 1
    whole, pieces = JsonLexer(), JsonLexer()
    whole.feed(text)
    pieces.feed(text[:cut])
    pieces.feed(text[cut:])

    assert whole.writer(VALUE, "")('"') == pieces.writer(VALUE, "")('"')
