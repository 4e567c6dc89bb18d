from pathlib import Path
from typing import Any

import pytest

from gatekeeper.config import Action, ConfigError, RuleConfig, Uninspected, parse_config
from gatekeeper.exchange import (
    DialectName,
    Digest,
    Exchange,
    ExchangeId,
    ExchangeSummary,
    Finding,
    Instant,
    Message,
    Receipt,
    Release,
    RuleName,
    Scheme,
    Seq,
    Side,
    Subject,
    Target,
    Verdict,
)
from gatekeeper.policy import Policy

NOW = Instant(1_700_000_000_000_000)
NONE: frozenset[RuleName] = frozenset()


def exchange(
    host: str = "api.example.com",
    method: str = "POST",
    path: str = "/v1/refunds/7",
    port: int = 443,
    prompt: tuple[str, ...] = (),
    findings: tuple[str, ...] = (),
    **subject: Any,
) -> Exchange:
    x = Exchange(ExchangeId("0123456789abcdef"), NOW)
    x.subject = Subject(**{"iss": "https://i", "sub": "support-bot", "token": "t", "expires": NOW, **subject})
    x.target = Target(Scheme.HTTPS, host, port)
    x.request = Message(method=method, url=f"https://{host}{path}", path=path)
    x.summary = ExchangeSummary(dialect=DialectName.HTTP, prompt=prompt)
    x.findings = tuple(Finding(entity, "body") for entity in findings)
    return x


def rule(name: str = "r", action: Action = Action.ALLOW, **keys: Any) -> RuleConfig:
    return RuleConfig(name=name, action=action, **keys)


def policy(*rules: RuleConfig, ports: tuple[int, ...] = (443,)) -> Policy:
    return Policy(rules, ports)


def decide(rules: Policy, x: Exchange, matched: frozenset[RuleName] = NONE) -> Verdict:
    return rules.decide(x, Side.REQUEST, matched, NOW)


CONDITIONS: list[tuple[dict[str, Any], Exchange, Exchange, str]] = [
    # the rule's keys, an exchange that matches, one that doesn't, the reason
    ({"hosts": ("api.example.com",)}, exchange(), exchange("b.example.com"), "host api.example.com"),
    ({"hosts": ("*.example.com",)}, exchange(), exchange("example.com"), "host *.example.com"),
    ({"hosts": ("10.0.0.1",)}, exchange("10.0.0.1"), exchange("10.0.0.2"), "host 10.0.0.1"),
    ({"methods": ("GET", "POST")}, exchange(), exchange(method="DELETE"), "method POST"),
    ({"methods": ("POST",)}, exchange(), exchange(method="post"), "method POST"),
    ({"paths": ("/v1/x", "/v1/refunds*")}, exchange(), exchange(path="/v1/Refunds"), "path /v1/refunds*"),
    ({"ports": (8443,)}, exchange(port=8443), exchange(port=443), "port 8443"),
    ({"subjects": ("support-bot",)}, exchange(), exchange(sub="support-bot2"), "subject support-bot"),
    ({"subjects": ("a", "support-*")}, exchange(), exchange(sub="a-support-bot"), "subject support-*"),
    ({"groups": ("leads", "agents")}, exchange(groups=("x", "agents")), exchange(groups=("x",)), "group agents"),
    ({"workflows": ("refunds",)}, exchange(workflow="refunds"), exchange(workflow=None), "workflow refunds"),
    ({"findings": ("CREDIT_CARD", "US_SSN")}, exchange(findings=("EMAIL_ADDRESS", "US_SSN")),
     exchange(findings=("EMAIL_ADDRESS",)), "finding US_SSN"),
    ({"prompt": ("never", "(?i)ignore (all|previous)")}, exchange(prompt=("hello", "Ignore ALL of it")),
     exchange(prompt=("ignored", "all")), "prompt pattern 1"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "hit", "miss", "reason"), CONDITIONS)
def test_each_key_of_a_rule_decides_and_says_so(
    keys: dict[str, Any], hit: Exchange, miss: Exchange, reason: str
) -> None:
    rules = policy(rule("r", **keys))
    assert decide(rules, hit) == Verdict(Action.ALLOW, RuleName("r"), (reason,))
    assert decide(rules, miss) == Verdict(Action.DENY, None, ("no rule matches",))


@pytest.mark.parametrize(("keys", "hit", "miss", "reason"), CONDITIONS)
def test_what_is_explained_is_what_is_decided(keys: dict[str, Any], hit: Exchange, miss: Exchange, reason: str) -> None:
    rules = policy(rule("r", **keys))
    assert [(told.rule, told.decided) for told in rules.explain(hit, NONE)] == [("r", True)]
    (told,) = rules.explain(miss, NONE)
    assert not told.decided
    assert told.key in keys
    assert told.wanted == ", ".join(str(wanted) for wanted in next(iter(keys.values())))
    assert told.got
    assert reason


def test_all_keys_of_a_rule_must_hold() -> None:
    rules = policy(rule(methods=("POST",), paths=("/v1/*",), groups=("agents",)))
    assert decide(rules, exchange(groups=("agents",))).reasons == ("method POST", "group agents", "path /v1/*")
    assert decide(rules, exchange(groups=())).action is Action.DENY


@pytest.mark.parametrize("action", list(Action))
def test_the_first_rule_that_matches_decides(action: Action) -> None:
    rules = policy(rule("no", Action.DENY, methods=("GET",)), rule("first", action), rule("second", Action.ALLOW))
    assert decide(rules, exchange()) == Verdict(action, RuleName("first"), ("any call",))


def test_order_holds_between_rules_with_and_without_hosts() -> None:
    rules = policy(
        rule("any get", Action.DENY, methods=("GET",)),
        rule("suffix", Action.HOLD, hosts=("*.example.com",)),
        rule("exact", hosts=("api.example.com",)),
    )
    assert decide(rules, exchange()).rule == "suffix"
    assert decide(rules, exchange(method="GET")).rule == "any get"


def test_without_rules_everything_is_denied() -> None:
    assert decide(policy(), exchange()) == Verdict(Action.DENY, None, ("no rule matches",))


def test_case_and_a_trailing_dot_of_the_host_do_not_matter() -> None:
    rules = policy(rule("deny", Action.DENY, hosts=("API.example.com.",)), rule("allow"))
    for host in ("api.example.com", "API.EXAMPLE.COM", "api.example.com."):
        assert decide(rules, exchange(host)).rule == "deny"


@pytest.mark.parametrize("keys", [{}, {"hosts": ("*.1",)}, {"hosts": ("api.example.com",)}])
def test_an_address_is_denied_unless_a_rule_names_it(keys: dict[str, Any]) -> None:
    rules = policy(rule(**keys))
    for host in ("10.0.0.1", "2001:db8::1", "127.1"):
        assert decide(rules, exchange(host)).action is Action.DENY
        assert rules.explain(exchange(host), NONE)[0].key == "hosts"


def test_ports_of_egress_hold_where_a_rule_names_none() -> None:
    rules = policy(rule("usual"), rule("own", ports=(9000,)), ports=(443, 8443))
    assert decide(rules, exchange(port=8443)).rule == "usual"
    assert decide(rules, exchange(port=9000)).rule == "own"
    assert decide(rules, exchange(port=80)).action is Action.DENY
    told = rules.explain(exchange(port=80), NONE)
    assert [(each.key, each.wanted, each.got) for each in told] == [
        ("egress.ports", "443, 8443", "80"),
        ("ports", "9000", "80"),
    ]


def test_a_filter_expression_holds_where_its_rule_is_named() -> None:
    rules = policy(rule("json", match="~t json"), rule("other", Action.DENY))
    assert rules.filters == (("json", "~t json"),)
    assert decide(rules, exchange(), frozenset({RuleName("json")})).reasons == ("filter expression",)
    assert decide(rules, exchange(), frozenset({RuleName("other")})).rule == "other"
    assert rules.explain(exchange(), NONE)[0].key == "match"


def test_explanations_end_with_the_rule_that_decided() -> None:
    rules = policy(rule("a", hosts=("b.com",)), rule("b", Action.HOLD), rule("c"))
    told = rules.explain(exchange(), NONE)
    assert [(each.rule, each.decided, each.action) for each in told] == [
        ("a", False, Action.ALLOW),
        ("b", True, Action.HOLD),
    ]
    assert (told[0].key, told[0].wanted, told[0].got) == ("hosts", "b.com", "api.example.com")


@pytest.mark.parametrize("action", [Action.ALLOW, Action.HOLD])
def test_what_was_not_inspected_is_denied_even_where_a_rule_matches(action: Action) -> None:
    x = exchange()
    x.uninspected = "unknown-encoding"
    rules = policy(rule("r", action))
    verdict = decide(rules, x)
    assert (verdict.action, verdict.rule) == (Action.DENY, None)
    assert "not inspected" in verdict.reasons[0]
    (told,) = rules.explain(x, NONE)
    assert (told.decided, told.key, told.got) == (False, "uninspected", "unknown-encoding")


@pytest.mark.parametrize("action", [Action.ALLOW, Action.HOLD])
def test_a_rule_may_let_pass_what_was_not_inspected(action: Action) -> None:
    x = exchange()
    x.uninspected = "the body is not text"
    rules = policy(rule("r", action, uninspected=Uninspected.ALLOW), rule("other", Action.ALLOW))

    x.verdict = decide(rules, x)

    assert (x.verdict.action, x.verdict.rule) == (action, "r")
    assert rules.passes_unread(x)
    x.verdict = Verdict(Action.ALLOW, RuleName("other"))
    assert not rules.passes_unread(x)
    x.verdict = None
    assert not rules.passes_unread(x)


def test_a_rule_that_denies_is_named_also_where_nothing_was_inspected() -> None:
    x = exchange()
    x.uninspected = "unknown-encoding"
    assert decide(policy(rule("no", Action.DENY)), x).rule == "no"


@pytest.mark.parametrize("part", ["subject", "target", "request", "summary", "findings"])
@pytest.mark.parametrize("side", list(Side))
def test_an_exchange_that_lacks_a_part_is_an_error(part: str, side: Side) -> None:
    x = exchange()
    x.verdict = Verdict(Action.ALLOW, None)
    setattr(x, part, None)
    with pytest.raises(ValueError, match="judged only with"):
        policy(rule()).decide(x, side, NONE, NOW)
    with pytest.raises(ValueError, match="judged only with"):
        policy(rule()).explain(x, NONE)


RELEASE = Release(Digest("d"), Receipt(Seq(1), "leaf", NOW))


@pytest.mark.parametrize(
    ("action", "release", "answered"),
    [
        (Action.ALLOW, None, Action.ALLOW),
        (Action.HOLD, RELEASE, Action.ALLOW),
        (Action.HOLD, None, Action.DENY),
        (Action.DENY, None, Action.DENY),
        (Action.DENY, RELEASE, Action.DENY),
    ],
)
def test_an_answer_passes_only_where_its_request_did(action: Action, release: Release | None, answered: Action) -> None:
    x = exchange()
    x.verdict, x.release = Verdict(action, RuleName("r")), release
    verdict = policy(rule()).decide(x, Side.ANSWER, NONE, NOW)
    assert (verdict.action, verdict.rule) == (answered, "r")


def test_an_answer_without_a_judged_request_is_an_error() -> None:
    with pytest.raises(ValueError, match="only after its request"):
        policy(rule()).decide(exchange(), Side.ANSWER, NONE, NOW)


@pytest.mark.parametrize("pattern", ["(?=x)", r"(a)\1", "(", "(?<!x)y", "a{1001}"])
def test_a_pattern_that_has_no_linear_time_is_refused_with_its_place(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"^rules\[1\]\.prompt\[1\]: RE2 can't compile it: ") as caught:
        policy(rule("a"), rule("b", prompt=("fine", pattern)))
    assert "\n" not in str(caught.value)


def test_a_host_that_can_not_be_matched_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^rules\[1\]\.hosts\[0\]: 'a\.\*\.com'"):
        policy(rule("a"), rule("b", hosts=("a.*.com",)))


def test_hostile_patterns_and_texts_end_in_linear_time() -> None:
    """With a backtracking engine this would not end."""
    rules = policy(rule("hold", Action.HOLD, prompt=("(a+)+$", "(a|a)*b")), rule("allow"))
    assert decide(rules, exchange(prompt=("a" * 100_000 + "!",))).rule == "allow"


def test_text_with_a_lone_surrogate_is_matched_too() -> None:
    rules = policy(rule("hold", Action.HOLD, prompt=("ignore",)))
    assert decide(rules, exchange(prompt=("\ud800 ignore",))).action is Action.HOLD


def test_reasons_never_quote_the_request() -> None:
    secret = "4111111111111111"
    keys: dict[str, Any] = {"prompt": ("[0-9]+",), "paths": ("/*",), "subjects": ("*",), "findings": ("CREDIT_CARD",)}
    x = exchange(path=f"/{secret}", prompt=(secret,), findings=("CREDIT_CARD",), sub=secret)
    verdict = decide(policy(rule(**keys)), x)
    assert verdict.action is Action.ALLOW
    assert secret not in repr(verdict)


def test_a_rule_is_found_by_its_name() -> None:
    rules = policy(rule("a"), rule("b", Action.DENY))
    assert rules.rule(RuleName("b")).action is Action.DENY
    with pytest.raises(KeyError):
        rules.rule(RuleName("c"))


SHIPPED = Path(__file__).parents[3] / "config.toml"


@pytest.mark.parametrize(
    ("host", "path", "allowed"),
    [
        ("api.openai.com", "/v1/chat/completions", True),
        ("api.anthropic.com", "/v1/messages", True),
        ("generativelanguage.googleapis.com", "/v1beta/models/g:generateContent", True),
        ("api.mistral.ai", "/v1/chat/completions", True),
        ("api.cohere.com", "/v2/chat", True),
        ("api.groq.com", "/openai/v1/chat/completions", True),
        ("api.x.ai", "/v1/chat/completions", True),
        ("api.deepseek.com", "/chat/completions", True),
        ("openrouter.ai", "/api/v1/chat/completions", True),
        ("openrouter.ai", "/chat", False),
        ("api.together.xyz", "/v1/chat/completions", True),
        ("api.perplexity.ai", "/chat/completions", True),
        ("www.openai.com", "/", False),
        ("evil.api.openai.com", "/v1/chat/completions", False),
        ("api.openai.com.evil.example", "/v1/chat/completions", False),
        ("payments.example.com", "/v1/refunds", False),
        ("10.0.0.1", "/", False),
    ],
)
def test_the_shipped_rules_allow_model_providers_to_anyone_and_nothing_else(
    host: str,
    path: str,
    allowed: bool,  # noqa: FBT001 - an expected value
) -> None:
    config = parse_config(SHIPPED.read_text(), SHIPPED)
    shipped = Policy(config.rules, config.egress.ports)
    assert (decide(shipped, exchange(host, path=path, sub="whoever")).action is Action.ALLOW) is allowed
    assert decide(shipped, exchange(host, path=path, port=8443)).action is Action.DENY


ONE, TWO = "https://one.example", "https://two.example"

CALLERS = [
    ({"issuers": (ONE,)}, {"iss": ONE}, True),
    ({"issuers": (ONE,)}, {"iss": TWO}, False),
    ({"issuers": (ONE,)}, {"iss": ONE + "/"}, False),
    ({"issuers": (ONE, TWO)}, {"iss": TWO}, True),
    ({"subjects": (f"{ONE}|support-*",)}, {"iss": ONE}, True),
    ({"subjects": (f"{ONE}|support-bot",)}, {"iss": TWO}, False),
    ({"subjects": (f"{ONE}|support-bot",)}, {"iss": ONE, "sub": "support-bot2"}, False),
    ({"subjects": ("https://*|support-bot",)}, {"iss": ONE}, False),
    ({"subjects": (f"{ONE}|auth0|7",)}, {"iss": ONE, "sub": "auth0|7"}, True),
    ({"subjects": ("auth0|7",)}, {"iss": ONE, "sub": "auth0|7"}, True),
    ({"subjects": (f"{ONE}|a", f"{TWO}|b")}, {"iss": TWO, "sub": "a"}, False),
]


@pytest.mark.parametrize(("keys", "subject", "allowed"), CALLERS)
def test_a_rule_names_subjects_of_one_issuer(keys: dict[str, Any], subject: dict[str, Any], *, allowed: bool) -> None:
    verdict = decide(policy(rule(**keys)), exchange(**subject))
    assert (verdict.action is Action.ALLOW) is allowed


LIMITED = (
    rule("for all"),
    rule("for close", hosts=("ledger.example.com",), workflows=("monthly-close",)),
)


@pytest.mark.parametrize(
    ("workflow", "host", "decided"),
    [
        (None, "api.example.com", "for all"),
        (None, "ledger.example.com", "for all"),
        ("monthly-close", "ledger.example.com", "for close"),
        ("monthly-close", "api.example.com", None),
        ("another", "api.example.com", "for all"),
        ("another", "ledger.example.com", "for all"),
    ],
)
def test_a_workflow_that_rules_name_gets_nothing_from_the_others(
    workflow: str | None, host: str, decided: str | None
) -> None:
    assert decide(policy(*LIMITED), exchange(host, workflow=workflow)).rule == decided


def test_a_rule_that_denies_binds_every_workflow() -> None:
    rules = policy(rule("no", Action.DENY, hosts=("ledger.example.com",)), *LIMITED)
    assert decide(rules, exchange("ledger.example.com", workflow="monthly-close")).rule == "no"


def test_a_rule_that_denies_a_workflow_something_takes_nothing_else_from_it() -> None:
    rules = policy(rule("no", Action.DENY, hosts=("a.example.com",), workflows=("w",)), rule("for all"))
    assert decide(rules, exchange("b.example.com", workflow="w")).rule == "for all"


def test_what_holds_for_a_workflow_limits_it_as_well() -> None:
    rules = policy(rule("ask", Action.HOLD, hosts=("a.example.com",), workflows=("w",)), rule("for all"))
    assert decide(rules, exchange("b.example.com", workflow="w")).action is Action.DENY


def test_explain_says_that_a_workflow_is_limited() -> None:
    told = policy(*LIMITED).explain(exchange(workflow="monthly-close"), NONE)
    assert (told[0].key, told[0].got) == ("workflows", "monthly-close")
