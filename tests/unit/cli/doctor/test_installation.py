import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.cli.doctor import installation
from gatekeeper.cli.doctor.installation import installation as look
from gatekeeper.cli.doctor.outcome import Outcome, State
from gatekeeper.config import Config, parse_config
from gatekeeper.exchange import now
from gatekeeper.gateway.first_run import prepare

TODAY = dt.datetime.now(dt.UTC)
TEXT = """
[proxy]
listen = "127.0.0.1:1"
[[rules]]
name = "held"
action = "hold"
reviewers = ["leads"]
[approvals.groups]
leads = ["alice@example.com"]
[credentials."api.example.com"]
value = "${env:KEY}"
"""
SIGNER = 'alice@example.com namespaces="gatekeeper-approval" ssh-ed25519 AAAA\n'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = parse_config(TEXT, tmp_path / "config.toml")
    prepare(made, now())
    signers = tmp_path / "allowed_signers"
    signers.write_text(SIGNER)
    signers.chmod(0o644)
    return made


def looked(config: Config, at: dt.datetime = TODAY, **environment: str) -> dict[str, Outcome]:
    return {one.check: one for one in look(config, {"KEY": "x"} | environment, at)}


def test_a_fresh_installation_needs_no_mend(config: Config) -> None:
    wrong = [one for one in looked(config).values() if one.state is State.WRONG]
    assert wrong == []


def _loosen(config: Config) -> None:
    (config.keys / "ca.key").chmod(0o644)


def _open_folder(config: Config) -> None:
    config.keys.chmod(0o755)


def _spoil(config: Config) -> None:
    (config.proxy.certs / "ca.pem").write_text("nothing")


def _drop_signers(config: Config) -> None:
    config.approvals.reviewers.unlink()


def _other_signer(config: Config) -> None:
    config.approvals.reviewers.write_text(SIGNER.replace("alice", "bob"))


def _any_purpose(config: Config) -> None:
    config.approvals.reviewers.write_text("alice@example.com ssh-ed25519 AAAA\n")


def _others_write(config: Config) -> None:
    config.approvals.reviewers.chmod(0o666)


def _open_socket(config: Config) -> None:
    config.admin_socket.parent.mkdir(mode=0o755)
    config.admin_socket.parent.chmod(0o755)
    config.admin_socket.touch(0o666)


@pytest.mark.parametrize(
    ("spoil", "check", "mend"),
    [
        (_loosen, "ca.key", "chmod 0600"),
        (_open_folder, "keys", "chmod 0700"),
        (_spoil, "CA", "backup"),
        (_drop_signers, "reviewers", "add the reviewers' keys"),
        (_other_signer, "reviewers", "add a line"),
        (_any_purpose, "reviewers", "namespaces="),
        (_others_write, "reviewers", "chmod 0644"),
        (_open_socket, "admin socket", "chmod 0750"),
    ],
)
def test_each_fault_is_found_with_its_mend(
    spoil: Callable[[Config], None], check: str, mend: str, config: Config
) -> None:
    spoil(config)
    wrong = [one for one in looked(config).values() if one.state is State.WRONG]
    assert [one.check.rpartition("/")[2] for one in wrong] == [check]
    assert mend in wrong[0].mend


def test_a_ca_that_is_about_to_end_is_told(config: Config) -> None:
    assert looked(config, TODAY + dt.timedelta(days=3640))["CA"].state is State.WRONG


def test_a_secret_that_is_missing_is_told_and_not_shown(config: Config) -> None:
    outcome = looked(config, KEY="")["credential of api.example.com"]
    assert outcome.state is State.WRONG
    assert "KEY" in outcome.found


def test_a_disk_that_is_full_is_told(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "ROOM", 1 << 60)
    assert looked(config)["disk"].state is State.WRONG
