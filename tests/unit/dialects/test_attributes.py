import msgspec
import pytest

from gatekeeper.dialects.attributes import LARGEST_INTEGER, count, number, numbers, position, short


@pytest.mark.parametrize(
    ("json", "value"),
    [
        (b"100", 100),
        (b"-5", -5),
        (b"0", 0),
        (b"0.70", "0.70"),
        (b"1e3", "1e3"),
        (b"-0.5E-7", "-0.5E-7"),
        (b"999999999999999", 999999999999999),
        (b"9007199254740992", "9007199254740992"),
        (b"9" * 400, "9" * 256),
        (b'"7"', None),
        (b"null", None),
        (b"true", None),
        (b"[1]", None),
        (b"", None),
    ],
)
def test_numbers_are_integers_or_lexemes_never_floats(json: bytes, value: int | str | None) -> None:
    assert number(msgspec.Raw(json)) == value
    assert not isinstance(number(msgspec.Raw(json)), float)


def test_the_fields_that_hold_numbers_are_read_and_the_later_name_wins() -> None:
    class Body(msgspec.Struct):
        a: msgspec.Raw
        b: msgspec.Raw
        c: msgspec.Raw

    body = Body(msgspec.Raw(b"1"), msgspec.Raw(b"2"), msgspec.Raw(b"null"))
    assert numbers(body, (("a", "x"), ("b", "x"), ("c", "y"))) == {"x": 2}


@pytest.mark.parametrize(("value", "text"), [("gpt", "gpt"), ("x" * 300, "x" * 256), (None, ""), (5, ""), (["a"], "")])
def test_texts_are_cut(value: object, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("value", "tokens"),
    [(0, 0), (7, 7), (LARGEST_INTEGER, LARGEST_INTEGER), (LARGEST_INTEGER + 1, None), (-1, None), (True, None),
     (1.5, None), ("7", None), (None, None)],
)  # fmt: skip
def test_counts_are_whole_and_not_negative(value: object, tokens: int | None) -> None:
    assert count(value) == tokens


@pytest.mark.parametrize(("value", "index"), [(3, 3), (2.0, 2), (None, 0), ("2", 0), ([], 0)])
def test_what_is_no_index_counts_as_the_first(value: object, index: int) -> None:
    assert position(value) == index
