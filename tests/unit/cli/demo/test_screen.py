import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gatekeeper.cli.demo.screen import WIDTH, Screen


def _shown(width: int = 200) -> tuple[Screen, io.StringIO]:
    written = io.StringIO()
    return Screen(Console(file=written, highlight=False, width=width)), written


def test_steps_are_numbered() -> None:
    screen, written = _shown()
    screen.step("first")
    screen.step("second")
    assert written.getvalue().splitlines() == ["", "1  first", "", "2  second"]


def test_output_is_cut_and_says_so() -> None:
    screen, written = _shown()
    screen.output("\n".join("abcdefgh"), most=4)
    assert written.getvalue().splitlines() == ["   │ a", "   │ b", "   │ c", "   │ … 5 more lines"]


def test_output_that_fits_is_whole() -> None:
    screen, written = _shown()
    screen.output("a\nb\n", most=2)
    assert written.getvalue().splitlines() == ["   │ a", "   │ b"]


@pytest.mark.parametrize("text", ["[bold]x[/]", "[/]", "[link=http://x]y"])
def test_what_programs_print_is_no_markup(text: str) -> None:
    screen, written = _shown()
    screen.output(text)
    screen.stream(text)
    screen.note(text)
    screen.step(text)
    assert written.getvalue().count(text) == 4


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"])))
def test_no_line_is_wider_than_the_screen(text: str) -> None:
    screen, written = _shown()
    screen.output(text)
    short = " ".join(word[:60] for word in text.split(" "))
    screen.stream(short)
    screen.note(short)
    assert all(len(line) <= WIDTH for line in written.getvalue().splitlines())


def test_a_line_of_a_program_is_folded_not_cut() -> None:
    screen, written = _shown()
    words = [f"word{number}" for number in range(40)]
    screen.stream(" ".join(words))
    assert written.getvalue().replace("│", "").split() == words
