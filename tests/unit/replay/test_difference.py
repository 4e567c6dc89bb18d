"""Differences, said so that a person finds the place."""

import pytest

from gatekeeper.replay.difference import body_differences, likeness_differences
from gatekeeper.replay.likeness import likeness


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        (b'{"a":{"b":[1,2]}}', b'{"a":{"b":[1,3]}}', ["body.a.b[1]: 2 where 3 was recorded"]),
        (b'{"a":1}', b'{"a":"1"}', ["body.a: 1 where '1' was recorded"]),
        (b'{"x":0}', b'{"a":1}', ["body.a: missing, 1 was recorded", "body.x: 0, and nothing was recorded"]),
        (b"[1]", b"[1,2]", ["body: 1 items, 2 were recorded"]),
        (b"one two", b"one too", ["body at character 5: 'wo' where 'oo' was recorded"]),
        (b'{"t":"2026-01-01"}', b'{"t":"2027-01-01"}', []),
        (b"same", b"same", []),
    ],
)
def test_the_place_is_named(ours: bytes, theirs: bytes, told: list[str]) -> None:
    assert body_differences(ours, theirs) == told


def test_of_a_request_all_parts_are_named_and_no_more_than_asked_for() -> None:
    asked = likeness("GET", "https://a.example/x?k=1", b'{"a":1,"b":2}')
    recorded = likeness("POST", "https://a.example/y?k=2", b'{"a":2,"b":3}')
    told = likeness_differences(asked, recorded, most=4)
    assert [one.split(":")[0] for one in told] == ["method", "address", "query.k", "body.a"]


def test_of_long_texts_the_place_where_they_differ_is_shown() -> None:
    before = b"same " * 40
    (told,) = body_differences(b'{"t":"%border A-1043"}' % before, b'{"t":"%border A-1042"}' % before)
    assert "A-1043' where" in told
    assert "A-1042' was recorded" in told
    assert len(told) < 200
