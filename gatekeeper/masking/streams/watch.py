"""Watches strings that were not known to be pieces of a text, in streams that nobody described to us."""

from collections.abc import Iterable
from typing import Final

from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.json_source import Path
from gatekeeper.masking.scanner import LEFT, Scanner
from gatekeeper.masking.strand import find
from gatekeeper.masking.work import Work

MOST_WATCHED: Final = 1024


class Watch:
    """Refuses a value that is split over such strings: what of it was sent before is no value yet."""

    __slots__ = ("_scanner", "_tails")

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._tails: dict[Path, str] = {}

    def look(self, others: Iterable[tuple[Path, str]], work: Work) -> None:
        """Look at the strings of one event; raises UnreadableBody."""
        for path, text in others:
            tail = self._tails.get(path, "")
            if path in self._tails or len(self._tails) < MOST_WATCHED:
                self._tails[path] = (tail + text)[-LEFT:]
            for found in find(self._scanner, tail + text, work) if tail else ():
                # Digits alone are counters and times too often.
                if found.start < len(tail) < found.end and not found.value.isdecimal():
                    msg = "a value is split over strings of its events that no client is known to join"
                    raise UnreadableBody(msg)
