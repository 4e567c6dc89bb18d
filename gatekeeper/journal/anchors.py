"""What stands beside the log: `head`, the newest note, and `anchors.log`, a list of notes (JOURNAL.md, "Files")."""

import os
import re
from typing import Final

from gatekeeper.journal.files import JournalFiles

NOTE_LIMIT: Final = 4 << 10
"""Bytes of one of our own notes, at most; a torn write leaves less."""

TAIL: Final = 64 << 10
"""Bytes at the end of `anchors.log` in which its last note is looked for; the file grows by one a minute."""

_ANCHOR: Final = re.compile(
    rb"(?P<note>[^\n]+\n[0-9]+\n[A-Za-z0-9+/]{43}=\n\n(?:\xe2\x80\x94 [^\n]+\n)+)\n"  # — is E2 80 94
)


def split_anchors(data: bytes) -> tuple[list[str], bool]:
    """Take a list of notes apart: the notes, and whether the last write was torn.

    Raises ValueError for what is no such list.
    """
    notes: list[str] = []
    end = 0
    while (match := _ANCHOR.match(data, end)) is not None:
        notes.append(match["note"].decode())
        end = match.end()
    if len(data) - end > NOTE_LIMIT or _ANCHOR.search(data, end):
        msg = f"is no list of notes, each followed by one empty line, from byte {end} on"
        raise ValueError(msg)
    return notes, end < len(data)


def read_head(files: JournalFiles) -> str | None:
    """Read `head`; None where it is missing, or where a crash has left it empty. ValueError where it is no text."""
    try:
        return files.head.read_bytes()[: NOTE_LIMIT + 1].decode() or None
    except FileNotFoundError:
        return None


def last_anchor(files: JournalFiles) -> str | None:
    """Give the last whole note of `anchors.log`, and cut off what a crash has torn: a new one would be glued to it.

    Raises ValueError where it is no list of notes, OSError where it can't be read.
    """
    try:
        descriptor = os.open(files.anchors, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - TAIL))
        tail = file.read()
        whole = [*_ANCHOR.finditer(tail)]
        end = whole[-1].end() if whole else 0
        if len(tail) - end > NOTE_LIMIT:
            msg = "is no list of notes, each followed by one empty line"
            raise ValueError(msg)
        if end < len(tail):
            file.truncate(start + end)
    return whole[-1]["note"].decode() if whole else None
