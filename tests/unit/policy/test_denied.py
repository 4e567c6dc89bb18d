from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import Action, parse_config
from gatekeeper.exchange import (
    DialectName,
    Exchange,
    ExchangeId,
    ExchangeSummary,
    Instant,
    Message,
    Reason,
    RuleName,
    Scheme,
    Side,
    Subject,
    Target,
    Verdict,
)
from gatekeeper.policy import Policy, denial, suggest_rule

NOW = Instant(1_700_000_000_000_000)
NO_RULE = Verdict(Action.DENY, None, ("no rule matches",))


def exchange(
    host: str = "api.example.com", path: str = "/v1/refunds", method: str = "POST", port: int = 443
) -> Exchange:
    x = Exchange(ExchangeId("0123456789abcdef"), NOW)
    x.subject = Subject(iss="https://i", sub="bot", token="t", expires=NOW)
    x.target = Target(Scheme.HTTPS, host, port)
    x.request = Message(method=method, path=path)
    x.summary = ExchangeSummary(dialect=DialectName.HTTP)
    x.findings = ()
    return x


def test_a_suggested_rule_is_toml() -> None:
    assert suggest_rule(exchange()) == (
        "[[rules]]\n"
        'name = "allow POST api.example.com/v1/refunds"\n'
        'hosts = ["api.example.com"]\n'
        'methods = ["POST"]\n'
        'paths = ["/v1/refunds"]\n'
        'action = "allow"\n'
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("", "/"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1beta/models", "/v1beta/models"),
        ("/v2.1/things/", "/v2.1/things/"),
        ("/v1/cards/4111111111111111", "/v1/cards/*"),
        ("/users/ann@example.com/mail", "/users/*/mail"),
        ("/t/" + "k" * 33 + "/x", "/t/*/x"),
        ("/v1/v1234", "/v1/*"),
        ("/a%20b", "/*"),
        ("/models/gemini-2.5:generateContent", "/models/*"),
    ],
)
def test_of_a_path_only_words_are_quoted(path: str, shown: str) -> None:
    assert f'paths = ["{shown}"]' in suggest_rule(exchange(path=path))
    message = denial(exchange(path=path), NO_RULE).message
    assert f"https://api.example.com{shown}." in message
    assert "4111" not in message


@pytest.mark.parametrize("method", ["4111111111111111", "get", "PROPFIND"])
def test_an_uncommon_method_is_not_quoted(method: str) -> None:
    assert "methods" not in suggest_rule(exchange(method=method))
    assert method not in denial(exchange(method=method), NO_RULE).message


@given(
    host=st.sampled_from(["api.example.com", "10.0.0.1", "2001:db8::1"]),
    path=st.text("/abc019*:@%.-_~\"'\\é\x7f", max_size=20).map(lambda text: f"/{text}"),
    method=st.sampled_from(["GET", "POST", "PURGE", "x"]),
    port=st.sampled_from([443, 80, 8443]),
)
def test_what_is_suggested_allows_the_call(host: str, path: str, method: str, port: int) -> None:
    x = exchange(host, path, method, port)
    config = parse_config(suggest_rule(x), Path("config.toml"))
    verdict = Policy(config.rules, (443,)).decide(x, Side.REQUEST, frozenset(), NOW)
    assert verdict.action is Action.ALLOW


def test_where_no_rule_matches_the_caller_is_told_which_to_write() -> None:
    refusal = denial(exchange("2001:db8::1", port=8443), NO_RULE)
    assert (refusal.status, refusal.reason, refusal.rule) == (403, Reason.NO_RULE, "")
    assert refusal.message == (
        "no rule allows POST https://[2001:db8::1]:8443/v1/refunds. To allow it, add to config.toml a table [[rules]] "
        'with name = "allow POST [2001:db8::1]:8443/v1/refunds", hosts = ["2001:db8::1"], ports = [8443], '
        'methods = ["POST"], paths = ["/v1/refunds"], action = "allow".'
    )


def test_where_a_rule_denies_it_is_named_with_its_reasons() -> None:
    refusal = denial(exchange(), Verdict(Action.DENY, RuleName("no cards"), ("finding CREDIT_CARD",)))
    assert (refusal.status, refusal.reason, refusal.rule) == (403, Reason.DENIED_BY_RULE, "no cards")
    assert "'no cards'" in refusal.message
    assert "finding CREDIT_CARD" in refusal.message


def test_what_can_not_be_inspected_gets_no_rule_suggested() -> None:
    x = exchange()
    x.uninspected = "unknown-encoding"
    refusal = denial(x, NO_RULE)
    assert refusal.reason is Reason.NO_RULE
    assert "can't be inspected" in refusal.message
    assert "[[rules]]" not in refusal.message


@pytest.mark.parametrize("action", [Action.ALLOW, Action.HOLD])
def test_a_verdict_that_is_no_denial_is_an_error(action: Action) -> None:
    with pytest.raises(ValueError, match="is no denial"):
        denial(exchange(), Verdict(action, RuleName("r")))


@pytest.mark.parametrize("part", ["target", "request"])
def test_nothing_is_suggested_for_an_unknown_place(part: str) -> None:
    x = exchange()
    setattr(x, part, None)
    with pytest.raises(ValueError, match="target and request"):
        suggest_rule(x)
