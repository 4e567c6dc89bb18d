import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.config import MaskingConfig
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker, find_spans
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.json_body import number_hits, string_strands
from gatekeeper.masking.json_leaves import json_hits, leaves_of
from gatekeeper.masking.json_source import by_name, json_leaves
from gatekeeper.masking.scanner import Work, default_scanner
from gatekeeper.masking.strand import Hit, hits

WORK = 1 << 40
VALUES = (
    "john@example.com",
    "call john@example.com, 4111 1111 1111 1111",
    "536-90-4399",
    "536904399",
    '{"ssn": 536904399, "to": ["john@example.com"]}',
    "ｊohn＠example．com \\ é",
    "\u200b+14155550132\u0000\n",
    "1980-01-02",
    "\ud83d",
    "plain",
    "ssn",
    "date of birth",
)
KEYS = (
    "name",
    "value",
    "label",
    "ssn",
    "date",
    "of birth",
    "bank",
    "account",
    "number",
    "to",
    "john@example.com",
    "a\u0000\nssn",
    "\ud83d",
)
NUMBERS = (
    4111111111111111,
    536904399,
    -536904399,
    4111111111111111.0,
    1e300,
    12345678901234567890123,
    0,
    1.5,
    100000000,
)

values = st.recursive(
    st.sampled_from(VALUES) | st.sampled_from(NUMBERS) | st.none() | st.booleans() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def one_by_one(text: str) -> tuple[Hit, ...]:
    scanner, leaves = default_scanner(), by_name(text, list(json_leaves(text)))
    return (
        *hits(scanner, string_strands(text, leaves), Work(WORK)),
        *number_hits(scanner, text, leaves, Work(WORK)),
    )


def told(found: tuple[Hit, ...] | None) -> list[tuple[object, ...]] | None:
    return None if found is None else [(hit.entity, hit.value, hit.segments, hit.written("<X>")) for hit in found]


@pytest.mark.parametrize(
    "pair", ['"name": "ssn", "value"', '"val": 1, "label": "SSN", "value"', '"title": "Her SSN", "answer"']
)
@pytest.mark.parametrize("value", ['"536904399"', "536904399"])
@pytest.mark.parametrize("beside", ["", ', "john@example.com": 1'])
def test_a_field_may_name_the_value_beside_it(pair: str, value: str, beside: str) -> None:
    body = f"[{{{pair}: {value}{beside}}}]"
    masked = Masker(MaskingConfig(), b"a key for tests").inspect(
        Message(status=200, headers=(("content-type", "application/json"),), body=body.encode())
    )

    assert '"<US_SSN>"' in masked.to_client().body.decode()
    assert "US_SSN" in [span.entity for span in find_spans(body)]


@pytest.mark.parametrize("pair", ['"name": "order", "value"', '"name": "ssn", "total"', '"ssn": "no", "total"'])
def test_another_field_names_nothing(pair: str) -> None:
    assert find_spans(f'{{{pair}: "536904399"}}') == []


@given(values, st.booleans(), st.sampled_from((None, 1, "\t")))
@settings(max_examples=400, deadline=None)
def test_looked_at_at_once_leaves_hold_what_they_hold_one_by_one(
    value: object,
    ascii_only: bool,  # noqa: FBT001
    indent: object,
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)  # type: ignore[arg-type]

    leaves = leaves_of(text)

    assert leaves is not None
    found = json_hits(default_scanner(), leaves, text, 0, Work(WORK))
    assert found is None or told(found) == told(one_by_one(text))
    assert found is not None or "john@example.com" in text  # in a key: it may stand there several times


def test_a_value_is_not_found_across_leaves_and_no_word_reaches_over() -> None:
    text = json.dumps(["john@", "example.com", "4111 1111", "1111 1111", "my ssn", "536904399"])
    leaves = leaves_of(text)

    assert leaves is not None
    assert json_hits(default_scanner(), leaves, text, 0, Work(WORK)) == ()


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a" : 1, "a" : 2}', '{"b": {"a": ":\\":", "a": 2}}', "{", "NaN"]
)
def test_json_that_could_be_read_in_two_ways_has_no_leaves(text: str) -> None:
    with pytest.raises(UnreadableBody):
        leaves_of(text)


def test_json_that_is_too_deep_to_be_taken_apart_has_none() -> None:
    assert leaves_of("[" * 120 + "]" * 120) is None
