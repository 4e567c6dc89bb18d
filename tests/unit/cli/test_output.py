"""Rich on a terminal, plain when piped."""

import json

import pytest

from gatekeeper.cli.output import print_json, print_pairs, print_table

ROWS = [("1", "a [bold]long[/bold] text"), ("22", "")]


def test_a_piped_table_is_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), ROWS)
    assert capsys.readouterr().out == "A   B\n1   a [bold]long[/bold] text\n22\n"


def test_a_table_on_a_terminal_is_fitted_and_nothing_in_it_is_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "16")
    monkeypatch.setenv("TERM", "xterm")
    print_table(("A", "B"), ROWS)
    output = capsys.readouterr().out
    assert [line.rstrip() for line in output.splitlines()[1:]] == ["1   a", "    [bold]long[/", "    bold] text", "22"]
    assert "[bold]" in output


def test_an_empty_table_has_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [])
    assert capsys.readouterr().out == "A  B\n"


def test_pairs_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_pairs({"a": "1", "long": "2"})
    assert capsys.readouterr().out == "a     1\nlong  2\n"
    print_pairs({})
    assert capsys.readouterr().out == ""


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1, "ü"]})
    assert json.loads(capsys.readouterr().out) == {"a": [1, "ü"]}
