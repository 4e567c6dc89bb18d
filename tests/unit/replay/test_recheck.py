"""Recorded calls, decided and masked again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from journals import request, response, write_journal
from recorded import changed

from gatekeeper.config import Action, MaskingConfig, RuleConfig
from gatekeeper.exchange import RuleName
from gatekeeper.journal import Content, Draft, Reader
from gatekeeper.masking import Masker
from gatekeeper.policy import Policy
from gatekeeper.replay import calls
from gatekeeper.replay.recheck import Rechecked, Result, recheck

type Check = Callable[..., Rechecked]

ALLOW = RuleConfig(name="r", action=Action.ALLOW, hosts=("api.example.com",))
DENY = RuleConfig(name="no", action=Action.DENY, hosts=("api.example.com",))
PROMPT = RuleConfig(name="words", action=Action.DENY, prompt=("secret",))


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def run(draft: Draft, *rules: RuleConfig, answer: Draft | None = None) -> Rechecked:
        write_journal(tmp_path, [draft, answer or response(1)])
        text_rules = [RuleName(rule.name) for rule in rules if rule.prompt or rule.match]
        masker = Masker(MaskingConfig(), b"\0" * 32)
        with Reader(tmp_path / "journal", tmp_path / "keys") as reader:
            found = calls(reader, reader.entries(0, reader.size))
            (one,) = recheck(found, Policy(rules, (443,)), masker, lambda _: frozenset(), text_rules=text_rules)
        return one

    return run


def test_the_same_rules_give_the_same(check: Check) -> None:
    one = check(request(1), ALLOW)
    assert (one.result, one.why) == (Result.SAME, ())


def test_another_rule_is_a_difference_that_names_both(check: Check) -> None:
    one = check(request(1), DENY, ALLOW)
    assert one.result is Result.DIFFERENT
    assert one.why == ("decision: deny by rule 'no' where allow by rule 'r' was recorded",)


def test_a_rule_over_text_that_is_masked_can_not_be_decided(check: Check) -> None:
    masked = changed(request(1), findings={"CREDIT_CARD": 1})
    one = check(masked, PROMPT, ALLOW)
    assert one.decision is Result.UNDECIDABLE
    assert "'words'" in one.why[0]


def test_a_rule_over_findings_is_decided_by_the_recorded_ones(check: Check) -> None:
    cards = RuleConfig(name="cards", action=Action.DENY, findings=("CREDIT_CARD",))
    one = check(changed(request(1), findings={"CREDIT_CARD": 1}), cards, ALLOW)
    assert one.decision is Result.DIFFERENT


def test_what_was_masked_is_not_counted_as_clean(check: Check) -> None:
    one = check(request(1), ALLOW, answer=changed(response(1), findings={"EMAIL_ADDRESS": 2}))
    assert one.masking is Result.UNDECIDABLE
    assert one.why == ("masking: 2 findings are masked, and can't be found again",)


def test_what_stands_in_the_clear_is_found(check: Check) -> None:
    clear = changed(request(1), content=Content("application/json", b'{"card":"4111 1111 1111 1111"}'))
    one = check(clear, ALLOW)
    assert one.masking is Result.DIFFERENT
    assert one.why == ("masking: 1 CREDIT_CARD stood in the clear in the stored request",)


def test_a_path_that_is_refused_today_is_a_difference(check: Check) -> None:
    one = check(changed(request(1), url="https://api.example.com/a%2fb"), ALLOW)
    assert one.decision is Result.DIFFERENT
    assert one.verdict is None
