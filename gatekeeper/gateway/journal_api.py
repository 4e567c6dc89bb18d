"""What the admin socket offers about the record itself: that it was read, saved, or put under a legal hold."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekeeper.exchange import SessionId
from gatekeeper.gateway.answers import answer, body_of, refuse
from gatekeeper.gateway.peer import is_owner, peer_name
from gatekeeper.journal import (
    NEW_KEY,
    AdminData,
    AdminEvent,
    Draft,
    EraseData,
    Journal,
    JournalDown,
    ReadData,
    Scalars,
    SealData,
)
from gatekeeper.journal.anchoring import Anchoring, AnchorState
from gatekeeper.journal.index import forget
from gatekeeper.journal.retention import HoldsUnseen, UnderHold, held_among

LONGEST: Final = 1000
"""Characters of a command or a range."""


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody reads: the command, and which entries, as text."""

    command: str
    range: str


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody did to the record."""

    event: AdminEvent
    detail: Scalars


class Erasure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The session whose keys are to be destroyed, and why."""

    session: str
    reason: str


class Sealing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the segment is to be ended: whether under a new key from there on."""

    rotate: bool


class Written(msgspec.Struct, frozen=True):
    """The entry that says so."""

    seq: int


class Pushed(msgspec.Struct, frozen=True):
    """The newest checkpoint, anchored, and how the sinks are."""

    note: str
    anchors: tuple[AnchorState, ...]


PUSH: Final = 10.0
"""Seconds for which sinks are waited for."""

ON_REQUEST: Final = frozenset(
    {AdminEvent.BACKUP, AdminEvent.RESTORE, AdminEvent.LEGAL_HOLD, AdminEvent.LEGAL_HOLD_LIFTED}
)
"""Events that a command reports; the others are recorded by the gateway when it does them."""


def read_draft(by: str, reading: Reading, mask: Callable[[str], str]) -> Draft:
    """Make a `read` entry; what was searched for may hold personal data, and a leaf can't be erased."""
    command, range_ = (mask(text[:LONGEST]) for text in (reading.command, reading.range))
    return Draft(ReadData(by=by, range=range_, command=command))


def event_draft(by: str, event: Event, mask: Callable[[str], str]) -> Draft:
    """Make an `admin` entry."""
    detail = {name: mask(value[:LONGEST]) if isinstance(value, str) else value for name, value in event.detail.items()}
    return Draft(AdminData(event=event.event, by=by, detail=detail))


class JournalApi:
    """The routes."""

    def __init__(self, journal: Journal, folder: Path, anchoring: Anchoring, mask: Callable[[str], str]) -> None:
        self._folder = folder
        self._journal = journal
        self._anchoring = anchoring
        self._mask = mask

    def routes(self) -> Sequence[Route]:
        """Give them."""
        return (
            Route("/v1/journal/reads", self.read, methods=["POST"]),
            Route("/v1/journal/checkpoint", self.checkpoint, methods=["POST"]),
            Route("/v1/journal/events", self.event, methods=["POST"]),
            Route("/v1/journal/erasures", self.erase, methods=["POST"]),
            Route("/v1/journal/seals", self.seal, methods=["POST"]),
        )

    async def read(self, request: Request) -> Response:
        """Record that the peer reads."""
        try:
            reading = msgspec.json.decode(await body_of(request), type=Reading)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refuse(400, 'expected {"command": TEXT, "range": TEXT}')
        return await self._write(read_draft(peer_name(request), reading, self._mask))

    async def checkpoint(self, _request: Request) -> Response:
        """Anchor the newest checkpoint, take it to all sinks, and say how they are."""
        try:
            note = await self._journal.anchor()
        except JournalDown as error:
            return refuse(503, str(error))
        await asyncio.sleep(0)  # the sinks are told by the loop too
        await self._anchoring.settle(PUSH)
        return answer(Pushed(note, self._anchoring.states()))

    async def event(self, request: Request) -> Response:
        """Record what the peer did."""
        if not is_owner(request):
            return refuse(403, "only the gateway's own user may do this")
        try:
            event = msgspec.json.decode(await body_of(request), type=Event)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refuse(400, 'expected {"event": NAME, "detail": {…}}')
        if event.event not in ON_REQUEST:
            return refuse(400, f"{event.event.value} is recorded by the gateway itself")
        return await self._write(event_draft(peer_name(request), event, self._mask))

    async def erase(self, request: Request) -> Response:
        """Destroy a session's keys; answers once no copy of them is left."""
        if not is_owner(request):
            return refuse(403, "only the gateway's own user may do this")
        try:
            asked = msgspec.json.decode(await body_of(request), type=Erasure)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refuse(400, 'expected {"session": ID, "reason": TEXT}')
        why = self._mask(asked.reason[:LONGEST])
        session = SessionId(asked.session)
        try:
            held = await asyncio.to_thread(held_among, self._folder, [session])
        except HoldsUnseen as error:
            return refuse(409, str(error))
        if held:
            return refuse(409, str(UnderHold(held[session])))
        written = await self._write(Draft(EraseData(session=session, keys=(), by=peer_name(request), why=why)))
        try:
            await asyncio.to_thread(forget, self._folder, [session])
        except (sqlite3.Error, TimeoutError) as error:
            return refuse(409, f"the keys are destroyed, but not what index.db has: {error}; remove that file")
        return written

    async def seal(self, request: Request) -> Response:
        """End the segment; answers once the next one has begun."""
        if not is_owner(request):
            return refuse(403, "only the gateway's own user may do this")
        try:
            asked = msgspec.json.decode(await body_of(request), type=Sealing)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refuse(400, 'expected {"rotate": true or false}')
        return await self._write(Draft(SealData(vkey=NEW_KEY if asked.rotate else msgspec.UNSET)))

    async def _write(self, draft: Draft) -> Response:
        try:
            receipt = await self._journal.submit(draft)
        except LookupError as error:
            return refuse(404, str(error.args[0]))
        except TimeoutError as error:
            return refuse(409, str(error))
        except (JournalDown, ValueError) as error:
            return refuse(503, str(error))
        return answer(Written(receipt.seq))
