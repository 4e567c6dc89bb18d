"""Recorded bodies on a terminal."""

import pytest

from gatekeeper.cli.shown import HEAD, body_lines
from gatekeeper.journal import Recorded


def content(data: bytes, media: str = "text/plain") -> Recorded:
    return Recorded(media, data, None)


def test_no_body_has_no_lines() -> None:
    assert body_lines(content(b""), "full", "") == []
    assert body_lines(content(b"x"), "none", "") == []


def test_a_head_is_cut_and_says_how_much_more_there_is() -> None:
    lines = body_lines(content(b"\n".join(b"%d" % number for number in range(HEAD + 3))), "head", "  ")
    assert lines == [*(f"  {number}" for number in range(HEAD)), "  … 3 more lines"]


def test_a_head_is_cut_to_the_terminals_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    (line,) = body_lines(content(b"x" * 100), "head", "  ")
    assert (len(line), line[-1]) == (20, "…")
    assert body_lines(content(b"x" * 100), "full", "  ") == ["  " + "x" * 100]


def test_what_is_no_text_is_shown_by_its_size() -> None:
    assert body_lines(content(b"\xff\xfe" * 600, "image/\x1bpng"), "full", " ") == [
        " 1.2 kB of image/‹U+001B›png, no text"
    ]


@pytest.mark.parametrize("extent", ["head", "full"])
def test_hidden_characters_are_shown(extent: str) -> None:
    (line,) = body_lines(content(b"a\x1b[31mb\rc"), extent, "")  # type: ignore[arg-type]
    assert line == "a‹U+001B›[31mb‹U+000D›c"
