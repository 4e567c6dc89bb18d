"""Whether the journal's disk has room: below a watermark no new call begins, so that what runs can be recorded."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

WAL_LARGE: Final = 64 << 20
"""Bytes of a WAL that is not taken in: the writer's own has 2 MiB, and a very large group once."""

LOOK_AGAIN: Final = 0.5
"""Seconds between two looks; a call costs a statvfs(3) at most so often."""


def free_bytes(folder: Path) -> int:
    """Give the bytes that an ordinary user may still write where a folder stands."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def wal_bytes(database: Path) -> int:
    """Give the size of a database's write-ahead log."""
    try:
        return database.with_name(f"{database.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0


class DiskWatch:
    """Looks at the disk of one folder. What can't be looked at counts as full."""

    def __init__(
        self,
        folder: Path,
        least: int,
        look: Callable[[Path], int] = free_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._least = least
        self._look = look
        self._clock = clock
        self._looked = float("-inf")
        self._free = 0

    @property
    def free(self) -> int:
        """The bytes that were free a moment ago."""
        if self._clock() - self._looked >= LOOK_AGAIN:
            self._looked = self._clock()
            try:
                self._free = self._look(self._folder)
            except OSError:
                self._free = -1
        return self._free

    @property
    def low(self) -> bool:
        """Whether no new call may begin."""
        return self.free < self._least
