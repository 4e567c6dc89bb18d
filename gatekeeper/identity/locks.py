"""Who and what is locked out: the kill switch, and revocation. Pure.

A lock names a subject, a workflow, a token, a key or everybody. It holds for every token that it fits, from the
moment it is set until it is taken off, whatever the token itself says. What is in force is what the journal says:
`lock` and `revocation` entries set, `unlock` entries take off (`replay_locks`).
"""

import enum
from collections.abc import Iterable, Iterator
from typing import Final, Self, override

import msgspec

from gatekeeper.exchange import Instant, Reason, Subject
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import is_text
from gatekeeper.journal import AdminData, AdminEvent, Scalars

VALUE_LIMIT: Final = 2048
REASON_LIMIT: Final = 500


class LockKind(enum.Enum):
    """What a lock names."""

    ALL = "all"
    WORKFLOW = "workflow"
    SUBJECT = "subject"
    TOKEN = "token"  # noqa: S105 - a kind, no secret
    KEY = "key"


REVOKES: Final = frozenset({LockKind.TOKEN, LockKind.KEY})
"""What is bad itself, where the others lock out somebody whose token is good."""


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """What is locked. `value`: a subject's `sub`, a workflow, a token's `jti` or SHA-256, a key's `kid`.

    `issuer` empty: of any. A subject is locked also where it acts for another, or another acts for it.
    """

    kind: LockKind
    value: str = ""
    issuer: str = ""

    @property
    def event(self) -> AdminEvent:
        """What the journal calls setting it."""
        return AdminEvent.REVOCATION if self.kind in REVOKES else AdminEvent.LOCK

    @override
    def __str__(self) -> str:
        of = f" of {self.issuer}" if self.issuer else ""
        return f"{self.kind.value} {self.value}{of}".rstrip()


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A lock in force: since when, by whom, and why."""

    lock: Lock
    since: Instant
    by: str
    reason: str


class Locks:
    """The locks in force."""

    def __init__(self, held: Iterable[Held] = ()) -> None:
        self._held = {one.lock: one for one in held}

    @property
    def held(self) -> tuple[Held, ...]:
        """All of them, in the order in which they were set."""
        return tuple(self._held.values())

    def set(self, held: Held) -> None:
        """Put a lock in force; where it is already, who set it first stays."""
        self._held.setdefault(held.lock, held)

    def take_off(self, lock: Lock) -> None:
        """Take a lock off; raises LookupError where it is not in force."""
        if lock not in self._held:
            msg = f"there is no lock on {lock}"
            raise LookupError(msg)
        del self._held[lock]

    def find(self, subject: Subject) -> Lock | None:
        """Give a lock that fits, or None."""
        if not self._held:
            return None
        return next((lock for lock in _fitting(subject) if lock in self._held), None)

    def check(self, subject: Subject) -> None:
        """Refuse who is locked out; raises IdentityError."""
        lock = self.find(subject)
        if lock is None:
            return
        if lock.kind in REVOKES:
            raise IdentityError(
                Reason.REVOKED, f"the token's {lock.kind.value} is revoked; get another from its issuer"
            )
        whose = {LockKind.ALL: "everybody", LockKind.WORKFLOW: "this workflow"}.get(lock.kind, "this subject")
        raise IdentityError(Reason.LOCKED, f"{whose} is locked out; ask the gateway's operator")

    @classmethod
    def replay(cls, entries: Iterable[tuple[Instant, AdminData]]) -> Self:
        """Give what is in force after all these entries, oldest first. Raises ValueError for one that can't be read."""
        locks = cls()
        for time, data in entries:
            if data.event is AdminEvent.UNLOCK:
                locks._held.pop(read_lock(data.detail), None)
            elif data.event in {AdminEvent.LOCK, AdminEvent.REVOCATION}:
                reason = str(data.detail.get("reason", ""))
                since = data.detail.get("since", time)  # where a segment says it again (`journal.admin`)
                first = Instant(since) if isinstance(since, int) else time
                locks.set(Held(lock=read_lock(data.detail), since=first, by=data.by, reason=reason))
        return locks


def lock_data(event: AdminEvent, lock: Lock, by: str, reason: str) -> AdminData:
    """Give the entry that sets a lock or takes it off."""
    detail: Scalars = {"what": lock.kind.value}
    named = {"value": lock.value, "issuer": lock.issuer, "reason": reason}
    return AdminData(event=event, by=by, detail=detail | {name: text for name, text in named.items() if text})


def read_lock(detail: Scalars) -> Lock:
    """Read the lock that an entry is about; raises ValueError."""
    return make_lock(*(str(detail.get(name, "")) for name in ("what", "value", "issuer")))


def make_lock(kind: str, value: str, issuer: str) -> Lock:
    """Read a lock; raises ValueError with what is wrong."""
    try:
        lock = Lock(kind=LockKind(kind), value=value, issuer=issuer)
    except ValueError as error:
        msg = f"{kind!r}: there are locks on {', '.join(one.value for one in LockKind)}"
        raise ValueError(msg) from error
    if lock.kind is LockKind.ALL:
        if value or issuer:
            msg = "a lock on all names nothing else"
            raise ValueError(msg)
        return lock
    if lock.kind is LockKind.WORKFLOW and issuer:
        msg = "a workflow has no issuer"
        raise ValueError(msg)
    if not is_text(value, VALUE_LIMIT) or not (issuer == "" or is_text(issuer)):
        msg = f"a lock on a {kind} names it: one line of up to {VALUE_LIMIT} printable characters"
        raise ValueError(msg)
    return lock


def _fitting(subject: Subject) -> Iterator[Lock]:
    """Give every lock that would lock this subject out."""
    yield Lock(kind=LockKind.ALL)
    if subject.workflow is not None:
        yield Lock(kind=LockKind.WORKFLOW, value=subject.workflow)
    for kind, named in (
        (LockKind.SUBJECT, ((party.iss, party.sub) for party in subject.parties)),
        (LockKind.KEY, ((key.iss, key.sub) for key in subject.keys)),
        (LockKind.TOKEN, ((subject.iss, id_) for id_ in (subject.jti, subject.token, *subject.earlier) if id_)),
    ):
        for issuer, value in named:
            yield Lock(kind=kind, value=value)
            yield Lock(kind=kind, value=value, issuer=issuer)
