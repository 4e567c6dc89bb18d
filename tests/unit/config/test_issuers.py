from pathlib import Path

import pytest

from gatekeeper.config import Config, ConfigError, parse_config

FILE = Path("/etc/gatekeeper/config.toml")
ONE = '[[identity.issuers]]\nissuer = "https://one.example"\n'
TWO = '[[identity.issuers]]\nissuer = "https://two.example"\n'
RULE = '[[rules]]\nname = "a"\naction = "{action}"\n'
ALLOW = RULE.format(action="allow")


def parse(text: str) -> Config:
    return parse_config(text, FILE)


GOOD = [
    ONE,
    ONE + 'jwks = "https://one.example/keys"',
    ONE + 'jwks = "keys.json"',
    ONE + 'profile = "kubernetes"\nrequire = { "/kubernetes.io/namespace" = ["agents"] }',
    ONE + 'profile = "github"\nrequire = { repository_owner_id = ["1"] }',
    ONE + 'profile = "google"\nrequire = { sub = ["1"] }',
    '[[identity.issuers]]\nissuer = "spiffe://one.example"\njwks = "bundle.json"\nprofile = "spiffe"',
    ONE + 'profile = "spiffe"\nrequire = { sub = ["spiffe://one.example/*"] }',
    ONE + 'claims = { groups = "", workflow = "/a/b" }',
    ONE + '[[identity.issuers.map]]\nclaim = "a"\nglob = "b*"\ngroups = ["c"]',
    ONE + ALLOW + 'subjects = ["bot"]\ngroups = ["g"]\nworkflows = ["w"]',
    ONE + TWO + ALLOW + 'subjects = ["https://one.example|bot"]',
    ONE + TWO + ALLOW + 'issuers = ["https://one.example"]\nsubjects = ["bot"]\ngroups = ["g"]\nworkflows = ["w"]',
    ONE + TWO + RULE.format(action="deny") + 'subjects = ["bot"]\ngroups = ["g"]\nworkflows = ["w"]',
    ONE + TWO + 'claims = { groups = "", workflow = "" }\n' + ALLOW + 'groups = ["g"]\nworkflows = ["w"]',
    ONE + ALLOW + 'subjects = ["auth0|5f7c8ec7c33c6c004bbafe82"]',
]

FAULTS = [
    (ONE + 'jwks = "http://one.example/keys"', "jwks: 'http://one.example/keys': expected a file, or an https URL"),
    (ONE + 'jwks = "https://me:you@one.example/keys"', "jwks: "),
    (ONE + 'jwks = "https://one.example/keys#a"', "jwks: "),
    (ONE + 'jwks = "https://[one/keys"', "jwks: "),
    (ONE.replace("https", "http"), "jwks: is empty, so keys are found by discovery"),
    (ONE.replace("https://one.example", "one"), "jwks: is empty, so keys are found by discovery"),
    ('[[identity.issuers]]\nissuer = "spiffe://one.example"\nprofile = "spiffe"', "jwks: is empty"),
    (ONE + 'audience = ""', "audience: is empty"),
    (ONE + 'profile = "other"', "profile: invalid enum value"),
    (ONE + 'profile = "github"', "require: anybody gets tokens of such an issuer"),
    (ONE + 'profile = "github"\nrequire = { repository = ["acme/*"] }', "require: anybody"),
    (ONE + 'profile = "google"', "require: anybody gets tokens of such an issuer"),
    (ONE + 'profile = "spiffe"', "require: anybody gets tokens of such an issuer"),
    (ONE + "require = { sub = [] }", "require.sub: expected a claim, and a list"),
    (ONE + '[[identity.issuers.map]]\nclaim = ""\nvalue = "b"\ngroups = ["c"]', "map[0].claim: is empty"),
    (ONE + '[[identity.issuers.map]]\nclaim = "a"\ngroups = ["c"]', "map[0].value: expected either"),
    (ONE + '[[identity.issuers.map]]\nclaim = "a"\nvalue = "b"\nglob = "b"\ngroups = ["c"]', "map[0].value: expected"),
    (ONE + '[[identity.issuers.map]]\nclaim = "a"\nvalue = "b"', "map[0].groups: gives neither"),
]  # fmt: skip

RULE_FAULTS = [
    (ALLOW + 'issuers = ["https://three.example"]', "issuers[0]: 'https://three.example' is not among"),
    (ALLOW + 'subjects = ["https://three.example|bot"]', "subjects[0]: 'https://three.example' is not among"),
    (ALLOW + 'subjects = ["bot"]', "subjects[0]: 'bot': each of 2 issuers could name a subject so"),
    (ALLOW + 'subjects = ["auth0|bot"]', "subjects[0]: 'auth0|bot': each of 2 issuers"),
    (ALLOW + 'groups = ["g"]', "groups: each of 2 issuers could say so"),
    (ALLOW + 'workflows = ["w"]', "workflows: each of 2 issuers could say so"),
]


@pytest.mark.parametrize("text", GOOD)
def test_takes(text: str) -> None:
    assert parse(text).identity.issuers


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_names_what_is_wrong_with_an_issuer(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"{FILE}: identity.issuers[0].{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "message"), RULE_FAULTS)
def test_a_rule_that_one_issuer_could_use_for_anothers_subject_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(ONE + TWO + text)
    assert str(caught.value).startswith(f"{FILE}: rules[0].{message}")
