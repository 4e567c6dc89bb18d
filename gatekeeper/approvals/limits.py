"""Limits before the queue: who asks too often, or has too much waiting already, is told so and asks nobody. Pure."""

from collections import deque
from typing import Final

from gatekeeper.exchange import Instant

MINUTE: Final = 60 * 1_000_000


class Limits:
    """Counts the approvals that each subject has opened in the last minute."""

    def __init__(self, pending: int, per_minute: int) -> None:
        self._pending = pending
        self._per_minute = per_minute
        self._opened: dict[tuple[str, str], deque[Instant]] = {}

    def refusal(self, subject: tuple[str, str], pending: int, now: Instant) -> str | None:
        """Say why this subject, of whom `pending` approvals wait, may not ask now; None where it may."""
        if pending >= self._pending:
            return f"{pending} calls of this workload wait for reviewers already (approvals.max_pending)"
        opened = self._opened.get(subject, deque())
        while opened and opened[0] <= now - MINUTE:
            opened.popleft()
        if len(opened) >= self._per_minute:
            return f"this workload asked {len(opened)} times within a minute (approvals.max_per_minute)"
        if not opened:
            self._opened.pop(subject, None)
        return None

    def opened(self, subject: tuple[str, str], now: Instant) -> None:
        """Count an approval that is opened."""
        self._opened.setdefault(subject, deque()).append(now)
