"""How many connections each subject has open, so that one workload can't take them all. Pure."""

from collections import defaultdict
from typing import Final


class Quota:
    """Counts holders by subject; whoever holds a place gives it back once, by leaving."""

    def __init__(self) -> None:
        self._holders: Final[defaultdict[tuple[str, str], set[str]]] = defaultdict(set)
        self._subjects: Final[dict[str, tuple[str, str]]] = {}

    def take(self, iss: str, sub: str, holder: str, limit: int) -> bool:
        """Take a place for `holder`, a connection's id; False where the subject has no place left.

        A holder keeps the first subject it came with: what a connection costs, it costs once.
        """
        if holder in self._subjects:
            return True
        holders = self._holders[iss, sub]
        if len(holders) >= limit:
            return False
        holders.add(holder)
        self._subjects[holder] = iss, sub
        return True

    def leave(self, holder: str) -> None:
        """Give the place of `holder` back, where it has one."""
        subject = self._subjects.pop(holder, None)
        if subject is None:
            return
        self._holders[subject].discard(holder)
        if not self._holders[subject]:
            del self._holders[subject]
