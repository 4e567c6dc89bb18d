import subprocess
import tomllib
from pathlib import Path

import pytest

from gatekeeper.cli.demo import installation
from gatekeeper.cli.demo.certificates import ServerCertificate
from gatekeeper.cli.demo.installation import (
    REVIEWER,
    REVIEWER_KEY,
    check_folder,
    check_requirements,
    make_reviewer,
    write_config,
)
from gatekeeper.cli.problem import Problem
from gatekeeper.config import Action, load_config


def test_the_configuration_loads_and_holds_refunds(tmp_path: Path) -> None:
    certificate = ServerCertificate(tmp_path / "up" / "ca.pem", tmp_path / "up" / "c.pem", tmp_path / "up" / "k.pem")
    address = write_config(tmp_path, certificate, 4001, 4002)
    config = load_config(tmp_path / "config.toml", (), {})
    assert config.proxy.listen == address
    assert config.proxy.upstream_ca == str(tmp_path / "up" / "ca.pem")
    assert [(rule.action, rule.ports) for rule in config.rules] == [(Action.HOLD, (4002,)), (Action.ALLOW, (4001,))]
    assert tomllib.loads((tmp_path / "config.toml").read_text())["proxy"]["upstream_ca"] == "up/ca.pem"


def test_the_reviewers_key_signs_for_approvals_only(tmp_path: Path) -> None:
    make_reviewer(tmp_path)
    key = tmp_path / REVIEWER_KEY
    assert key.stat().st_mode & 0o077 == 0
    for namespace, expected in (("gatekeeper-approval", True), ("file", False)):
        signature = subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-f", key, "-n", namespace], input=b"x", capture_output=True, check=True
        ).stdout
        (tmp_path / "x.sig").write_bytes(signature)
        command = ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "allowed_signers", "-I", REVIEWER, "-n", namespace]
        done = subprocess.run([*command, "-s", tmp_path / "x.sig"], input=b"x", capture_output=True, check=False)
        assert (done.returncode == 0) is expected


def test_a_new_or_an_empty_folder_will_do(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "new")


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(Problem, match="is not empty"):
        check_folder(tmp_path)
    with pytest.raises(Problem, match="is not empty"):
        check_folder(tmp_path / "mine")


def test_what_is_not_installed_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda name: None if name == "llmock" else object())
    with pytest.raises(Problem) as refused:
        check_requirements()
    assert refused.value.message == "demo needs llmock: install with `pip install 'gatekeeper-proxy[demo]'`"


def test_a_machine_without_openssh_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Problem, match="install the OpenSSH client"):
        check_requirements()
