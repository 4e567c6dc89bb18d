"""What a rule asks beside the host, compiled: one condition for each of its keys. Pure.

A condition that holds says so with words of the rule's own, never of the request's: reasons are recorded
as they stand, and a path or a prompt may hold what must not be.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
import re2

from gatekeeper.config import Action, ConfigError, RuleConfig
from gatekeeper.exchange import Exchange, ExchangeSummary, Finding, RuleName, Subject, ToolCall
from gatekeeper.exchange.globs import Glob
from gatekeeper.exchange.party_pattern import PartyPattern

FINDINGS_SHOWN: Final = 8


class Facts(msgspec.Struct, frozen=True):
    """All that rules look at, established: what an exchange lacks is an error before any rule is asked."""

    host: str
    port: int
    method: str
    path: str
    subject: Subject
    findings: tuple[Finding, ...]
    prompt: tuple[str, ...]
    model: str
    output_tokens: int | None
    tool_calls: tuple[ToolCall, ...]
    matched: frozenset[RuleName]
    websocket: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a rule. `holds` gives the reason, empty where it is not worth naming, or None for no."""

    key: str
    wanted: str
    holds: Callable[[Facts], str | None]
    got: Callable[[Facts], str]


def facts_of(x: Exchange, matched: frozenset[RuleName]) -> Facts:
    """Take the facts from an exchange; raises ValueError for one that has not been established yet."""
    if x.subject is None or x.target is None or x.request is None or x.summary is None or x.findings is None:
        msg = "an exchange is judged only with subject, target, request, summary and findings"
        raise ValueError(msg)
    return Facts(
        x.target.host,
        x.target.port,
        x.request.method,
        x.request.path,
        x.subject,
        x.findings,
        x.summary.prompt,
        x.summary.model,
        _output_tokens(x.summary),
        x.summary.tool_calls,
        matched,
        x.websocket,
    )


def conditions(
    number: int, rule: RuleConfig, ports: frozenset[int], limited: frozenset[str] = frozenset()
) -> Iterator[Condition]:
    """Compile the rule of that number, what is cheap first; raises ConfigError, which names the key.

    `limited` are the workflows that get nothing but by rules that name them.
    """
    yield _ports(rule, ports)
    if not rule.websocket and rule.action is not Action.DENY:
        yield _no_websocket()
    if rule.methods:
        yield _methods(rule)
    yield from _caller(rule, limited)
    if rule.paths:
        yield _paths(rule)
    if rule.models:
        yield _models(rule)
    if rule.max_output_tokens:
        yield _most_tokens(rule)
    if rule.tools:
        yield _tools(rule)
    if rule.findings:
        yield _findings(rule)
    if rule.match:
        yield _match(rule)
    if rule.prompt:
        yield _prompt(number, rule)


def _caller(rule: RuleConfig, limited: frozenset[str]) -> Iterator[Condition]:
    if rule.issuers:
        yield _issuers(rule)
    if rule.subjects:
        yield _subjects(rule)
    if rule.groups:
        yield _groups(rule)
    if rule.workflows:
        yield _workflows(rule)
    elif limited and rule.action is not Action.DENY:
        yield _unlimited(limited)


def _ports(rule: RuleConfig, ports: frozenset[int]) -> Condition:
    wanted = frozenset(rule.ports) or ports

    def holds(facts: Facts) -> str | None:
        if facts.port not in wanted:
            return None
        return f"port {facts.port}" if rule.ports else ""

    key = "ports" if rule.ports else "egress.ports"
    return Condition(key, ", ".join(map(str, sorted(wanted))), holds, lambda facts: str(facts.port))


def _no_websocket() -> Condition:
    """Let a rule that does not say so pass no WebSocket: what is said in one is not what a request says."""
    return Condition(
        "websocket",
        "no WebSocket; `websocket = true` passes one",
        lambda facts: None if facts.websocket else "",
        lambda facts: "a WebSocket" if facts.websocket else "a request",
    )


def _methods(rule: RuleConfig) -> Condition:
    reasons = {method: f"method {method}" for method in rule.methods}
    return Condition(
        "methods", _listed(rule.methods), lambda facts: reasons.get(facts.method), lambda facts: facts.method
    )


def _issuers(rule: RuleConfig) -> Condition:
    reasons = {issuer: f"issuer {issuer}" for issuer in rule.issuers}
    return Condition(
        "issuers", _listed(rule.issuers), lambda facts: reasons.get(facts.subject.iss), lambda facts: facts.subject.iss
    )


def _subjects(rule: RuleConfig) -> Condition:
    """Match `sub`, or with `ISSUER|SUB` both: the issuer exactly, since a star in it would trust strangers."""
    wanted = tuple((PartyPattern.of(pattern), f"subject {pattern}") for pattern in rule.subjects)

    def holds(facts: Facts) -> str | None:
        return next((reason for one, reason in wanted if one.matches(facts.subject.iss, facts.subject.sub)), None)

    return Condition(
        "subjects", _listed(rule.subjects), holds, lambda facts: f"{facts.subject.iss}|{facts.subject.sub}"
    )


def _groups(rule: RuleConfig) -> Condition:
    wanted = frozenset(rule.groups)

    def holds(facts: Facts) -> str | None:
        return next((f"group {group}" for group in facts.subject.groups if group in wanted), None)

    return Condition("groups", _listed(rule.groups), holds, lambda facts: _listed(facts.subject.groups) or "none")


def _workflows(rule: RuleConfig) -> Condition:
    reasons: dict[str | None, str] = {workflow: f"workflow {workflow}" for workflow in rule.workflows}
    return Condition(
        "workflows",
        _listed(rule.workflows),
        lambda facts: reasons.get(facts.subject.workflow),
        lambda facts: facts.subject.workflow or "none",
    )


def limited_workflows(rules: Iterable[RuleConfig]) -> frozenset[str]:
    """Give the workflows that a rule gives something: what they get is what those rules say, and no other's.

    A rule that denies one gives it nothing, and so doesn't make it one of them.
    """
    return frozenset(name for rule in rules if rule.action is not Action.DENY for name in rule.workflows)


def _unlimited(limited: frozenset[str]) -> Condition:
    return Condition(
        "workflows",
        "a rule that names the workflow, as other rules do",
        lambda facts: None if facts.subject.workflow in limited else "",
        lambda facts: facts.subject.workflow or "none",
    )


def _paths(rule: RuleConfig) -> Condition:
    first = _first_glob("path", rule.paths)
    return Condition("paths", _listed(rule.paths), lambda facts: first(facts.path), lambda facts: facts.path)


def _models(rule: RuleConfig) -> Condition:
    first = _first_glob("model", rule.models)
    return Condition(
        "models", _listed(rule.models), lambda facts: first(facts.model), lambda facts: facts.model or "none"
    )


def _output_tokens(summary: ExchangeSummary) -> int | None:
    asked = summary.gen_ai.get("gen_ai.request.max_tokens")
    return asked if isinstance(asked, int) else None


def _most_tokens(rule: RuleConfig) -> Condition:
    """Hold for a request that says how many tokens it asks for, and not for more: one that says nothing may get any."""
    most = rule.max_output_tokens

    def holds(facts: Facts) -> str | None:
        stated = facts.output_tokens
        return f"at most {most} output tokens" if stated is not None and stated <= most else None

    def got(facts: Facts) -> str:
        return "not stated" if facts.output_tokens is None else str(facts.output_tokens)

    return Condition("max_output_tokens", str(most), holds, got)


def tool_matcher(rule: RuleConfig) -> Callable[[str], str | None]:
    """Give a function that names the pattern of the rule that matches a tool."""
    return _first_glob("tool", rule.tools)


def _tools(rule: RuleConfig) -> Condition:
    """Hold where a tool that is called matches; a rule that allows, only where all do: a batch has several."""
    first = tool_matcher(rule)

    def holds(facts: Facts) -> str | None:
        found = [first(call.name) for call in facts.tool_calls]
        if rule.action is Action.ALLOW and None in found:
            return None
        return next(filter(None, found), None)

    def got(facts: Facts) -> str:
        return _listed(tuple(call.name for call in facts.tool_calls)) or "no call of a tool"

    return Condition("tools", _listed(rule.tools), holds, got)


def _findings(rule: RuleConfig) -> Condition:
    wanted = frozenset(rule.findings)

    def holds(facts: Facts) -> str | None:
        return next((f"finding {found.entity}" for found in facts.findings if found.entity in wanted), None)

    def got(facts: Facts) -> str:
        return _listed(tuple(sorted({found.entity for found in facts.findings}))[:FINDINGS_SHOWN]) or "none"

    return Condition("findings", _listed(rule.findings), holds, got)


def _match(rule: RuleConfig) -> Condition:
    """Look up what the filter expression said; it is evaluated outside, where the flow is."""
    name = RuleName(rule.name)
    return Condition(
        "match", rule.match, lambda facts: "filter expression" if name in facts.matched else None, lambda _: "no match"
    )


def _prompt(number: int, rule: RuleConfig) -> Condition:
    patterns = tuple(_pattern(f"rules[{number}].prompt[{n}]", text) for n, text in enumerate(rule.prompt))

    def holds(facts: Facts) -> str | None:
        for text in facts.prompt:
            data = text.encode("utf-8", "replace")
            for n, pattern in enumerate(patterns):
                if pattern.search(data):
                    return f"prompt pattern {n}"
        return None

    return Condition("prompt", _listed(rule.prompt), holds, lambda facts: f"{len(facts.prompt)} texts, none matches")


def _pattern(key: str, text: str) -> "re2._Regexp":
    """Compile with RE2, whose time is linear in the text: prompts are the sender's choice."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        msg = f"{key}: RE2 can't compile it: {_words(error)}; note that it has no look-around and no back-references"
        raise ConfigError(msg) from error


def _words(error: Exception) -> str:
    cause = error.args[0]
    return cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)


def _first_glob(word: str, patterns: tuple[str, ...]) -> Callable[[str], str | None]:
    """Give a function that names the first pattern that matches a text."""
    globs = tuple((Glob.of(pattern), f"{word} {pattern}") for pattern in patterns)
    return lambda text: next((reason for glob, reason in globs if glob.matches(text)), None)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words)
