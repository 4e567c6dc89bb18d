"""Is the configuration good, and what is in force."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

type Run = Callable[..., Result]


def test_what_is_in_force_is_printed_as_toml_that_loads_again(run: Run, folder: Path) -> None:
    result = run("config", "check", "--set", "proxy.listen=127.0.0.1:9999")
    assert (result.exit_code, result.stderr) == (0, "")
    shown = tomllib.loads(result.stdout)
    assert shown["proxy"]["listen"] == "127.0.0.1:9999"
    (folder / "again.toml").write_text(result.stdout)
    assert run("--config", "again.toml", "config", "check").stdout == result.stdout.replace(":9999", ":9999")


def test_nothing_is_made(run: Run, folder: Path) -> None:
    run("config", "check")
    assert [path.name for path in folder.iterdir()] == ["config.toml"]


def test_secrets_are_hidden(run: Run, folder: Path) -> None:
    config = folder / "config.toml"
    config.write_text(config.read_text().replace("Bearer ${env:SPECIAL_ACCESS}", "Bearer s3cret"))
    for arguments in ([], ["--json"]):
        output = run("config", "check", *arguments).output
        assert "s3cret" not in output
        assert "‹secret›" in output


def test_json_has_the_same(run: Run) -> None:
    assert json.loads(run("config", "check", "--json").stdout) == tomllib.loads(run("config", "check").stdout)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ('[[rules]]\nname = "x"\naction = "allow"\nmatch = "~nonsense ("\n', "is no mitmproxy filter expression"),
        ('[[rules]]\nname = "x"\naction = "allow"\nprompt = ["(?=a)"]\n', "rules[3].prompt[0]: "),
        ('[masking.response]\nNO_SUCH = "replace"\n', "masking.response"),
        ('[credentials."x.example"]\nvalue = "${vault:x}"\n', "credentials.x.example.value: "),
        ('[[identity.issuers]]\nissuer = "https://idp"\njwks = "absent.json"\n', "identity.issuers[0].jwks: "),
        ('[approvals]\nreviewers = "."\n', "approvals.reviewers: "),
        ("[nonsense]\n", "nonsense: unknown key"),
    ],
)
def test_what_run_would_refuse_is_refused_here(run: Run, folder: Path, more: str, text: str) -> None:
    config = folder / "config.toml"
    original = config.read_text()
    config.write_text(original.replace("[approvals.groups]", more + "[approvals.groups]"))
    result = run("config", "check")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.output
    assert text in result.stderr


def test_issuers_keys_are_read_where_they_are_there(run: Run, installed: Path) -> None:
    assert run("config", "check").exit_code == 0
    (installed / "data" / "issuer.jwks.json").write_text("{}")
    assert "identity.issuers[0].jwks: " in run("config", "check").stderr
