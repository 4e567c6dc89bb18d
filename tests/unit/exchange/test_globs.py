import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.exchange.globs import Glob


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("/v1/refunds", "/v1/refunds", True),
        ("/v1/refunds", "/v1/refunds/", False),
        ("/v1/refunds", "/V1/refunds", False),
        ("/v1/refunds*", "/v1/refunds", True),
        ("/v1/refunds*", "/v1/refunds/7/items", True),
        ("/v1/*/items", "/v1/7/8/items", True),
        ("/v1/*/items", "/v1/items", False),
        ("*", "", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-c-b", False),
        ("/a?c", "/abc", False),
        ("/[a]", "/a", False),
        ("/a.c", "/abc", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_is_special(pattern: str, text: str, matches: bool) -> None:  # noqa: FBT001 - an expected value
    assert Glob.of(pattern).matches(text) is matches


@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_it_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    expression = re.escape(pattern).replace(r"\*", ".*")
    assert Glob.of(pattern).matches(text) == bool(re.fullmatch(expression, text, re.DOTALL))
