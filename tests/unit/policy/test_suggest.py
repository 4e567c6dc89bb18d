"""The rules that are suggested allow all that was done, and next to nothing else."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import Action, RuleConfig, parse_config
from gatekeeper.exchange import (
    DialectName,
    Exchange,
    ExchangeId,
    ExchangeSummary,
    Instant,
    Message,
    Party,
    Scheme,
    Side,
    Subject,
    Target,
)
from gatekeeper.policy import Policy
from gatekeeper.policy.suggest import Used, suggest, write_rules

ISSUER = "https://gatekeeper.local"
BOT = Party(ISSUER, "billing-bot")
KEYS = RuleConfig.__struct_fields__


def used(method: str = "GET", path: str = "/v1/invoices", host: str = "api.example.com", **more: Any) -> Used:
    return Used(**{"subject": BOT, "workflow": None, "host": host, "port": 443, "method": method, "path": path, **more})


def rules_for(*calls: Used) -> tuple[RuleConfig, ...]:
    return parse_config(write_rules(suggest(calls), KEYS), Path("/x/config.toml")).rules


def test_a_host_gets_a_rule_for_each_set_of_methods() -> None:
    rules = rules_for(
        used("GET", "/v1/invoices"), used("GET", "/v1/invoices/12345678"), used("GET", "/v1/customers"),
        used("POST", "/v1/payments"), used("POST", "/v1/payments"), used("GET", "/", "b.example.com"),
    )  # fmt: skip
    assert [(rule.hosts, rule.methods, rule.paths) for rule in rules] == [
        (("api.example.com",), ("GET",), ("/v1/customers", "/v1/invoices", "/v1/invoices/*")),
        (("api.example.com",), ("POST",), ("/v1/payments",)),
        (("b.example.com",), ("GET",), ("/",)),
    ]
    assert all(rule.subjects == (f"{ISSUER}|billing-bot",) and rule.action is Action.ALLOW for rule in rules)


def test_a_port_that_is_not_the_usual_one_is_named() -> None:
    assert rules_for(used(port=8443))[0].ports == (8443,)
    assert rules_for(used())[0].ports == ()


def test_a_workflow_is_named_where_every_call_had_one() -> None:
    assert rules_for(used(workflow="close"), used(workflow="open"))[0].workflows == ("close", "open")
    assert rules_for(used(workflow="close"), used())[0].workflows == ()


def test_models_and_tools_that_were_used_are_keys_where_rules_have_such() -> None:
    found = suggest([used(model="gpt-5", tools=("refund", "search")), used(model="gpt-5-mini")])
    both = tomllib.loads(write_rules(found, (*KEYS, "models", "tools")))["rules"][0]
    assert (both["models"], both["tools"]) == (["gpt-5", "gpt-5-mini"], ["refund", "search"])
    text = write_rules(found, {"methods", "paths", "subjects"})
    assert "# models seen: gpt-5, gpt-5-mini" in text
    assert "# tools seen: refund, search" in text


def test_nothing_gives_nothing() -> None:
    assert suggest([]) == ()
    assert write_rules((), KEYS) == ""


TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="*"), min_size=1, max_size=12)
CALLS = st.lists(
    st.builds(
        lambda method, path, host, sub: used(method, "/" + path, host, subject=Party(ISSUER, sub)),
        st.sampled_from(["GET", "POST", "DELETE"]),
        st.text("abc/123é<>\"\\'%*", max_size=12),
        st.sampled_from(["a.example.com", "b.example.com"]),
        TEXT,
    ),
    min_size=1,
    max_size=8,
)


@given(CALLS)
def test_what_was_done_is_allowed_and_another_subject_is_not(calls: list[Used]) -> None:
    policy = Policy(rules_for(*calls), (443,))
    for call in calls:
        assert _decide(policy, call, call.subject.sub).action is Action.ALLOW
        assert _decide(policy, call, call.subject.sub + "?").action is Action.DENY


@pytest.mark.parametrize("sub", ["*", "bot-*", "*-bot"])
def test_a_subject_that_would_stand_for_others_gets_no_rule(sub: str) -> None:
    with pytest.raises(ValueError, match="would stand for any characters"):
        suggest([used(subject=Party(ISSUER, sub))])


def test_another_method_is_denied() -> None:
    policy = Policy(rules_for(used("GET"), used("POST", "/v1/payments")), (443,))
    assert _decide(policy, used("POST"), "billing-bot").action is Action.DENY
    assert _decide(policy, used("GET", "/v1/payments"), "billing-bot").action is Action.DENY


def _decide(policy: Policy, call: Used, sub: str) -> Any:
    x = Exchange(ExchangeId("0123456789abcdef"), Instant(0))
    x.subject = Subject(iss=call.subject.iss, sub=sub, token="t", expires=Instant(0))
    x.target = Target(Scheme.HTTPS, call.host, call.port)
    x.request = Message(method=call.method, url=f"https://{call.host}{call.path}", path=call.path)
    x.summary, x.findings = ExchangeSummary(dialect=DialectName.HTTP), ()
    return policy.decide(x, Side.REQUEST, frozenset(), Instant(0))
