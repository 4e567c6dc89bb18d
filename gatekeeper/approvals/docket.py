"""All approvals that are not long over, found by id and by the digest of their call."""

import base64
import secrets
from collections.abc import Iterator
from typing import Final

from gatekeeper.approvals.case import Case
from gatekeeper.approvals.lifecycle import ApprovalId, Asked, State, Windows
from gatekeeper.exchange import Digest, Instant

KEPT: Final = 24 * 3600 * 1_000_000
"""µs for which an approval that is over can still be shown; the journal keeps it for good."""

PREFIX: Final = "apr-"


class Docket:
    """Cases in the order they were opened. One is found by its call at once, by its id only when it is stored."""

    def __init__(self) -> None:
        self._by_digest: dict[Digest, Case] = {}
        self._by_id: dict[ApprovalId, Case] = {}
        self._by_subject: dict[tuple[str, str], dict[ApprovalId, Case]] = {}

    def __iter__(self) -> Iterator[Case]:
        return iter(self._by_id.values())

    def enter(self, case: Case) -> None:
        """Let calls find it; it takes the place of an earlier one for the same digest."""
        asked = case.approval.asked
        self._by_digest[asked.digest] = case
        self._by_subject.setdefault((asked.iss, asked.sub), {})[case.approval.id] = case

    def publish(self, case: Case) -> None:
        """Let reviewers find it."""
        self._by_id[case.approval.id] = case

    def joined_by(self, asked: Asked, timeout: int, windows: Windows, now: Instant) -> Case | None:
        """Find the case that a call belongs to; it is up to date then."""
        case = self._by_digest.get(asked.digest)
        return case if case is not None and case.approval.timed(now).joined_by(asked, timeout, windows, now) else None

    def pending_of(self, iss: str, sub: str, now: Instant) -> int:
        """Count the approvals of one subject that wait for reviewers."""
        cases = self._by_subject.get((iss, sub), {})
        return sum(case.approval.timed(now).state is State.PENDING for case in cases.values())

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
        id_, asked = case.approval.id, case.approval.asked
        del self._by_id[id_]
        if self._by_digest.get(asked.digest) is case:
            del self._by_digest[asked.digest]
        of_subject = self._by_subject[asked.iss, asked.sub]
        del of_subject[id_]
        if not of_subject:
            del self._by_subject[asked.iss, asked.sub]


def new_id() -> ApprovalId:
    """Draw an id: 50 random bits, short enough to type, unique in one journal."""
    return ApprovalId(PREFIX + base64.b32encode(secrets.token_bytes(7)).decode()[:10].lower())
