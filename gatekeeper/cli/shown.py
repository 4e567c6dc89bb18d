"""Recorded bodies on a terminal: what is text is shown line by line, the rest by its size."""

import shutil
from typing import Final, Literal

from gatekeeper.cli.times import show_size
from gatekeeper.cli.visible import visible, visible_body
from gatekeeper.journal import Entry, Recorded
from gatekeeper.journal.entries import Body

type Extent = Literal["none", "head", "full"]

HEAD: Final = 6
"""Lines of a body that its head has."""


def body_of(entry: Entry) -> Body | None:
    """Give what an entry's leaf says of its body."""
    body: Body | None = getattr(entry.data, "body", None)
    return body


def body_lines(content: Recorded, extent: Extent, indent: str) -> list[str]:
    """Give the lines of a body; its head is cut to the terminal's width."""
    if extent == "none" or not content.data:
        return []
    try:
        text = content.data.decode()
    except UnicodeDecodeError:
        return [f"{indent}{show_size(len(content.data))} of {visible(content.media)}, no text"]
    lines = [f"{indent}{line}" for line in visible_body(text.rstrip("\n"))]
    if extent == "full":
        return lines
    width = max(shutil.get_terminal_size().columns, 2 * len(indent) + 2)
    head = [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines[:HEAD]]
    more = len(lines) - len(head)
    return [*head, f"{indent}… {more} more lines"] if more else head


def missing_line(body: Body, *, damaged: bool) -> str:
    """Say why a body isn't shown."""
    why = "is damaged" if damaged else "its key is not at hand"
    return f"{show_size(body.size)} of {visible(body.media)}: {why}"
