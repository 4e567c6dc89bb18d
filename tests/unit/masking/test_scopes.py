import msgspec
import pytest

from gatekeeper.config import ConfigError, MaskingConfig, OperatorTables
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker

CONFIG = msgspec.convert(
    {
        "response": {"default": "replace", "US_SSN": "redact"},
        "hosts": {
            "api.example.com": {"response": {"EMAIL_ADDRESS": "redact"}},
            "*.example.com": {"response": {"default": "keep"}},
            "*.deep.example.com": {"request": {"EMAIL_ADDRESS": "redact"}},
        },
    },
    MaskingConfig,
)
RULES = {"open": OperatorTables(response={"EMAIL_ADDRESS": "keep"}), "plain": OperatorTables()}
TEXT = "a@b.example 536-90-4399"


@pytest.mark.parametrize(
    ("host", "rule", "seen"),
    [
        ("other.example", None, "<EMAIL_ADDRESS> "),
        ("other.example", "plain", "<EMAIL_ADDRESS> "),
        ("other.example", "open", "a@b.example "),
        ("api.example.com", None, " "),
        ("API.example.com.", None, " "),
        ("api.example.com", "open", "a@b.example "),
        ("www.example.com", None, "a@b.example "),
        ("example.com", None, "<EMAIL_ADDRESS> "),
        ("x.deep.example.com", None, "<EMAIL_ADDRESS> "),
    ],
)
def test_a_rules_operators_go_before_its_hosts_and_these_before_the_rest(
    host: str, rule: str | None, seen: str
) -> None:
    masker = Masker(CONFIG, b"key", rules=RULES).under(host, rule)

    assert masker.inspect(Message(status=200, body=TEXT.encode())).to_client().body.decode() == seen


def test_requests_have_tables_of_their_own() -> None:
    masker = Masker(CONFIG, b"key", rules=RULES)
    request = masker.inspect(Message(method="POST", url="https://x.deep.example.com/", path="/", body=TEXT.encode()))

    assert request.upstream() is request.message
    assert request.under(masker.under("x.deep.example.com", None)).upstream().body == b" 536-90-4399"
    assert b"536" not in request.under(masker.under("x.deep.example.com", None)).recorded().body


def test_the_same_scope_is_made_once() -> None:
    masker = Masker(CONFIG, b"key", rules=RULES)

    assert masker.under("api.example.com", "plain") is masker.under("api.example.com", None)
    assert masker.under("nowhere.example", None) is masker


def test_an_entity_that_there_is_not_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"rule 'a': masking.response.NOTHING: no detector has this name"):
        Masker(MaskingConfig(), b"key", rules={"a": OperatorTables(response={"NOTHING": "keep"})})
