"""Which sessions are due to be erased, and which are under a legal hold: as the log says, not as an index does.

A hold is an `admin` entry of the log, and so is its end: whoever drops one leaves a trace.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec

from gatekeeper.exchange import Instant, Seq, SessionId
from gatekeeper.journal.entries import AdminData, AdminEvent, RequestData, Scalars
from gatekeeper.journal.leaf import Entry, decode_leaf
from gatekeeper.journal.reader import Reader


class LegalHold(msgspec.Struct, frozen=True, kw_only=True):
    """What may not be erased: one session, all of a subject, or all that has an entry in a range. `id` is its entry."""

    id: Seq
    by: str
    time: Instant
    why: str
    session: SessionId | None = None
    subject: str | None = None
    first: int | None = None
    last: int | None = None

    @classmethod
    def read(cls, entry: Entry, data: AdminData) -> Self:
        """Read the entry that begins it; raises msgspec.ValidationError for one that names nothing."""
        return msgspec.convert({"id": entry.seq, "by": data.by, "time": entry.time, **data.detail}, cls)

    def covers(self, session: "Session") -> bool:
        """Whether a session is under it."""
        if self.session is not None:
            return self.session == session.id
        if self.subject is not None:
            return self.subject in session.subjects
        return (
            self.first is not None
            and self.last is not None
            and self.first <= session.last
            and session.first <= self.last
        )

    def detail(self) -> Scalars:
        """Give what the entry says of it."""
        named = {
            "session": self.session,
            "subject": self.subject,
            "first": self.first,
            "last": self.last,
            "why": self.why,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass(slots=True)
class Session:
    """A session: its first and last entries, when it was last heard of, and whose it is."""

    id: SessionId
    first: Seq
    last: Seq
    ended: Instant
    subjects: set[str] = field(default_factory=set)


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose period is over; `held` names the legal holds that keep it."""

    session: SessionId
    subject: str
    first: Seq
    last: Seq
    ended: Instant
    held: tuple[Seq, ...]


class Survey:
    """Goes through a log once: sessions, and the holds in force at its end."""

    def __init__(self) -> None:
        self.sessions: dict[SessionId, Session] = {}
        self.holds: dict[Seq, LegalHold] = {}

    def feed(self, entry: Entry) -> None:
        """Take the next entry."""
        if entry.session is not None:
            session = self.sessions.get(entry.session)
            if session is None:
                session = self.sessions[entry.session] = Session(entry.session, entry.seq, entry.seq, entry.time)
            session.last, session.ended = entry.seq, entry.time
            if isinstance(entry.data, RequestData):
                session.subjects.add(entry.data.subject.sub)
        elif isinstance(entry.data, AdminData):
            self._admin(entry, entry.data)

    def _admin(self, entry: Entry, data: AdminData) -> None:
        if data.event is AdminEvent.LEGAL_HOLD:
            self.holds[entry.seq] = LegalHold.read(entry, data)
        elif data.event is AdminEvent.LEGAL_HOLD_LIFTED:
            self.holds.pop(Seq(int(str(data.detail.get("hold", -1)))), None)

    def holding(self, session: SessionId) -> tuple[Seq, ...]:
        """Give the holds that a session is under; none for one that there is not."""
        found = self.sessions.get(session)
        return tuple(hold.id for hold in self.holds.values() if found is not None and hold.covers(found))

    def due(self, before: Instant, readable: Iterable[SessionId]) -> Iterator[Due]:
        """Give the sessions that were last heard of before that time and can still be read, oldest first."""
        keyed = set(readable)
        for session in self.sessions.values():
            if session.ended < before and session.id in keyed:
                yield Due(
                    session=session.id,
                    subject=", ".join(sorted(session.subjects)),
                    first=session.first,
                    last=session.last,
                    ended=session.ended,
                    held=self.holding(session.id),
                )


def survey(entries: Iterable[Entry]) -> Survey:
    """Go through the entries of a log."""
    made = Survey()
    for entry in entries:
        made.feed(entry)
    return made


class UnderHold(ValueError):
    """A session that legal holds keep. The text names them."""

    def __init__(self, holds: Collection[Seq]) -> None:
        named = ", ".join(map(str, holds))
        super().__init__(
            f"the session is under a legal hold (entry {named}); `gatekeeper journal legal-hold` lists them"
        )


class HoldsUnseen(RuntimeError):
    """Segments were moved away, and with them the holds that may stand in them: nothing can be erased."""

    def __init__(self, start: Seq) -> None:
        super().__init__(
            f"the entries before {start} were moved away, and legal holds in them can't be seen: put a copy of their"
            " segments back first"
        )


def holds_of(reader: Reader) -> dict[Seq, LegalHold]:
    """Give the holds in force, by the entries that began them; raises HoldsUnseen."""
    if reader.start:
        raise HoldsUnseen(reader.start)
    found = Survey()
    for leaf in reader.log.of_kind(AdminData.kind, reader.start):
        found.feed(decode_leaf(leaf))
    return found.holds


def held_among(folder: Path, sessions: Collection[SessionId]) -> dict[SessionId, tuple[Seq, ...]]:
    """Give those of the sessions that are under holds; goes through the log only where there are some.

    Raises HoldsUnseen.
    """
    with Reader(folder, None) as reader:
        if not holds_of(reader):
            return {}
        found = survey(reader.entries(reader.start, reader.size))
    return {session: holds for session in sessions if (holds := found.holding(session))}
