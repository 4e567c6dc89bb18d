"""The mechanism of conftest.py: a check that is taken out is missed, and comes back."""

import pytest
from security.conftest import Check, assert_needed, taken_out

from gatekeeper.egress import names

CHECK = Check.of("gatekeeper.egress.names:HOST_LIMIT", 1000)


def test_a_check_is_out_for_a_while_only() -> None:
    before = names.HOST_LIMIT
    with taken_out(CHECK):
        assert names.HOST_LIMIT == 1000
    assert before == names.HOST_LIMIT


def test_a_place_that_is_gone_is_an_error() -> None:
    with pytest.raises(AttributeError), taken_out(Check.of("gatekeeper.egress.names:NOT_THERE", None)):
        pass


def test_a_case_that_holds_anyway_shows_nothing() -> None:
    with pytest.raises(pytest.fail.Exception):
        assert_needed(CHECK, lambda: None)


def test_a_case_that_fails_without_its_check_shows_it() -> None:
    def hold() -> None:
        assert names.HOST_LIMIT == 253

    hold()
    assert_needed(CHECK, hold)
