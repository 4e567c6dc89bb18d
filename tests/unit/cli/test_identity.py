"""Tokens of the embedded issuer, and who a token is from."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

type Run = Callable[..., Result]


@pytest.mark.usefixtures("installed")
def test_a_token_is_all_that_is_printed_and_it_says_who(run: Run) -> None:
    issued = run("identity", "issue", "--subject", "bot", "--group", "a", "--group", "b", "--workflow", "w")
    assert (issued.exit_code, issued.stderr, issued.stdout.count("\n")) == (0, "", 1)
    checked = run("identity", "check", issued.stdout.strip(), "--json")
    subject = json.loads(checked.stdout)["subject"]
    assert checked.exit_code == 0
    assert [subject[key] for key in ("sub", "groups", "workflow")] == ["bot", ["a", "b"], "w"]


@pytest.mark.usefixtures("installed")
def test_a_token_from_standard_input_is_checked(run: Run) -> None:
    token = run("identity", "issue", "--subject", "bot").stdout
    checked = run("identity", "check", "-", input=token)
    assert checked.exit_code == 0
    assert "subject   bot\n" in checked.stdout
    assert token.strip() not in checked.stdout


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("as_json", [False, True])
def test_why_a_token_is_refused_is_said_with_exit_1(run: Run, *, as_json: bool) -> None:
    checked = run("identity", "check", "a.b.c", *(["--json"] if as_json else []))
    assert checked.exit_code == 1
    assert "bad-token" in checked.stdout
    if as_json:
        assert json.loads(checked.stdout)["ok"] is False


def test_a_life_is_bounded_by_the_issuer(run: Run, installed: Path) -> None:
    config = installed / "config.toml"
    config.write_text(
        config.read_text()
        + '\n[[identity.issuers]]\nissuer = "https://short"\njwks = "data/issuer.jwks.json"\nmax_life = "10m"\n'
    )
    token = run("identity", "issue", "--subject", "bot").stdout.strip()
    assert run("identity", "check", token).exit_code == 0
    refused = run("identity", "issue", "--subject", "bot", "--ttl", "1h")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "at most 10m" in refused.stderr


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("ttl", ["forever", "1", "-1h"])
def test_a_life_that_is_none_is_wrong_use(run: Run, ttl: str) -> None:
    result = run("identity", "issue", "--subject", "bot", "--ttl", ttl)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "expected a duration such as" in result.stderr


def test_without_the_embedded_issuer_it_says_so(run: Run, installed: Path) -> None:
    config = installed / "config.toml"
    config.write_text(
        config.read_text() + '\n[[identity.issuers]]\nissuer = "https://idp"\njwks = "elsewhere.jwks.json"\n'
    )
    result = run("identity", "issue", "--subject", "bot")
    assert result.exit_code == 2
    assert "none is the embedded one" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_may_not_be_read_is_said_to_be_so(run: Run, installed: Path) -> None:
    (installed / "data" / "keys" / "issuer.key").chmod(0)
    assert "may not be read by you" in run("identity", "issue", "--subject", "bot").stderr


def test_a_broken_key_is_said_to_be_so(run: Run, installed: Path) -> None:
    (installed / "data" / "keys" / "issuer.key").write_text("nonsense")
    result = run("identity", "issue", "--subject", "bot")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "holds no private key" in result.stderr
