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
from gatekeeper.journal.statement import Statement, parse_statement


class SignedDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reviewer sends: the exact signed text, and the armored SSHSIG."""

    statement: str
    signature: str


def approval_routes(desk: Desk, sensitive: Callable[[str], bool]) -> list[Route]:
    """Give the routes. `sensitive` says whether detectors find something in a reason, which is never recorded then."""
    api = _Api(desk, sensitive)
    return [
        Route("/v1/approvals", api.listing),
        Route("/v1/approvals/{id}", api.one),
        Route("/v1/approvals/{id}/decisions", api.decide, methods=["POST"]),
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
        stated: Statement | None = None
        try:
            stated = parse_statement(statement)
            self._admit(approval, stated)
        except DecisionRefused as error:
            await self._desk.refuse(error, stated, peer)
            raise
        return await self._desk.decide(statement, sent.signature, peer)

    def _admit(self, approval: str, stated: Statement) -> None:
        if stated.approval != approval:
            msg = "the statement is about another approval than the address"
            raise DecisionRefused(msg, Reason.DECISION_MISMATCH)
        if self._sensitive(stated.reason):
            msg = "the reason holds personal data or a secret: sign another, without it"
            raise DecisionRefused(msg, Reason.DECISION_MALFORMED)
