"""When two requests are the same call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.replay.likeness import likeness, steady

URL = "https://api.example.com/v1/chat"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":"x"}', b'{ "b": "x", "a": 1 }'),
        (b'{"now":"2026-11-25T10:00:00Z"}', b'{"now":"2027-01-01T00:00:00.5+01:00"}'),
        (b'{"day":"It is 2026-11-25."}', b'{"day":"It is 2026-12-31."}'),
        (b'{"id":"6f1c2f0e-7c1b-4a53-9a2f-0d9f4b1f3c11"}', b'{"id":"00000000-7c1b-4a53-9a2f-0d9f4b1f3c11"}'),
        (b'{"tool_call_id":"call_9xQ2vT7bLmZ4"}', b'{"tool_call_id":"call_1aB3cD5eF7gH"}'),
        (b'{"run":"lc_run--0193f2ab45cd67ef89"}', b'{"run":"lc_run--0193f2ab45cd67ef00"}'),
        (b'{"at":1764061200}', b'{"at":1764061999.25}'),
        (b"at 10:11:12", b"at 23:00:01.5"),
    ],
)
def test_dates_ids_and_the_order_of_keys_do_not_matter(one: bytes, other: bytes) -> None:
    assert likeness("POST", URL, one) == likeness("POST", URL, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"amount":250}', b'{"amount":251}'),
        (b'{"q":"refund order 4711"}', b'{"q":"refund order 4712"}'),
        (b'{"q":"a"}', b'{"q":"a","r":null}'),
        (b'{"q":1}', b'{"q":"1"}'),
        (b'{"q":true}', b'{"q":1}'),
        (b'["a","b"]', b'["b","a"]'),
        (b"plain", b"Plain"),
        (b'{"card":"<CREDIT_CARD>"}', b'{"card":"<IBAN_CODE>"}'),
        (b'{"model":"gpt-4o-mini"}', b'{"model":"gpt-4o"}'),
    ],
)
def test_all_else_does(one: bytes, other: bytes) -> None:
    assert likeness("POST", URL, one) != likeness("POST", URL, other)


def test_method_address_and_query_count_and_the_order_of_the_query_does_not() -> None:
    asked = likeness("GET", f"{URL}?a=1&b=2", b"")
    assert asked == likeness("get", f"{URL}?b=2&a=1", b"")
    assert asked != likeness("POST", f"{URL}?a=1&b=2", b"")
    assert asked != likeness("GET", f"{URL}?a=1&b=3", b"")
    assert asked != likeness("GET", f"{URL}/x?a=1&b=2", b"")


@given(st.text())
def test_marks_are_steady(text: str) -> None:
    assert steady(steady(text)) == steady(text)
