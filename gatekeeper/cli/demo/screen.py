"""What the demo shows: numbered steps, the commands that it runs, and what they print."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.text import Text

WIDTH: Final = 80
INDENT: Final = "   "
_HEAD: Final = re.compile(r" *(?:[^ ]+(?: [^ ]+)?  +)?")


class Screen:
    """Writes lines of at most 80 columns; in colour on a terminal, plain when piped."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=False)
        self._steps = 0

    def title(self, text: str) -> None:
        """Say what this is."""
        self.console.print(text, width=WIDTH)

    def step(self, text: str) -> None:
        """Begin the next step."""
        self._steps += 1
        self.console.print(f"\n[bold cyan]{self._steps}[/]  [bold]{escape(text)}[/]", width=WIDTH)

    def note(self, text: str) -> None:
        """Say something about what is seen."""
        self._lines(text, "")

    def good(self, text: str) -> None:
        """Say that something came out as it should."""
        self._lines(text, "green")

    def command(self, *words: str) -> None:
        """Show a command as a person would type it, in several lines where it is long."""
        *folded, last = _folded("$ " + " ".join(words), WIDTH - len(INDENT) - 2, "    ")
        for line in (*(f"{line} \\" for line in folded), last):
            self.console.print(Text(INDENT + line, "yellow"), soft_wrap=True)

    def output(self, text: str, most: int = 12) -> None:
        """Show what a program printed, cut to `most` lines; long ones are folded below their values."""
        lines = [
            folded.rstrip()
            for line in text.strip("\n").splitlines()
            for folded in _folded(line, WIDTH - len(INDENT) - 2, " " * _value_column(line))
        ]
        shown = lines if len(lines) <= most else [*lines[: most - 1], f"… {len(lines) - most + 1} more lines"]
        for line in shown:
            self._bar(line)

    def stream(self, line: str) -> None:
        """Show one line of a program that runs beside the demo, whole."""
        for shown in _folded(line, WIDTH - len(INDENT) - 2, " " * 7):
            self._bar(shown)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show on a terminal that something is under way."""
        with self.console.status(f"[dim]{escape(text)}[/]"):
            yield

    def _bar(self, line: str) -> None:
        shown = Text.assemble(INDENT, ("│ ", "dim"), Text.from_ansi(line))
        shown.truncate(WIDTH, overflow="ellipsis")
        self.console.print(shown, no_wrap=True, crop=False, soft_wrap=True)

    def _lines(self, text: str, style: str) -> None:
        for line in _folded(text, WIDTH - len(INDENT)):
            self.console.print(Text(INDENT + line, style), soft_wrap=True)


def _value_column(line: str) -> int:
    """Where a line's text begins: behind `name  ` where it has such a head, else behind its indentation."""
    head = _HEAD.match(line)
    return min(head.end(), WIDTH // 2) if head else 0


def _folded(text: str, width: int, hanging: str = "") -> list[str]:
    """Break a text at its spaces into lines of at most `width`; a word that is longer stays where it is."""
    first, *words = text.split(" ")
    lines = [first]
    for word in words:
        joined = f"{lines[-1]} {word}"
        if len(joined) > width >= len(hanging + word):
            lines.append(hanging + word)
        else:
            lines[-1] = joined
    return lines
