"""Times and sizes as people read them: UTC, and no more digits than tell something."""

import datetime as dt
import re
from typing import Final

MICROSECONDS: Final = 1_000_000
MINUTE: Final = 60
HOUR: Final = 3600
_AGO: Final = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhd])")
_UNITS: Final = {"s": 1, "m": MINUTE, "h": HOUR, "d": 24 * HOUR}


def show_instant(instant: int) -> str:
    """Show µs since 1970 as UTC, to the millisecond; floor, so that a later time never shows earlier."""
    moment = show_moment(instant)
    return f"{moment.removesuffix('Z')}.{instant // 1000 % 1000:03}Z" if moment.endswith("Z") else moment


def show_moment(instant: int) -> str:
    """Show µs since 1970 as UTC, to the second; as a number where it is beyond the calendar."""
    try:
        return f"{dt.datetime.fromtimestamp(instant // MICROSECONDS, dt.UTC):%Y-%m-%d %H:%M:%S}Z"
    except (OverflowError, ValueError, OSError):
        return f"{instant}µs"


def parse_instant(text: str, now: int) -> int:
    """Read a moment as people write it, in µs since 1970; raises ValueError.

    `2026-11-25`, RFC 3339 (UTC where no zone is named), `now`, or how long ago: `90s`, `30m`, `2h`, `7d`.
    """
    if text == "now":
        return now
    if ago := _AGO.fullmatch(text):
        return now - int(ago["number"]) * _UNITS[ago["unit"]] * MICROSECONDS
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r}: expected a moment such as 2026-11-25, 2026-11-25T14:30Z, 2h (ago) or now"
        raise ValueError(msg) from error
    moment = moment.replace(tzinfo=moment.tzinfo or dt.UTC)
    return int(moment.replace(microsecond=0).timestamp()) * MICROSECONDS + moment.microsecond


def show_offset(offset: int) -> str:
    """Show µs since a session began: `+0.012s`, `+3:05.100`, `+2:00:01.000`."""
    seconds, rest = divmod(abs(offset), MICROSECONDS)
    sign = "-" if offset < 0 else "+"
    millis = f"{rest // 1000:03}"
    if seconds < MINUTE:
        return f"{sign}{seconds}.{millis}s"
    if seconds < HOUR:
        return f"{sign}{seconds // MINUTE}:{seconds % MINUTE:02}.{millis}"
    return f"{sign}{seconds // HOUR}:{seconds % HOUR // MINUTE:02}:{seconds % MINUTE:02}.{millis}"


def show_size(size: int) -> str:
    """Show a number of bytes: `512 B`, `1.5 kB`, `3.2 MB`."""
    if size < 1000:  # noqa: PLR2004 - SI
        return f"{size} B"
    if size < MICROSECONDS:
        return f"{size / 1000:.1f} kB"
    return f"{size / MICROSECONDS:.1f} MB"
