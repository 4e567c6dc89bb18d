"""Which rule decides, and why no earlier one did."""

import json
from collections.abc import Callable

import pytest
from click.testing import Result

type Run = Callable[..., Result]


def test_the_rule_that_decides_is_named_and_why_the_others_did_not(run: Run) -> None:
    result = run("policy", "explain", "--subject", "s", "--group", "agents", "GET", "https://API.openai.com./v1")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "rules[0] 'refunds': not this one: hosts wants payments.example.com, got api.openai.com",
        "rules[1] 'model': decides: allow",
        "allow by rule 'model': host api.openai.com, group agents",
    ]


def test_a_rule_that_looks_into_calls_is_left_open(run: Run) -> None:
    result = run("policy", "explain", "--subject", "s", "post", "https://payments.example.com/v1/refunds?x=1")
    assert result.exit_code == 1
    assert "rules[0] 'refunds': hold where findings has CREDIT_CARD, which only a real call shows" in result.stdout
    assert "deny by default: no rule matches" in result.stdout
    assert 'hosts = ["payments.example.com"]' in result.stdout


def test_what_a_rule_denies_is_no_without_a_suggestion(run: Run) -> None:
    result = run("policy", "explain", "--subject", "s", "GET", "https://evil.example.com/")
    assert result.exit_code == 1
    assert "deny by rule 'never'" in result.stdout
    assert "[[rules]]" not in result.stdout


def test_json_has_it_all(run: Run) -> None:
    result = run("policy", "explain", "--subject", "s", "GET", "https://api.openai.com/", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["action"], answer["rule"]) == (1, "deny", None)
    assert [(rule["rule"], rule["key"]) for rule in answer["rules"]] == [
        ("refunds", "hosts"),
        ("model", "groups"),
        ("never", "hosts"),
    ]
    assert answer["suggestion"].startswith("[[rules]]")


@pytest.mark.parametrize("url", ["https://x.example/a%2fb", "https://x.example//a", "https://x.example/a;b"])
def test_a_path_that_can_be_read_in_two_ways_is_refused_before_any_rule(run: Run, url: str) -> None:
    result = run("policy", "explain", "--subject", "s", "GET", url)
    assert result.exit_code == 1
    assert result.stdout.startswith("refused before any rule (ambiguous-path): ")


@pytest.mark.parametrize(
    "url", ["api.openai.com", "ftp://x", "https://", "https://x:99999/", "https://x:y/", "https://[::1", "https://a b/"]
)
def test_what_is_no_url_is_wrong_use(run: Run, url: str) -> None:
    result = run("policy", "explain", "--subject", "s", "GET", url)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith("gatekeeper: URL: ")
