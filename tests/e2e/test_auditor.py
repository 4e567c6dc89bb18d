"""What an auditor does with a recorded LangChain program: run it again offline, export it, take the evidence away."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.stage import GATEKEEPER, Installation, basics

from gatekeeper.cli.demo.agent import TASK

BARE = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """What the demo leaves: a recorded agent with a held tool call, its model and its tool's API long gone."""
    folder = tmp_path_factory.mktemp("auditor") / "kept"
    subprocess.run([*GATEKEEPER, "demo", "--keep", folder], env=basics(), capture_output=True, timeout=120, check=True)
    return Installation(folder)


def recorded(kept: Installation) -> tuple[str, list[str]]:
    """Give the session, and the addresses that the agent was told."""
    (session,) = json.loads(kept.command("replay", "list", "--json"))
    lines = kept.command("replay", "export", session["session"], "--as", "jsonl").splitlines()
    targets = [json.loads(line)["request"]["target"] for line in lines]
    return session["session"], [f"https://{target['host']}:{target['port']}" for target in targets[:2]]


def run_again(kept: Installation, program: Path) -> subprocess.CompletedProcess[str]:
    session, urls = recorded(kept)
    # The recorded upstreams are on this machine, so here loopback goes through the proxy too.
    command = ["env", "-u", "NO_PROXY", "-u", "no_proxy", sys.executable, "-P", str(program), *urls]
    serve = [*GATEKEEPER, "replay", "serve", session, "--", *command]
    return subprocess.run(
        serve, cwd=kept.folder, env=basics() | {"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )


def test_the_recorded_program_runs_again_offline_to_the_same_end(kept: Installation) -> None:
    done = run_again(kept, kept.folder / "agent.py")
    assert done.returncode == 0, done.stderr
    assert "model: Done: order A-1042 is refunded." in done.stdout
    assert "<CREDIT_CARD>" in done.stdout
    assert "3 of 3 recorded calls were repeated" in done.stderr


def test_the_first_departure_of_a_changed_program_is_named(kept: Installation, tmp_path: Path) -> None:
    changed = tmp_path / "agent.py"
    changed.write_text((kept.folder / "agent.py").read_text().replace(TASK, TASK.replace("A-1042", "A-1043")))
    done = run_again(kept, changed)
    assert done.returncode == 1
    assert "departs: request 1" in done.stderr
    assert "body.messages[0].content" in done.stderr


def test_its_calls_decide_and_mask_as_they_did(kept: Installation) -> None:
    session, _ = recorded(kept)
    told = kept.command("replay", "check", session)
    assert "decisions: 3 same, 0 different" in told
    assert "can't be found again" in told
    assert kept.command("replay", "diff", session, session).endswith("3 calls, 3 the same\n")


def test_another_policy_is_tried_on_what_was_recorded(kept: Installation) -> None:
    config = (kept.folder / "config.toml").read_text()
    rule = '[[rules]]\nname = "no refunds"\nhosts = ["localhost"]\npaths = ["/v1/refunds*"]\naction = "deny"\n\n'
    (kept.folder / "next.toml").write_text(config.replace("[[rules]]", f"{rule}[[rules]]", 1))
    told = kept.command("policy", "check", "--config", "next.toml", expected=1)
    assert "1 of 3 recorded calls would change" in told
    assert "0 of 3 recorded calls would change" in kept.command("policy", "check")


def test_the_evidence_is_verified_where_gatekeeper_is_not(kept: Installation, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    reviewer = next((kept.folder / "reviewer").glob("*.pub")).with_suffix("")
    arguments = ["--from", "1d", "--to", "now", "--nonce", "mine", "--sign", str(reviewer), "--out", str(out)]
    kept.command("evidence", "build", *arguments)
    script = ["python3", "-I", str(out / "data" / "verify" / "verify.py")]
    done = subprocess.run(script, env=BARE, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("VERIFIED\n"), done.stdout
    assert "signed by gatekeeper.local/journal" in done.stdout
    assert kept.command("evidence", "verify", str(out)).endswith("VERIFIED\n")
    manifest = (out / "tagmanifest-sha256.txt").read_bytes()
    novalidate = ["ssh-keygen", "-Y", "check-novalidate", "-n", "gatekeeper-evidence"]
    signed = subprocess.run([*novalidate, "-s", out / "tagmanifest-sha256.txt.sig"], input=manifest, check=False)
    assert signed.returncode == 0
    (out / "data" / "csv" / "population.csv").write_text("nothing happened")
    assert "was changed" in kept.command("evidence", "verify", str(out), expected=1)
