"""The variables as a shell, Docker and Kubernetes take them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from gatekeeper.cli.env import shell_lines
from gatekeeper.cli.environment import client_environment
from gatekeeper.config import load_config
from gatekeeper.exchange import now
from gatekeeper.identity import Verifier

type Run = Callable[..., Result]


def evaluated(lines: str) -> dict[str, str]:
    """Let a shell read the lines, and give what it then exports."""
    result = subprocess.run(["sh", "-c", lines + "env -0"], env={}, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in result.stdout.split("\0") if line)


def subject_of(folder: Path, proxy: str) -> str:
    token = proxy.removeprefix("http://workload:").split("@")[0]
    return Verifier.load(load_config(folder / "config.toml", (), {}).identity).verify(token, now()).sub


def lines_of(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def test_a_shell_reads_the_first_token_from_its_file_and_none_is_printed(run: Run, installed: Path) -> None:
    output = run("env", "--set", "proxy.listen=127.0.0.1:8080").stdout
    token = (installed / "data" / "first-token.jwt").read_text().strip()
    assert token not in output
    variables = evaluated(output)
    assert variables["HTTPS_PROXY"] == f"http://workload:{token}@127.0.0.1:8080"
    assert variables["SSL_CERT_FILE"] == str(installed / "certs" / "bundle.pem")


@pytest.mark.parametrize(
    "name", ["plain", "with space", "quote'd", 'double"d', "$(touch ran)", "`touch ran`", "back\\"]
)
def test_a_shell_reads_paths_as_they_are(tmp_path: Path, name: str) -> None:
    certs = tmp_path / name
    certs.mkdir()
    token = certs / "token"
    token.write_text("a.b.c\n")
    variables = evaluated(f"cd {tmp_path}; " + shell_lines("http://127.0.0.1:1", certs, token))
    expected = client_environment("http://workload:a.b.c@127.0.0.1:1", certs)
    assert expected.items() <= variables.items()
    assert not (tmp_path / "ran").exists()


def test_a_subjects_token_is_put_in(run: Run, installed: Path) -> None:
    variables = evaluated(run("env", "--subject", "billing-bot").stdout)
    assert subject_of(installed, variables["https_proxy"]) == "billing-bot"


def test_a_named_proxy_gets_no_token_unless_one_is_named(run: Run, installed: Path) -> None:
    variables = evaluated(run("env", "--proxy", "http://127.0.0.1:8081").stdout)
    assert variables["HTTPS_PROXY"] == "http://127.0.0.1:8081"
    token = installed / "data" / "first-token.jwt"
    variables = evaluated(run("env", "--proxy", "http://gw:1", "--token-file", str(token)).stdout)
    assert variables["HTTPS_PROXY"] == f"http://workload:{token.read_text().strip()}@gw:1"


def test_docker_gets_the_gateways_name_and_the_mounted_certificates(run: Run, installed: Path) -> None:
    output = run("env", "--format", "docker", "--subject", "bot", "--set", "proxy.listen=0.0.0.0:8080").stdout
    variables = lines_of(output)
    assert f"{installed}/certs:/etc/gatekeeper/certs:ro" in output.splitlines()[0]
    assert variables["HTTPS_PROXY"].endswith("@gatekeeper:8080")
    assert subject_of(installed, variables["HTTPS_PROXY"]) == "bot"
    assert variables["SSL_CERT_FILE"] == "/etc/gatekeeper/certs/bundle.pem"


def test_docker_gets_a_tokens_file_read(run: Run, folder: Path) -> None:
    (folder / "token").write_text("a.b.c\n")
    output = run("env", "--format", "docker", "--token-file", "token", "--set", "proxy.listen=10.0.0.1:8080").stdout
    assert lines_of(output)["HTTPS_PROXY"] == "http://workload:a.b.c@10.0.0.1:8080"


@pytest.mark.usefixtures("folder")
def test_kubernetes_gets_the_relay_and_no_token(run: Run) -> None:
    output = run("env", "--format", "k8s", "--set", "proxy.listen=127.0.0.1:8080").stdout
    assert '  - {name: HTTPS_PROXY, value: "http://127.0.0.1:8081"}' in output
    assert '  - {name: SSL_CERT_FILE, value: "/etc/gatekeeper/certs/bundle.pem"}' in output
    assert "gatekeeper relay --listen 127.0.0.1:8081 --gateway gatekeeper:8080" in output
    assert "workload:" not in output


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--subject", "a", "--token-file", "f"], "say one of them"),
        (["--format", "k8s", "--subject", "a"], "the relay beside it adds the current one"),
        (["--format", "k8s", "--token-file", "a"], "the relay beside it adds the current one"),
        (["--proxy", "gatekeeper:8080"], "--proxy: expected a URL"),
        (["--proxy", "socks5://gatekeeper:8080"], "--proxy: expected a URL"),
        (["--proxy", 'http://gw:1/"'], "--proxy: expected a URL"),
        (["--proxy", "http://gw:1\nexport X=1"], "--proxy: expected a URL"),
        (["--format", "fish"], "'fish' is not one of"),
        (
            ["--format", "docker", "--token-file", "nowhere"],
            "nowhere: the token can't be read: No such file or directory",
        ),
        (["--format", "docker", "--token-file", "config.toml"], "config.toml: holds no token"),
        (["--subject", ""], "subject and workflow must be printable text"),
    ],
)
def test_wrong_use_is_said_in_one_line(run: Run, arguments: list[str], text: str) -> None:
    result = run("env", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert text in result.stderr
