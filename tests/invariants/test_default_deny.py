"""Invariant 2, the policy's part: what no rule allows is denied."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import Action, RuleConfig, Uninspected
from gatekeeper.exchange import (
    DialectName,
    Exchange,
    ExchangeId,
    ExchangeSummary,
    Finding,
    Instant,
    Message,
    RuleName,
    Scheme,
    Side,
    Subject,
    Target,
)
from gatekeeper.policy import Policy

NOW = Instant(1_700_000_000_000_000)
HOSTS = ["a.com", "b.a.com", "c.b.a.com", "b.com", "10.0.0.1", "::1"]
PATTERNS = [*HOSTS, "*.a.com", "*.com"]
METHODS = ["GET", "POST"]
PATHS = ["/", "/v1", "/v1/x"]
GLOBS = [*PATHS, "/v1*", "/*"]
PORTS = [443, 8443, 80]
NAMES = ["x", "y"]
ENTITIES = ["CREDIT_CARD", "US_SSN"]


def some(values: list[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Mostly nothing, since a rule with many keys hardly ever matches."""
    return st.just(()) | st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


RULES = st.lists(
    st.fixed_dictionaries(
        {
            "action": st.sampled_from(Action),
            "hosts": some(PATTERNS),
            "methods": some(METHODS),
            "paths": some(GLOBS),
            "ports": some(PORTS),
            "subjects": some(["x", "y*"]),
            "groups": some(NAMES),
            "workflows": some(NAMES),
            "findings": some(ENTITIES),
            "prompt": some(["one", "two"]),
            "match": st.sampled_from(["", "", "~q"]),
            "uninspected": st.sampled_from(Uninspected),
        }
    ),
    max_size=6,
).map(lambda tables: tuple(RuleConfig(name=f"rule {n}", **table) for n, table in enumerate(tables)))


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    x = Exchange(ExchangeId("0123456789abcdef"), NOW)
    x.subject = Subject(
        iss="https://i",
        sub=draw(st.sampled_from(["x", "y", "yy", "z"])),
        groups=draw(some([*NAMES, "z"])),
        workflow=draw(st.sampled_from([None, "x", "z"])),
        token="t",
        expires=NOW,
    )
    x.target = Target(Scheme.HTTPS, draw(st.sampled_from(HOSTS)), draw(st.sampled_from(PORTS)))
    x.request = Message(method=draw(st.sampled_from([*METHODS, "PUT"])), path=draw(st.sampled_from(PATHS)))
    x.summary = ExchangeSummary(dialect=DialectName.HTTP, prompt=draw(some(["one", "a two", "three"])))
    x.findings = tuple(Finding(entity, "body") for entity in draw(some([*ENTITIES, "EMAIL_ADDRESS"])))
    x.uninspected = draw(st.sampled_from([None, None, None, "unknown-encoding"]))
    return x


def matches(
    rule: RuleConfig, x: Exchange, matched: frozenset[RuleName], ports: tuple[int, ...], limited: frozenset[str]
) -> bool:
    """Say what a rule means, slowly and plainly: the specification that the compiled policy is held to."""
    assert x.subject is not None
    assert x.target is not None
    assert x.request is not None
    assert x.summary is not None
    assert x.findings is not None
    host, is_address = x.target.host, x.target.host in {"10.0.0.1", "::1"}
    prompt, found = x.summary.prompt, {finding.entity for finding in x.findings}
    return all(
        [
            host in rule.hosts
            or (not is_address and not rule.hosts)
            or any(each.startswith("*") and host.endswith(each[1:]) and not is_address for each in rule.hosts),
            not rule.methods or x.request.method in rule.methods,
            not rule.paths or any(glob_matches(each, x.request.path) for each in rule.paths),
            x.target.port in (rule.ports or ports),
            not rule.subjects or any(glob_matches(each, x.subject.sub) for each in rule.subjects),
            not rule.groups or bool(set(rule.groups) & set(x.subject.groups)),
            x.subject.workflow in rule.workflows
            or (not rule.workflows and (rule.action is Action.DENY or x.subject.workflow not in limited)),
            not rule.findings or bool(set(rule.findings) & found),
            not rule.prompt or any(pattern in text for pattern in rule.prompt for text in prompt),
            not rule.match or rule.name in matched,
        ]
    )


def glob_matches(glob: str, text: str) -> bool:
    return text.startswith(glob[:-1]) if glob.endswith("*") else text == glob


MATCHED = st.frozensets(st.integers(0, 5).map(lambda n: RuleName(f"rule {n}")))


@given(RULES, exchanges(), MATCHED)
def test_default_deny(rules: tuple[RuleConfig, ...], x: Exchange, matched: frozenset[RuleName]) -> None:
    ports = (443,)
    limited = frozenset(name for rule in rules if rule.action is not Action.DENY for name in rule.workflows)
    first = next((rule for rule in rules if matches(rule, x, matched, ports, limited)), None)
    verdict = Policy(rules, ports).decide(x, Side.REQUEST, matched, NOW)
    if first is None or (
        x.uninspected is not None and first.action is not Action.DENY and first.uninspected is Uninspected.DENY
    ):
        assert (verdict.action, verdict.rule) == (Action.DENY, None)
    else:
        assert (verdict.action, verdict.rule) == (first.action, first.name)


@given(RULES, exchanges(), MATCHED)
def test_what_is_explained_agrees_with_what_is_decided(
    rules: tuple[RuleConfig, ...], x: Exchange, matched: frozenset[RuleName]
) -> None:
    policy = Policy(rules, (443,))
    decided = [told.rule for told in policy.explain(x, matched) if told.decided]
    rule = policy.decide(x, Side.REQUEST, matched, NOW).rule
    assert decided == ([] if rule is None else [rule])
