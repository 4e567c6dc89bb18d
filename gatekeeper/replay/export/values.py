"""Values that several exports write the same way."""

import base64
import datetime as dt
from typing import Final
from urllib.parse import quote

from gatekeeper.journal import Recorded

MICROSECONDS: Final = 1_000_000
_URL_SAFE: Final = "%:/?#[]@!$&'()*+,;=-._~"
"""RFC 3986 §2: what stands in a URL as it is; the marks of masking don't."""


def iso_time(instant: int) -> str:
    """Write µs since 1970 as ISO 8601, UTC; year 9999 stands for what is beyond the calendar."""
    try:
        moment = dt.datetime.fromtimestamp(instant // MICROSECONDS, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return "9999-12-31T23:59:59.999999Z"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{instant % MICROSECONDS:06}Z"


def text_of(content: Recorded) -> tuple[str, bool]:
    """Give a body as text, or as base64 where it is no UTF-8; and whether it is base64."""
    try:
        return content.data.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(content.data).decode(), True


def legal_url(url: str) -> str:
    """Write what a URL can't hold, such as `<` of a replaced value, as percent escapes."""
    return quote(url, safe=_URL_SAFE)


def milliseconds(micros: int) -> float:
    """Give µs as milliseconds."""
    return round(max(micros, 0) / 1000, 3)
