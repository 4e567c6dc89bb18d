"""The commands about identity, on a gateway that runs: lock, unlock, exchange, suggest."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from harness import JSON_ANSWER, RunningGateway, Upstream

from gatekeeper.cli import main
from gatekeeper.config import parse_config
from gatekeeper.policy import Policy


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), standalone_mode=True)


@pytest.fixture
def gateway(start_gateway: Callable[..., RunningGateway], upstream: Upstream, tmp_path: Path) -> RunningGateway:
    upstream.reset(JSON_ANSWER)
    running = start_gateway('[[identity.exchange]]\nworkflows = ["close"]\n')
    (tmp_path / "config.toml").write_text(f'[admin]\nlisten = "unix:{running.config.admin_socket}"\n')
    return running


def settings(tmp_path: Path) -> tuple[str, str]:
    return "--config", str(tmp_path / "config.toml")


@pytest.mark.usefixtures("gateway")
def test_lock_says_what_it_did_who_is_locked_and_why(tmp_path: Path) -> None:
    there = settings(tmp_path)
    assert run("lock", *there).stdout == "nobody is locked out\n"
    done = run("lock", "subject", "bot-a", "--issuer", "https://gatekeeper.local", "--reason", "incident 12", *there)
    assert done.stdout == "locked subject bot-a of https://gatekeeper.local: 0 open connections cut\n"
    listed = run("lock", *there).stdout
    assert listed.startswith("subject bot-a of https://gatekeeper.local, since 20")
    assert listed.endswith(": incident 12\n")
    (plain,) = json.loads(run("lock", "--json", *there).stdout)
    assert (plain["kind"], plain["value"], plain["reason"]) == ("subject", "bot-a", "incident 12")
    wrong = run("unlock", "subject", "bot-a", *there)
    assert (wrong.exit_code, wrong.stderr) == (1, "gatekeeper: there is no lock on subject bot-a\n")
    done = run("unlock", "subject", "bot-a", "--issuer", "https://gatekeeper.local", *there)
    assert (done.exit_code, done.stdout) == (0, "unlocked subject bot-a of https://gatekeeper.local\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lock", "subject"), "a lock on a subject names it"),
        (("lock", "all", "x"), "a lock on all names nothing else"),
        (("lock", "workflow", "w", "--issuer", "https://x"), "a workflow has no issuer"),
        (("lock", "token", "x", "--reason", "call ada@example.com"), "the reason holds personal data"),
    ],
)
def test_what_can_not_be_locked_is_said_in_one_line(
    gateway: RunningGateway, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run(*arguments, *settings(tmp_path))
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert gateway.parts.locks.held == ()


def test_exchange_prints_the_token_and_nothing_else(gateway: RunningGateway, tmp_path: Path) -> None:
    (tmp_path / "person.jwt").write_text(gateway.token("alice"))
    (tmp_path / "agent.jwt").write_text(gateway.token("bot"))
    files = ("--token-file", str(tmp_path / "person.jwt"), "--actor-token-file", str(tmp_path / "agent.jwt"))
    done = run("identity", "exchange", *files, "--workflow", "close", *settings(tmp_path))
    assert done.exit_code == 0, done.output
    subject = gateway.parts.verifier.verify(done.stdout.strip(), gateway.parts.clock())
    assert (subject.sub, subject.workflow, subject.actors[0].sub) == ("alice", "close", "bot")
    refused = run("identity", "exchange", *files, "--workflow", "open", *settings(tmp_path))
    assert refused.exit_code == 1
    assert "refused (unauthorized_client): no [[identity.exchange]] lets this subject" in refused.stderr


def test_exchange_names_what_it_can_not_use(gateway: RunningGateway, tmp_path: Path) -> None:
    missing = run("identity", "exchange", "--token-file", str(tmp_path / "none.jwt"), *settings(tmp_path))
    assert (missing.exit_code, "can't be read" in missing.stderr) == (2, True)
    (tmp_path / "t.jwt").write_text(gateway.token("bot"))
    place = ("--url", "https://127.0.0.1:1/token", "--ca", str(gateway.config.proxy.certs / "ca.pem"))
    away = run("identity", "exchange", "--token-file", str(tmp_path / "t.jwt"), *place, *settings(tmp_path))
    assert (away.exit_code, "no answer" in away.stderr) == (2, True)


def test_suggest_writes_rules_that_allow_what_was_done(
    gateway: RunningGateway, upstream: Upstream, tmp_path: Path
) -> None:
    for path in ("/v1/invoices/12345678", "/v1/invoices/87654321", "/v1/customers"):
        head = f"GET {path} HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n"
        assert gateway.exchange("localhost", upstream.port, head.encode()).startswith(b"HTTP/1.1 200")
    done = run("policy", "suggest", "--subject", "test-bot", *settings(tmp_path))
    assert done.exit_code == 0, done.output
    (rule,) = parse_config(done.stdout, tmp_path / "next.toml").rules
    assert (rule.hosts, rule.methods, rule.ports) == (("localhost",), ("GET",), (upstream.port,))
    assert rule.paths == ("/v1/customers", "/v1/invoices/*")
    assert rule.subjects == ("https://gatekeeper.local|test-bot",)
    Policy((rule,), (443,))
    (plain,) = json.loads(run("policy", "suggest", "--subject", "test-bot", "--json", *settings(tmp_path)).stdout)
    assert plain["calls"] == 3


def test_suggest_has_nothing_to_say_of_who_did_nothing(gateway: RunningGateway, tmp_path: Path) -> None:
    assert gateway.parts.locks.held == ()
    done = run("policy", "suggest", "--subject", "nobody", *settings(tmp_path))
    assert (done.exit_code, done.stdout) == (1, "")
