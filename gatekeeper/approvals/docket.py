"""All approvals that are not long over, found by id and by the digest of their call."""

from collections.abc import Iterator
from typing import Final

from gatekeeper.approvals.case import Case
from gatekeeper.approvals.lifecycle import ApprovalId, Asked
from gatekeeper.exchange import Digest, Instant

KEPT: Final = 24 * 3600 * 1_000_000
"""µs for which an approval that is over can still be shown; the journal keeps it for good."""

PREFIX: Final = "apr-"


class Docket:
    """Cases in the order they were opened. One is found by its call at once, by its id only when it is stored."""

    def __init__(self) -> None:
        self._by_digest: dict[Digest, Case] = {}
        self._by_id: dict[ApprovalId, Case] = {}

    def __iter__(self) -> Iterator[Case]:
        return iter(self._by_id.values())

    def enter(self, case: Case) -> None:
        """Let calls find it; it takes the place of an earlier one for the same digest."""
        self._by_digest[case.approval.asked.digest] = case

    def publish(self, case: Case) -> None:
        """Let reviewers find it."""
        self._by_id[case.approval.id] = case

    def joined_by(self, asked: Asked, timeout: int, now: Instant) -> Case | None:
        """Find the case that a call belongs to."""
        case = self._by_digest.get(asked.digest)
        return case if case is not None and case.approval.joined_by(asked, timeout, now) else None

    def get(self, approval: str) -> Case | None:
        """Find a case by its whole id."""
        return self._by_id.get(ApprovalId(approval))

    def find(self, name: str) -> Case:
        """Find a case by the unique beginning of its id, with or without `apr-`; LookupError with a text for people."""
        beginning = PREFIX + name.removeprefix(PREFIX)
        found = [case for key, case in self._by_id.items() if key.startswith(beginning)]
        if not found or beginning == PREFIX:
            msg = f"there is no approval {name!r}: `gatekeeper approvals list` shows them"
            raise LookupError(msg)
        if len(found) > 1:
            msg = f"{len(found)} approvals begin with {name!r}: give more of the id"
            raise LookupError(msg)
        return found[0]

    def remove_old(self, now: Instant) -> list[ApprovalId]:
        """Take out what has been over for long, and say what that was."""
        old = [
            case for case in self if case.approval.expires + KEPT < now and not case.waiters and not case.lock.locked()
        ]
        for case in old:
            self.remove(case)
        return [case.approval.id for case in old]

    def remove(self, case: Case) -> None:
        """Let nobody find it any more."""
        del self._by_id[case.approval.id]
        if self._by_digest.get(case.approval.asked.digest) is case:
            del self._by_digest[case.approval.asked.digest]
