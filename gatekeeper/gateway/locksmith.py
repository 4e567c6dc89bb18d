"""Sets locks and takes them off: in force at once, on record, and what is open is cut."""

from collections.abc import Callable, Iterable
from typing import Final

from mitmproxy.connection import Client

from addons.guard import abort, submit_refusal
from addons.parts import Parts
from addons.state import tunnel_of
from gatekeeper.exchange import Reason, Subject
from gatekeeper.identity import Held, Lock, Locks, lock_data
from gatekeeper.identity.locks import REVOKES
from gatekeeper.journal import AdminEvent, Draft

REASONS: Final = {True: Reason.REVOKED, False: Reason.LOCKED}


class Locksmith:
    """The one who changes locks."""

    def __init__(self, parts: Parts, clients: Callable[[], Iterable[Client]]) -> None:
        self._parts = parts
        self._clients = clients

    @property
    def locks(self) -> Locks:
        """The locks in force."""
        return self._parts.locks

    async def lock(self, lock: Lock, by: str, reason: str) -> int:
        """Lock out, cut what is open, and give how many connections that were.

        It is in force before it is recorded: where the journal is down nothing passes anyway. Raises JournalDown.
        """
        self.locks.set(Held(lock=lock, since=self._parts.clock(), by=by, reason=reason))
        cut = self._cut()
        await self._parts.journal.submit(Draft(data=lock_data(lock.event, lock, by, reason)))
        # Whoever was between identity and its tunnel when the lock was set is there now.
        return len(cut | self._cut())

    async def unlock(self, lock: Lock, by: str, reason: str) -> None:
        """Take a lock off, once that is on record. Raises LookupError where it is not in force, or JournalDown."""
        if lock not in {held.lock for held in self.locks.held}:
            msg = f"there is no lock on {lock}"
            raise LookupError(msg)
        await self._parts.journal.submit(Draft(data=lock_data(AdminEvent.UNLOCK, lock, by, reason)))
        self.locks.take_off(lock)

    def _cut(self) -> set[str]:
        """End the connections of who is locked out, and give their ids; one may take a moment to be gone."""
        locked = [(client, found) for client in self._clients() if (found := self._found(client)) is not None]
        for client, found in locked:
            self._end(client, REASONS[found.kind in REVOKES])
        return {client.id for client, _ in locked}

    def _found(self, client: Client) -> Lock | None:
        return next((lock for subject in _subjects(client) if (lock := self.locks.find(subject))), None)

    def _end(self, client: Client, reason: Reason) -> None:
        under_way = [*tunnel_of(client).open.values()]
        for passage in under_way:
            passage.exchange.error = passage.exchange.error or reason
        if not under_way:
            submit_refusal(self._parts, client, reason)
        abort(client)


def _subjects(client: Client) -> list[Subject]:
    """Give everybody who uses a connection: its tunnel's subject, and on plain HTTP each request's."""
    tunnel = tunnel_of(client)
    found = [tunnel.subject, *(passage.exchange.subject for passage in tunnel.open.values())]
    return [subject for subject in found if subject is not None]
