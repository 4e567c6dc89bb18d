"""The admin socket's routes for approvals: list, show, decide, and how reviewers decide."""

from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekeeper.approvals import DecisionRefused, Desk
from gatekeeper.exchange import Reason
from gatekeeper.gateway.answers import answer, body_of, refuse
from gatekeeper.gateway.peer import peer_name
from gatekeeper.journal import JournalDown
from gatekeeper.journal.statement import MAX_REASON, Statement, parse_statement


class SignedDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer sends: the exact signed text, and the armored SSHSIG."""

    statement: str
    signature: str


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why an approval is taken back."""

    why: str


def approval_routes(desk: Desk, sensitive: Callable[[str], bool]) -> list[Route]:
    """Give the routes. `sensitive` says whether detectors find something in a reason, which is never recorded then."""
    api = _Api(desk, sensitive)
    return [
        Route("/v1/approvals", api.listing),
        Route("/v1/approvals/{id}", api.one),
        Route("/v1/approvals/{id}/decisions", api.decide, methods=["POST"]),
        Route("/v1/approvals/{id}/withdrawal", api.withdraw, methods=["POST"]),
        Route("/v1/grants", api.grants),
        Route("/v1/grants/{grant:int}/revocation", api.revoke, methods=["POST"]),
        Route("/v1/reviewers", api.figures),
    ]


class _Api:
    def __init__(self, desk: Desk, sensitive: Callable[[str], bool]) -> None:
        self._desk = desk
        self._sensitive = sensitive

    async def listing(self, _request: Request) -> Response:
        return answer(self._desk.list())

    async def one(self, request: Request) -> Response:
        try:
            return answer(await self._desk.get(request.path_params["id"]))
        except LookupError as error:
            return refuse(404, str(error.args[0]))
        except JournalDown as error:
            return refuse(503, str(error))

    async def figures(self, _request: Request) -> Response:
        try:
            return answer(await self._desk.figures())
        except JournalDown as error:
            return refuse(503, str(error))

    async def grants(self, _request: Request) -> Response:
        try:
            return answer(await self._desk.grants())
        except JournalDown as error:
            return refuse(503, str(error))

    async def withdraw(self, request: Request) -> Response:
        try:
            why = msgspec.json.decode(await body_of(request), type=Withdrawal).why
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refuse(400, 'expected {"why": TEXT}')
        if self._sensitive(why) or len(why) > MAX_REASON:
            return refuse(403, "the reason is too long, or holds personal data or a secret: give another")
        try:
            return answer(await self._desk.withdraw(request.path_params["id"], peer_name(request), why))
        except LookupError as error:
            return refuse(404, str(error.args[0]))
        except ValueError as error:
            return refuse(403, str(error))
        except JournalDown as error:
            return refuse(503, str(error))

    async def revoke(self, request: Request) -> Response:
        try:
            sent = msgspec.json.decode(await body_of(request), type=SignedDecision)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refuse(400, 'expected {"statement": TEXT, "signature": TEXT}')
        try:
            statement = sent.statement.encode()
            await self._without_secrets(statement, None, peer_name(request))
            revoked = await self._desk.revoke(
                request.path_params["grant"], statement, sent.signature, peer_name(request)
            )
            return answer(revoked)
        except LookupError as error:
            return refuse(404, str(error.args[0]))
        except DecisionRefused as error:
            return refuse(403, str(error))
        except JournalDown as error:
            return refuse(503, str(error))

    async def decide(self, request: Request) -> Response:
        try:
            sent = msgspec.json.decode(await body_of(request), type=SignedDecision)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refuse(400, 'expected {"statement": TEXT, "signature": TEXT}')
        try:
            return answer(await self._decide(request.path_params["id"], sent, peer_name(request)))
        except DecisionRefused as error:
            return refuse(403, str(error))
        except JournalDown as error:
            return refuse(503, str(error))

    async def _decide(self, approval: str, sent: SignedDecision, peer: str) -> object:
        statement = sent.statement.encode()
        await self._without_secrets(statement, approval, peer)
        return await self._desk.decide(statement, sent.signature, peer)

    async def _without_secrets(self, statement: bytes, approval: str | None, peer: str) -> None:
        """Refuse, and record that, what is about something else, or must not be recorded as it is."""
        stated: Statement | None = None
        try:
            stated = parse_statement(statement)
            self._admit(approval, stated)
        except DecisionRefused as error:
            await self._desk.refuse(error, stated, peer)
            raise

    def _admit(self, approval: str | None, stated: Statement) -> None:
        if approval is not None and stated.approval != approval:
            msg = "the statement is about another approval than the address"
            raise DecisionRefused(msg, Reason.DECISION_MISMATCH)
        if self._sensitive(stated.reason):
            msg = "the reason holds personal data or a secret: sign another, without it"
            raise DecisionRefused(msg, Reason.DECISION_MALFORMED)
