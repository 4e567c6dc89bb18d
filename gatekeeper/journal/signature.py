"""Asks OpenSSH's own `ssh-keygen` whether a decision's signature is good, so that any auditor can ask the same."""

import datetime as dt
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from gatekeeper.exchange import Instant
from gatekeeper.journal.entries import SignedData
from gatekeeper.journal.sshsig import parse_sshsig
from gatekeeper.journal.statement import NAMESPACE, DecisionRefused

PATIENCE: Final = 10.0
"""Seconds. ssh-keygen needs 10 ms; one that hangs must not hold a decision for ever."""


def keygen_program() -> str:
    """Find ssh-keygen; raises FileNotFoundError that says what to install."""
    program = shutil.which("ssh-keygen")
    if program is None:
        msg = "ssh-keygen is not on the PATH: install the OpenSSH client"
        raise FileNotFoundError(msg)
    return program


def verify_command(signers: Path, reviewer: str, at: Instant, signature: Path) -> list[str]:
    """Give the command that checks a signature over standard input as of the instant `at`."""
    return [
        keygen_program(), "-Y", "verify", "-f", str(signers), "-I", reviewer, "-n", NAMESPACE,
        f"-Overify-time={verify_time(at)}", "-s", str(signature),
    ]  # fmt: skip


def verify_time(at: Instant) -> str:
    """Write an instant as ssh-keygen's `verify-time` takes it (ssh-keygen(1))."""
    return dt.datetime.fromtimestamp(at // 1_000_000, dt.UTC).strftime("%Y%m%d%H%M%SZ")


def check_decision(signers: str, decision: SignedData, at: Instant) -> str:
    """Give the hex of the public key that signed a recorded decision; raises DecisionRefused where it is not good."""
    found = parse_sshsig(decision.signature)
    if not decision.reviewer.isprintable() or decision.reviewer.startswith("-"):
        msg = "is by a reviewer whose name ssh-keygen could misread"
        raise DecisionRefused(msg)
    with tempfile.TemporaryDirectory(prefix="gatekeeper-verify-") as folder:
        allowed, signature = Path(folder) / "allowed_signers", Path(folder) / "signature"
        allowed.write_text(signers, encoding="utf-8")
        signature.write_text(decision.signature, encoding="utf-8")
        command = verify_command(allowed, decision.reviewer, at, signature)
        if not _agrees(command, decision.statement.encode()):
            msg = "is not signed by a key that allowed_signers, as then in force, lists for its reviewer"
            raise DecisionRefused(msg)
    return found.key.hex()


def _agrees(command: list[str], statement: bytes) -> bool:
    """Ask ssh-keygen; TimeoutError, which is an OSError, where it hangs."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the one foreign argument is checked
            command, input=statement, capture_output=True, timeout=PATIENCE, check=False, env={"LC_ALL": "C"}
        )
    except subprocess.TimeoutExpired as error:
        msg = f"ssh-keygen gave no answer in {PATIENCE:.0f} s"
        raise TimeoutError(msg) from error
    return done.returncode == 0
