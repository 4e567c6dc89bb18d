"""What the admin socket offers about locks: who is locked out, lock, unlock.

Who may open the socket may look and lock. Only the gateway's own user takes a lock off: a kill switch that those
who were told of an attack can pull must not be one that whoever is attacked can push back.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekeeper.gateway.answers import answer, body_of, refuse
from gatekeeper.gateway.lock_views import LockAsked, LockDone, LockView
from gatekeeper.gateway.locksmith import Locksmith
from gatekeeper.gateway.peer import is_owner, peer_name
from gatekeeper.identity import Lock, make_lock
from gatekeeper.identity.locks import REASON_LIMIT
from gatekeeper.journal import JournalDown

FORM: Final = 'expected {"kind": KIND, "value": TEXT, "issuer": TEXT, "reason": TEXT}'


class LockApi:
    """The routes. `sensitive` says whether detectors find something in a reason, which is never recorded then."""

    def __init__(self, locksmith: Locksmith, sensitive: Callable[[str], bool]) -> None:
        self._locksmith = locksmith
        self._sensitive = sensitive

    def routes(self) -> list[Route]:
        """Give them."""
        return [
            Route("/v1/locks", self.listing),
            Route("/v1/locks", self.lock, methods=["POST"]),
            Route("/v1/unlocks", self.unlock, methods=["POST"]),
        ]

    async def listing(self, _request: Request) -> Response:
        """Say who is locked out."""
        held = self._locksmith.locks.held
        return answer(
            [
                LockView(
                    kind=one.lock.kind.value,
                    value=one.lock.value,
                    issuer=one.lock.issuer,
                    since=one.since,
                    by=one.by,
                    reason=one.reason,
                )
                for one in held
            ]
        )

    async def lock(self, request: Request) -> Response:
        """Lock out, at once."""
        try:
            lock, reason = self._read(await body_of(request))
            return answer(LockDone(lock=str(lock), cut=await self._locksmith.lock(lock, peer_name(request), reason)))
        except ValueError as error:
            return refuse(400, str(error))
        except JournalDown as error:
            return refuse(503, f"locked, but not on record: {error}")

    async def unlock(self, request: Request) -> Response:
        """Take a lock off."""
        if not is_owner(request):
            return refuse(403, "only the gateway's own user, or root, takes a lock off")
        try:
            lock, reason = self._read(await body_of(request))
            await self._locksmith.unlock(lock, peer_name(request), reason)
        except ValueError as error:
            return refuse(400, str(error))
        except LookupError as error:
            return refuse(404, str(error.args[0]))
        except JournalDown as error:
            return refuse(503, str(error))
        return answer(LockDone(lock=str(lock)))

    def _read(self, body: bytes) -> tuple[Lock, str]:
        try:
            asked = msgspec.json.decode(body, type=LockAsked)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(FORM) from error
        if len(asked.reason) > REASON_LIMIT or not asked.reason.isprintable():
            msg = f"a reason is one line of up to {REASON_LIMIT} characters"
            raise ValueError(msg)
        if self._sensitive(asked.reason):
            msg = "the reason holds personal data or a secret: give another, without it"
            raise ValueError(msg)
        return make_lock(asked.kind, asked.value, asked.issuer), asked.reason
