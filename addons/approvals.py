"""Carries the verdict out: passes what is allowed, refuses what is denied, and holds what reviewers must see.

A hold is mitmproxy's own intercept. mitmproxy waits for its end only after the whole chain has run, so
this hook waits in between: what follows in the chain happens after the decision, and a resume by
anyone else releases nothing.
"""

from typing import assert_never

import msgspec
from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow

from addons.guard import Refused, on_connection, on_request, on_response
from addons.parts import Parts
from addons.state import tunnel_of
from gatekeeper.approvals import Hold, Released
from gatekeeper.approvals import Refused as HoldRefused
from gatekeeper.config import Action
from gatekeeper.exchange import (
    Digest,
    Exchange,
    Phase,
    Reason,
    Refusal,
    Release,
    ToolCall,
    Verdict,
    answer_digest,
    count_findings,
    established,
)
from gatekeeper.masking import mask_text
from gatekeeper.policy import answer_denial, denial


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

    @on_response
    async def response(self, flow: HTTPFlow, exchange: Exchange) -> None:
        """Carry out the verdict on an answer; one that is held waits here, whole and masked."""
        verdict = exchange.answer_verdict
        if verdict is None or verdict.action is Action.ALLOW:
            return
        if verdict.action is Action.DENY:
            raise Refused(answer_denial(verdict))
        digest = self._answer_digest(exchange, verdict)
        exchange.advance(Phase.WITHHELD)
        ask = self._ask_of_answer(exchange, verdict, digest)
        release = _release(await self.parts.desk.hold(ask, tunnel_of(flow.client_conn).gone))
        if release.digest != self._answer_digest(exchange, verdict):
            raise Refused(Refusal(status=403, reason=Reason.NO_PROOF, message="this answer is not the one approved."))
        exchange.advance(Phase.ANSWERING)

    def _answer_digest(self, exchange: Exchange, verdict: Verdict) -> Digest:
        subject, rule = established(exchange.subject), established(verdict.rule)
        return answer_digest(self.parts.digest_key, subject, rule, verdict.tool_calls)

    @on_connection
    def client_disconnected(self, client: Client) -> None:
        tunnel_of(client).gone.set()

    def _ask(self, exchange: Exchange) -> Hold:
        summary = established(exchange.summary)
        digest = established(exchange.digest)
        return self._hold(exchange, established(exchange.verdict), digest, summary.tool_calls)

    def _ask_of_answer(self, exchange: Exchange, verdict: Verdict, digest: Digest) -> Hold:
        hold = self._hold(exchange, verdict, digest, verdict.tool_calls)
        return msgspec.structs.replace(hold, of="response")

    def _hold(self, exchange: Exchange, verdict: Verdict, digest: Digest, calls: tuple[ToolCall, ...]) -> Hold:
        summary, masker = established(exchange.summary), self.parts.masker
        return Hold(
            exchange=exchange.id,
            session=established(exchange.session),
            rule=self.parts.policy.rule(established(verdict.rule)),
            subject=established(exchange.subject),
            digest=digest,
            request=established(exchange.receipt),
            view=established(exchange.recorded),
            findings=count_findings(exchange.findings or ()),
            reasons=verdict.reasons,
            dialect=summary.dialect.value,
            model=mask_text(masker, summary.model),
            tool_calls=tuple(ToolCall(mask_text(masker, it.name), mask_text(masker, it.arguments)) for it in calls),
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
