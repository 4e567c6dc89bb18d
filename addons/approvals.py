"""Carries the verdict out: passes what is allowed, refuses what is denied, and holds what reviewers must see.

A hold is mitmproxy's own intercept. mitmproxy waits for its end only after the whole chain has run, so
this hook waits in between: what follows in the chain happens after the decision, and a resume by
anyone else releases nothing.
"""

from typing import assert_never

from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow

from addons.guard import Refused, on_connection, on_request
from addons.parts import Parts
from addons.state import tunnel_of
from gatekeeper.approvals import Hold, Released
from gatekeeper.approvals import Refused as HoldRefused
from gatekeeper.config import Action
from gatekeeper.exchange import Exchange, Phase, Reason, Refusal, Release, count_findings, established
from gatekeeper.masking import mask_text
from gatekeeper.policy import denial


class Approvals:
    """Establishes the release of what is held."""

    name = "approvals"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_request
    async def request(self, flow: HTTPFlow, exchange: Exchange) -> None:
        verdict = established(exchange.verdict)
        match verdict.action:
            case Action.ALLOW:
                pass
            case Action.DENY:
                raise Refused(denial(exchange, verdict))
            case Action.HOLD:
                flow.intercept()
                try:
                    outcome = await self.parts.desk.hold(self._ask(exchange), tunnel_of(flow.client_conn).gone)
                finally:
                    flow.resume()
                exchange.release = _release(outcome)
            case _:
                assert_never(verdict.action)
        exchange.advance(Phase.RELEASED)

    @on_connection
    def client_disconnected(self, client: Client) -> None:
        tunnel_of(client).gone.set()

    def _ask(self, exchange: Exchange) -> Hold:
        verdict, summary = established(exchange.verdict), established(exchange.summary)
        return Hold(
            exchange=exchange.id,
            session=established(exchange.session),
            rule=self.parts.policy.rule(established(verdict.rule)),
            subject=established(exchange.subject),
            digest=established(exchange.digest),
            request=established(exchange.receipt),
            view=established(exchange.recorded),
            findings=count_findings(exchange.findings or ()),
            reasons=verdict.reasons,
            dialect=summary.dialect.value,
            model=mask_text(self.parts.masker, summary.model),
        )


def _release(outcome: Released | HoldRefused) -> Release:
    match outcome:
        case Released():
            return Release(digest=outcome.digest, receipt=outcome.receipt)
        case HoldRefused():
            raise Refused(
                Refusal(
                    status=_STATUS.get(outcome.reason, 403),
                    reason=outcome.reason,
                    message=outcome.message,
                    approval=outcome.approval,
                )
            )
        case _:
            assert_never(outcome)


_STATUS = {
    Reason.SHUTTING_DOWN: 503,
    Reason.TOO_MANY_HELD: 503,
    Reason.TOO_MANY_ASKED: 429,
    Reason.JOURNAL_DOWN: 503,
}
