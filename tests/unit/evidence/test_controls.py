"""The control mapping, and what is said of a control."""

from gatekeeper.evidence.controls import Coverage, assess, load_controls
from gatekeeper.evidence.exceptions import Kind
from gatekeeper.evidence.page import MEANINGS
from gatekeeper.evidence.sheets import COLUMNS

ISSUE = (
    "5.3 5.15 5.16 5.17 5.18 5.19 5.20 5.21 5.22 5.23 5.28 5.33 5.34 8.2 8.3 8.5 8.9 8.10 8.11 8.12 8.13 8.15 8.16 "
    "8.17 8.20 8.21 8.22 8.23 8.24 8.32 8.34"
)


def test_every_control_that_was_asked_for_is_mapped_once() -> None:
    assert [control.id for control in load_controls()] == [f"A.{number}" for number in ISSUE.split()]


def test_the_old_numbers_are_not_mixed_up() -> None:
    old = {control.id: control.iso_2013 for control in load_controls()}
    assert old["A.8.13"] == ("A.12.3.1",)
    assert old["A.8.15"] == ("A.12.4.1", "A.12.4.2", "A.12.4.3")
    assert old["A.8.17"] == ("A.12.4.4",)


def test_the_mapping_names_only_what_there_is() -> None:
    kinds = {kind.value for kind in Kind}
    for control in load_controls():
        assert set(control.exceptions) <= kinds
        for file in control.files:
            assert not file.startswith("csv/") or file.removeprefix("csv/").removesuffix(".csv") in COLUMNS
    assert set(MEANINGS) == set(Kind)


def test_nothing_is_ever_called_compliant() -> None:
    present = {section for control in load_controls() for section in control.shows}
    for exceptions in ({}, {"crash": 1, "rescan": 3}):
        for one in assess(load_controls(), present, exceptions):
            assert "complian" not in one.words
            assert one.words in {"evidence provided", "not covered"} or one.words.endswith(("exception", "exceptions"))


def test_without_its_sections_or_with_none_a_control_is_not_covered() -> None:
    said = {one.control.id: one.coverage for one in assess(load_controls(), {"population"}, {})}
    assert said["A.8.13"] is Coverage.NOT_COVERED
    assert said["A.5.20"] is Coverage.NOT_COVERED
    assert said["A.5.28"] is Coverage.PROVIDED
