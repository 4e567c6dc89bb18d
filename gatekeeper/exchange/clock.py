"""The one owner of the clock. Everything else takes an `Instant` or a `Clock` as an argument."""

import time
from collections.abc import Callable
from typing import NewType

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01 UTC."""

type Clock = Callable[[], Instant]


def now() -> Instant:
    """Read the system clock."""
    return Instant(time.time_ns() // 1000)
