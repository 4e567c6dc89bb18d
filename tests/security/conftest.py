"""How a security case is shown: it holds with every check in place, and fails once its own check is taken out.

A table of cases needs two tests:

    @each(CASES)
    def test_holds(case: Case, stage: Stage) -> None:
        case.hold(stage)

    @each(CASES)
    def test_fails_without_its_check(case: Case, stage: Stage) -> None:
        assert_needed(case.check, lambda: case.hold(stage))

`hold` raises AssertionError where the case does not hold, also for an answer that never comes.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import pytest


@dataclass(frozen=True)
class Check:
    """A check of the product, and what a test puts in its place to take it out.

    `gaps` are pairs of a place, `package.module:name` or `package.module:Class.name`, and what stands there
    instead. One place, as a rule; several where the same thing is looked at twice, in depth.
    """

    name: str
    gaps: tuple[tuple[str, object], ...]

    @classmethod
    def of(cls, place: str, instead: object, *more: tuple[str, object]) -> "Check":
        """Name a check after its place."""
        return cls(place.partition(":")[2], ((place, instead), *more))


class SecurityCase(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str: ...

    @property
    def check(self) -> Check: ...


@contextmanager
def taken_out(check: Check) -> Iterator[None]:
    """Run without one check; a place that is not there any more is an error, never a check that can't be missed."""
    with pytest.MonkeyPatch.context() as patch:
        for place, instead in check.gaps:
            module, _, path = place.partition(":")
            owner: object = importlib.import_module(module)
            *outer, last = path.split(".")
            for name in outer:
                owner = getattr(owner, name)
            patch.setattr(owner, last, instead, raising=True)
        yield


def assert_needed(check: Check, hold: Callable[[], None]) -> None:
    """Assert that what holds does so because of this check."""
    with taken_out(check):
        try:
            hold()
        except AssertionError:
            return
    pytest.fail(f"holds without {check.name} too: the case shows nothing")


def each(cases: Sequence[SecurityCase]) -> pytest.MarkDecorator:
    """Parametrise over a table, by the names of its rows."""
    names = [case.name for case in cases]
    assert len(names) == len(set(names)), "two cases have the same name"
    return pytest.mark.parametrize("case", cases, ids=names)
