"""The policy: compiled once from the configuration's rules, then asked for each exchange. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from gatekeeper.config import Action, RuleConfig, Uninspected
from gatekeeper.exchange import Exchange, Instant, RuleName, Side, ToolCall, Verdict
from gatekeeper.policy.conditions import Condition, Facts, conditions, facts_of, limited_workflows, tool_matcher
from gatekeeper.policy.hosts import HostIndex

NO_RULE: Final = "no rule matches"
ANY_CALL: Final = "any call"
NOT_INSPECTED: Final = 'not inspected, and the rule that matches lacks uninspected = "allow"'


class Explanation(msgspec.Struct, frozen=True):
    """What became of one rule: it decided, or `key` is the first of its keys that did not hold."""

    rule: RuleName
    action: Action
    decided: bool
    key: str = ""
    wanted: str = ""
    got: str = ""


@dataclass(frozen=True, slots=True)
class _Gate:
    """A rule with `tools`: what it asks of the request beside, and which tools it is about."""

    number: int
    others: tuple[Condition, ...]
    tool: Callable[[str], str | None]


class Policy:
    """The rules in order; the first that matches decides, and none means deny.

    Raises ConfigError with the key's path, `rules[2].prompt[0]: …`, for what can't be compiled.
    """

    def __init__(self, rules: tuple[RuleConfig, ...], ports: tuple[int, ...]) -> None:
        self._rules = rules
        self._numbers = {RuleName(rule.name): number for number, rule in enumerate(rules)}
        self._hosts = HostIndex([rule.hosts for rule in rules])
        limited = limited_workflows(rules)
        self._conditions = tuple(
            tuple(conditions(number, rule, frozenset(ports), limited)) for number, rule in enumerate(rules)
        )
        self._gates = tuple(self._gate(number) for number, rule in enumerate(rules) if rule.tools)
        self.filters = tuple((RuleName(rule.name), rule.match) for rule in rules if rule.match)

    def decide(
        self,
        x: Exchange,
        side: Side,
        matched: frozenset[RuleName],
        now: Instant,  # noqa: ARG002 - rules that depend on time (budgets, grants) come with the seam as it is
    ) -> Verdict:
        """Judge one side of an exchange.

        `matched` names the rules whose `match` expression held. Raises ValueError for an exchange of which
        subject, target, request, summary or findings are not established.
        """
        facts = facts_of(x, matched)
        if side is Side.ANSWER:
            return self._answer(x, facts)
        for number, pattern in self._hosts.candidates(facts.host):
            reasons = _reasons(self._conditions[number], facts)
            if reasons is None:
                continue
            rule = self._rules[number]
            if x.uninspected is not None and not _may_pass_unread(rule):
                return Verdict(Action.DENY, None, (NOT_INSPECTED,))
            host = (f"host {pattern}",) if pattern else ()
            return Verdict(rule.action, RuleName(rule.name), host + reasons or (ANY_CALL,))
        return Verdict(Action.DENY, None, (NO_RULE,))

    def gates_answer(self, x: Exchange) -> bool:
        """Whether a rule could hold or deny a tool that the request offers, so that its answer must come whole."""
        if not self._gates or x.summary is None or not x.summary.tools:
            return False
        facts = facts_of(x, x.matched)
        candidates = {number for number, _ in self._hosts.candidates(facts.host)}
        return any(
            gate.number in candidates
            and self._rules[gate.number].action is not Action.ALLOW
            and any(gate.tool(name) for name in x.summary.tools)
            and _reasons(gate.others, facts) is not None
            for gate in self._gates
        )

    def judge_tools(self, x: Exchange, calls: tuple[ToolCall, ...]) -> Verdict | None:
        """Judge the tool calls that an answer proposes: each by the first rule with `tools` that matches it.

        One that is denied denies the answer; None where nothing is held or denied. What two rules hold can't be
        decided together, so it is denied.
        """
        if not self._gates or not calls:
            return None
        return self._gated(facts_of(x, x.matched), calls)

    def explain(self, x: Exchange, matched: frozenset[RuleName]) -> tuple[Explanation, ...]:
        """Say of each rule, up to the one that decided, why it did not match. Raises as `decide`."""
        facts = facts_of(x, matched)
        candidates = {number for number, _ in self._hosts.candidates(facts.host)}
        told: list[Explanation] = []
        for number, rule in enumerate(self._rules):
            failed = _failed(self._conditions[number], facts)
            if number not in candidates:
                told.append(_undecided(rule, "hosts", ", ".join(rule.hosts) or "any name", facts.host))
            elif failed is not None:
                told.append(_undecided(rule, failed.key, failed.wanted, failed.got(facts)))
            elif x.uninspected is not None and not _may_pass_unread(rule):
                return (*told, _undecided(rule, "uninspected", "a call that could be inspected", x.uninspected))
            else:
                return (*told, Explanation(RuleName(rule.name), rule.action, decided=True))
        return tuple(told)

    def passes_unread(self, x: Exchange) -> bool:
        """Tell whether an answer that can't be inspected may pass: by the rule that let the request pass."""
        name = x.verdict.rule if x.verdict is not None else None
        return name is not None and self.rule(name).uninspected is Uninspected.ALLOW

    def _gate(self, number: int) -> _Gate:
        others = tuple(condition for condition in self._conditions[number] if condition.key != "tools")
        return _Gate(number, others, tool_matcher(self._rules[number]))

    def _answer(self, x: Exchange, facts: Facts) -> Verdict:
        asked = x.verdict
        if asked is None:
            msg = "an answer is judged only after its request"
            raise ValueError(msg)
        passed = asked.action is Action.ALLOW or (asked.action is Action.HOLD and x.release is not None)
        if not passed:
            return Verdict(Action.DENY, asked.rule, ("request not allowed",))
        if x.answer_uninspected is not None and self.gates_answer(x):
            return Verdict(Action.DENY, asked.rule, (NOT_INSPECTED,))
        gated = self._gated(facts, x.answer.tool_calls) if x.answer is not None else None
        return gated or Verdict(Action.ALLOW, asked.rule, ("request allowed",))

    def _gated(self, facts: Facts, calls: tuple[ToolCall, ...]) -> Verdict | None:
        candidates = {number for number, _ in self._hosts.candidates(facts.host)}
        gates = [gate for gate in self._gates if gate.number in candidates and _reasons(gate.others, facts) is not None]
        held: dict[int, list[ToolCall]] = {}
        for call in calls:
            gate = next((gate for gate in gates if gate.tool(call.name)), None)
            if gate is None:
                continue
            rule = self._rules[gate.number]
            if rule.action is Action.DENY:
                return Verdict(Action.DENY, RuleName(rule.name), (gate.tool(call.name) or "",), (call,))
            if rule.action is Action.HOLD:
                held.setdefault(gate.number, []).append(call)
        if not held:
            return None
        number, of_rule = next(iter(held.items()))
        name, tools = RuleName(self._rules[number].name), tuple(of_rule)
        if len(held) > 1:
            return Verdict(Action.DENY, name, ("tools that two rules hold, in one answer",), tools)
        reason = tool_matcher(self._rules[number])(tools[0].name) or ""
        return Verdict(Action.HOLD, name, (f"the answer calls {reason}",), tools)

    def rule(self, name: RuleName) -> RuleConfig:
        """Give the rule of that name; raises KeyError."""
        return self._rules[self._numbers[name]]


def _may_pass_unread(rule: RuleConfig) -> bool:
    """Tell whether a rule decides on a call that could not be inspected: by denying it, or where it says so."""
    return rule.action is Action.DENY or rule.uninspected is Uninspected.ALLOW


def _reasons(asked: tuple[Condition, ...], facts: Facts) -> tuple[str, ...] | None:
    reasons: tuple[str, ...] = ()
    for condition in asked:
        reason = condition.holds(facts)
        if reason is None:
            return None
        if reason:
            reasons += (reason,)
    return reasons


def _failed(asked: tuple[Condition, ...], facts: Facts) -> Condition | None:
    return next((condition for condition in asked if condition.holds(facts) is None), None)


def _undecided(rule: RuleConfig, key: str, wanted: str, got: str) -> Explanation:
    return Explanation(RuleName(rule.name), rule.action, decided=False, key=key, wanted=wanted, got=got)
