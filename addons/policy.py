"""May it: evaluates the rules' filter expressions on the flow, and lets the policy decide."""

from mitmproxy import flowfilter
from mitmproxy.http import HTTPFlow

from addons.guard import on_request, on_response
from addons.parts import Parts
from addons.state import passage_of
from gatekeeper.config import ConfigError
from gatekeeper.exchange import Exchange, Phase, RuleName, Side


class PolicyDecision:
    """Establishes the verdict. What it means is carried out further down, after the request is recorded."""

    name = "policy"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.filters = tuple((rule, compile_filter(rule, expression)) for rule, expression in parts.policy.filters)

    @on_request
    def request(self, flow: HTTPFlow, exchange: Exchange) -> None:
        matched = frozenset(rule for rule, matches in self.filters if matches(flow))
        passage_of(flow).matched = exchange.matched = matched
        exchange.verdict = self.parts.policy.decide(exchange, Side.REQUEST, matched, self.parts.clock())
        exchange.advance(Phase.JUDGED)

    @on_response
    def response(self, flow: HTTPFlow, exchange: Exchange) -> None:
        """Judge an answer that came whole; a stream is judged while it flows."""
        if passage_of(flow).answer is not None:
            exchange.answer_verdict = self.parts.policy.decide(
                exchange, Side.ANSWER, exchange.matched, self.parts.clock()
            )


def compile_filter(rule: RuleName, expression: str) -> flowfilter.TFilter:
    """Compile a rule's `match` expression; raises ConfigError."""
    try:
        return flowfilter.parse(expression)
    except ValueError as error:
        msg = f"rules: {rule!r}: match: {expression!r} is no mitmproxy filter expression"
        raise ConfigError(msg) from error
