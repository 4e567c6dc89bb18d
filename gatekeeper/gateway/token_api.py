"""`POST /token`: a verified token is traded for a short one, for one workflow (RFC 8693), on record."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from addons.parts import Parts
from gatekeeper.exchange import Reason, Subject
from gatekeeper.identity import (
    EmbeddedIssuer,
    IdentityError,
    Permission,
    TradeFault,
    TradeRefused,
    make_deal,
    read_offer,
)
from gatekeeper.identity.issuer import Traded
from gatekeeper.identity.trade import JWT, SAML, TOKEN_TYPES, WORKFLOW, Deal, Offer
from gatekeeper.journal import AdminData, AdminEvent, Draft, JournalDown, RefusedCall, Scalars

BODY_LIMIT: Final = 64 << 10
FORM: Final = "application/x-www-form-urlencoded"
NOT_STORED: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""RFC 6749 §5.1"""

STATUS: Final = {TradeFault.UNAUTHORIZED: 403}
"""Others are 400 (RFC 6749 §5.2)."""


class TokenApi:
    """Gives tokens of the embedded issuer. `parts` gives what is in force now: a reload changes it."""

    def __init__(self, parts: Callable[[], Parts]) -> None:
        self._parts = parts

    def routes(self) -> list[Route]:
        """Give the one route."""
        return [Route("/token", self.trade, methods=["POST"])]

    async def trade(self, request: Request) -> Response:
        """Answer one request for a token."""
        try:
            traded, deal = await self._trade(await _form(request))
        except TradeRefused as error:
            return await self._refuse(request, error)
        except JournalDown:
            return _error(503, "temporarily_unavailable", "the gateway can't record, so it gives no token")
        body = {
            "access_token": traded.token,
            "issued_token_type": JWT,
            "token_type": "Bearer",
            "expires_in": traded.life,
            "scope": f"{WORKFLOW}{deal.workflow}",
        }
        return JSONResponse(body, headers=NOT_STORED)

    async def _trade(self, body: bytes) -> tuple[Traded, Deal]:
        parts = self._parts()
        config, issuer = parts.config.identity, parts.config.embedded_issuer
        if issuer is None or not config.exchange:
            raise TradeRefused(TradeFault.UNAUTHORIZED, "nobody's token is traded here; see [[identity.exchange]]")
        offer = read_offer(body, issuer.audience)
        subject, actor = await self._parties(parts, offer)
        permissions = [Permission.of(one) for one in config.exchange]
        deal = make_deal(offer.workflow, subject, actor, permissions, config.exchange_life)
        signer = EmbeddedIssuer.load(parts.config.keys / "issuer.key", issuer, config.claims)
        traded = signer.trade(deal, parts.clock())
        await parts.journal.submit(Draft(data=_entry(traded, deal)))
        return traded, deal

    async def _parties(self, parts: Parts, offer: Offer) -> tuple[Subject, Subject | None]:
        if offer.subject_type not in {*TOKEN_TYPES, SAML}:
            raise TradeRefused(TradeFault.INVALID_REQUEST, f"subject_token_type must be {JWT} or {SAML}")
        try:
            if offer.subject_type == SAML:
                subject = await asyncio.to_thread(_asserted, parts, offer.subject_token)
            else:
                subject = await parts.verifier.identify(offer.subject_token, parts.clock())
            parts.locks.check(subject)
            if offer.actor_token is None:
                return subject, None
            actor = await parts.verifier.identify(offer.actor_token, parts.clock())
            parts.locks.check(actor)
        except IdentityError as error:
            raise TradeRefused(TradeFault.INVALID_REQUEST, str(error)) from error
        return subject, actor

    async def _refuse(self, request: Request, error: TradeRefused) -> Response:
        peer = request.client.host if request.client is not None else "the admin socket"
        cause = error.__cause__
        reason = cause.reason if isinstance(cause, IdentityError) else Reason.NO_TRADE
        try:
            written = self._parts().refusals.submit(RefusedCall(reason=reason, peer=peer, target="/token"))
            if written is not None:
                await written
        except JournalDown:
            return _error(503, "temporarily_unavailable", "the gateway can't record")
        return _error(STATUS.get(error.fault, 400), error.fault.value, str(error))


def _asserted(parts: Parts, assertion: str) -> Subject:
    """Read a SAML assertion; in a thread, and with what it takes loaded only where somebody brings one."""
    from gatekeeper.identity.saml import SamlProvider, read_assertion

    providers = [SamlProvider.load(number, one) for number, one in enumerate(parts.config.identity.saml)]
    return read_assertion(assertion, providers, parts.clock())


async def _form(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise TradeRefused(TradeFault.INVALID_REQUEST, f"the body must be {FORM}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise TradeRefused(TradeFault.INVALID_REQUEST, f"the body has more than {BODY_LIMIT} bytes")
    return body


def _entry(traded: Traded, deal: Deal) -> AdminData:
    """State what was given to whom: a token's id, never the token."""
    chain: list[str] = [f"{one.iss}|{one.sub}" for one in deal.actors]
    detail: Scalars = {
        "iss": deal.subject.iss,
        "sub": deal.subject.sub,
        "workflow": deal.workflow,
        "jti": traded.jti,
        "life": traded.life,
        "for": list(deal.origin.ids),
    }
    return AdminData(event=AdminEvent.TOKEN, by="token endpoint", detail=detail | ({"act": chain} if chain else {}))


def _error(status: int, code: str, text: str) -> Response:
    body = {"error": code, "error_description": " ".join(text.split())}
    return JSONResponse(body, status, headers=NOT_STORED)
