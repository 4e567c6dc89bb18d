import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gatekeeper.config import (
    Action,
    ApprovalsConfig,
    AwsConfig,
    Config,
    ConfigError,
    CredentialConfig,
    IssuerConfig,
    OperatorConfig,
    RuleConfig,
    Seconds,
    hide_secrets,
    load_config,
    parse_config,
)
from gatekeeper.config.model import ClaimMapping, SamlConfig

SHIPPED = Path(__file__).parents[3] / "config.toml"
FILE = Path("/etc/gatekeeper/config.toml")


def parse(text: str, *settings: str, **environment: str) -> Config:
    return parse_config(text, FILE, settings, environment)


def test_the_shipped_file_says_what_holds_without_it_but_for_its_rules() -> None:
    shipped, defaults = load_config(SHIPPED, [], {}), parse_config("", SHIPPED)
    assert msgspec.structs.replace(shipped, rules=()) == defaults
    assert shipped.rules


def test_the_shipped_rules_allow_hosts_by_name_and_ask_nothing_else_of_the_subject() -> None:
    for rule in load_config(SHIPPED, [], {}).rules:
        assert rule.action is Action.ALLOW
        assert rule.hosts
        assert not any("*" in host for host in rule.hosts)
        assert rule == RuleConfig(name=rule.name, action=rule.action, hosts=rule.hosts, paths=rule.paths)


def keys_of(section: type[msgspec.Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(section):
        yield field.encode_name
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from keys_of(field.type)


def test_the_shipped_file_names_every_key() -> None:
    text = SHIPPED.read_text()
    sections = (
        Config,
        IssuerConfig,
        ClaimMapping,
        SamlConfig,
        RuleConfig,
        OperatorConfig,
        CredentialConfig,
        AwsConfig,
        ApprovalsConfig,
    )
    keys = {key for section in sections for key in keys_of(section)}
    assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", text)] == []


@pytest.mark.parametrize("section", ["proxy", "admin", "egress", "identity", "journal", "approvals"])
def test_the_shipped_file_sets_every_plain_key_live(section: str) -> None:
    tree = tomllib.loads(SHIPPED.read_text())
    kind = Config.__annotations__[section]
    tables = {"exchange", "anchors", "saml"}  # arrays of tables, of which there are none as shipped
    assert {field.name for field in msgspec.structs.fields(kind)} - tables == set(tree[section])


def test_the_examples_of_the_shipped_file_are_valid() -> None:
    """What is commented out in code form must load when a person uncomments it."""
    text = SHIPPED.read_text()
    code = re.compile(r"^# (?=\[\[[a-z.]+\]\]|\[credentials|[a-z0-9_-]+ = |\x22api\.)", re.MULTILINE)
    config = parse_config(code.sub("", text), SHIPPED)
    assert [rule.action for rule in config.rules] == [
        Action.DENY, Action.HOLD, Action.HOLD, Action.ALLOW, Action.ALLOW,
    ]  # fmt: skip
    assert config.approvals.groups
    assert config.identity.issuers[1].map
    assert config.approvals.owners
    assert config.credentials
    assert len(config.journal.anchors) == 5


def test_paths_are_relative_to_the_file() -> None:
    config = parse("")
    assert config.journal.folder == Path("/etc/gatekeeper/data/journal")
    assert config.data == Path("/etc/gatekeeper/data")
    assert config.keys == Path("/etc/gatekeeper/data/keys")
    assert config.admin_socket == Path("/etc/gatekeeper/run/gatekeeper.sock")
    assert config.proxy.certs == Path("/etc/gatekeeper/certs")
    assert config.proxy.upstream_ca == ""
    assert config.identity.issuers[0].jwks == "/etc/gatekeeper/data/issuer.jwks.json"
    assert config.approvals.reviewers == Path("/etc/gatekeeper/allowed_signers")


def test_absolute_paths_stay() -> None:
    config = parse('[journal]\nfolder = "/srv/journal"\n[admin]\nlisten = "unix:/run/gk.sock"')
    assert config.journal.folder == Path("/srv/journal")
    assert config.admin_socket == Path("/run/gk.sock")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[proxy", "not TOML"),
        ("[proxy]\nlisten = 8080", "proxy.listen: expected str, got int"),
        ("[proxy]\nbody_limit = 1.5", "proxy.body_limit: expected str, got float"),
        ("[proxy]\nbody_limit = true", "proxy.body_limit: expected str, got bool"),
        ('[proxy]\nbody_limit = "32MB"', "proxy.body_limit: expected a size such as 32MiB, got '32MB'"),
        ('[proxy]\nidle_timeout = "x"', "proxy.idle_timeout: expected a duration"),
        ("[proxy]\nidle_timeout = 5", "proxy.idle_timeout: expected str, got int"),
        ("[proxy]\ncerts = 5", "proxy.certs: expected str, got int"),
        ("[proxy]\nspeed = 9", "proxy.speed: unknown key"),
        ("speed = 9", "speed: unknown key"),
        ('[[rules]]\naction = "allow"', "rules[0].name: is required"),
        ('[[rules]]\nname = "a"', "rules[0].action: is required"),
        ('[[rules]]\nname = "a"\naction = "permit"', "rules[0].action: invalid enum value 'permit'"),
        ('[[rules]]\nname = "a"\naction = "allow"\nquorum = "2"', "rules[0].quorum: expected int, got str"),
        ('[[rules]]\nname = "a"\naction = "allow"\nhosts = [1]', "rules[0].hosts[0]: expected str, got int"),
    ],
)
def test_what_can_not_be_used_names_file_key_and_fault(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"{FILE}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["budget"])
def test_a_key_that_is_not_acted_on_yet_is_refused_as_such(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"rules\[0\].{key}: not acted on by this version"):
        parse(f'[[rules]]\nname = "a"\naction = "deny"\n{key} = []')


def test_settings_win_over_variables_and_variables_over_the_file() -> None:
    text = '[proxy]\nlisten = "127.0.0.1:1"\nworkers = 1\n'
    assert parse(text).proxy.listen == "127.0.0.1:1"
    assert parse(text, GATEKEEPER_PROXY__LISTEN="127.0.0.1:2").proxy.listen == "127.0.0.1:2"
    assert parse(text, GATEKEEPER_SOCKET="/run/x.sock", GATEKEEPER_CONFIG="x.toml") == parse(text)
    both = parse(text, "proxy.listen=127.0.0.1:3", GATEKEEPER_PROXY__LISTEN="127.0.0.1:2")
    assert both.proxy.listen == "127.0.0.1:3"
    assert both.proxy.workers == 1


def test_settings_have_toml_values_or_bare_words() -> None:
    config = parse("", "egress.ports=[443, 8443]", "identity.header_identity=true", "proxy.idle_timeout=5m")
    assert config.egress.ports == (443, 8443)
    assert config.identity.header_identity
    assert config.proxy.idle_timeout == Seconds(300)


def test_other_variables_are_not_looked_at() -> None:
    assert parse("", PATH="/bin", GATEKEEPERS="x") == parse("")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("proxy.listen", "--set proxy.listen: expected key=value"),
        ("proxy.listen.port=1", "--set proxy.listen.port: listen is not a table"),
        ("proxy.speed=1", "proxy.speed: unknown key"),
    ],
)
def test_a_bad_setting_is_named(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        parse('[proxy]\nlisten = "127.0.0.1:1"', setting)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml: can't be read: No such file"):
        load_config(tmp_path / "config.toml", [], {})


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"config\.toml: can't be read: not UTF-8"):
        load_config(tmp_path / "config.toml", [], {})


def test_the_configuration_in_force_is_shown_without_secrets() -> None:
    config = parse('[credentials."api.openai.com"]\nvalue = "Bearer sk-live-1234"')
    shown = hide_secrets(config)
    assert shown["credentials"]["api.openai.com"]["value"] == "‹secret›"
    assert shown["proxy"]["body_limit"] == "32MiB"
    assert "sk-live" not in repr(shown) + repr(config)
    assert config.credentials["api.openai.com"].value.reveal() == "Bearer sk-live-1234"


def test_a_size_may_be_a_bare_number_of_bytes() -> None:
    assert parse("[proxy]\nbody_limit = 512").proxy.body_limit == 512


def test_the_embedded_issuer_is_the_one_whose_keys_stand_in_the_data_folder() -> None:
    other = '[[identity.issuers]]\nissuer = "https://a.example"\njwks = "/etc/a.json"\n'
    own = other.replace("a.example", "b.example").replace("/etc/a.json", "data/issuer.jwks.json")
    assert parse(other).embedded_issuer is None
    found = parse(other + own).embedded_issuer
    assert found is not None
    assert found.issuer == "https://b.example"
    assert load_config(SHIPPED, [], {}).embedded_issuer is not None
