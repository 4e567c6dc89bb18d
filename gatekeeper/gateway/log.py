"""The log: one line each on standard error, and never a word that came through the proxy.

mitmproxy's messages may hold bytes of what it carries, so of foreign records only level, place and the
type of an exception are shown.
"""

import logging
import sys
from typing import Final, TextIO, override

OWN: Final = ("gatekeeper", "addons")

TOLD: Final = frozenset({"mitmproxy.addons.proxyserver"})
"""Why it can't listen is said by `CannotServe`, in one line."""


class Line(logging.Formatter):
    """Formats our own records whole, and foreign ones without their text."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        time = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        if record.name.partition(".")[0] in OWN:
            return f"{time} {record.levelname.lower()} {record.getMessage()}"
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "message"
        return f"{time} {record.levelname.lower()} {record.name}:{record.lineno}: {kind} (its text is withheld)"


def install_log(stream: TextIO = sys.stderr) -> None:
    """Send our records from INFO on, and others from ERROR on, to `stream`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Line())
    handler.addFilter(_worth_showing)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("mitmproxy").setLevel(logging.ERROR)  # so that the rest is not even put into words


def _worth_showing(record: logging.LogRecord) -> bool:
    if record.name in TOLD:
        return False
    own = record.name.partition(".")[0] in OWN
    return record.levelno >= (logging.INFO if own else logging.ERROR)
