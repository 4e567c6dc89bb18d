"""How much may be done for one message: counted, not timed, so that the same message always ends the same way."""

from typing import Final

from gatekeeper.masking.faults import TooMuchWork

SHARE: Final = 4
"""One detector may take a quarter of the work for a message."""


class Work:
    """What may still be done, in units of about ten nanoseconds, all in all and by each detector."""

    __slots__ = ("_by_detector", "left", "share")

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.share = limit // SHARE
        self._by_detector: dict[str, int] = {}

    def spend(self, amount: int, detector: str = "") -> None:
        """Take off; raises TooMuchWork when nothing is left, also for what this detector alone may take."""
        self.left -= amount
        if self.left < 0:
            raise TooMuchWork
        if detector:
            spent = self._by_detector[detector] = self._by_detector.get(detector, 0) + amount
            if spent > self.share:
                raise TooMuchWork(detector)
