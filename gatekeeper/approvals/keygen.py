"""Asks OpenSSH's own `ssh-keygen` whether a signature is good, so that any auditor can ask the same."""

import asyncio
import errno
import os
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from gatekeeper.exchange import Instant, Reason
from gatekeeper.journal.signature import PATIENCE, keygen_program, verify_command
from gatekeeper.journal.sshsig import parse_sshsig
from gatekeeper.journal.statement import NAMESPACE, DecisionRefused

MAX_SIGNERS: Final = 1 << 20
"""Bytes; the journal keeps the whole text."""

type Verifier = Callable[[str, str, str, Instant], Awaitable[str]]
"""(statement, signature, reviewer, at) -> hex of the public key that signed; raises DecisionRefused."""


def read_signers(path: Path) -> str:
    """Read the `allowed_signers` file that is in force from now on; none means that nobody can decide.

    Raises ValueError or OSError for a file that can't be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ""
    if len(data) > MAX_SIGNERS:
        msg = f"{path}: {len(data)} bytes is more than an allowed_signers file may have ({MAX_SIGNERS})"
        raise ValueError(msg)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8, as an allowed_signers file must be"
        raise ValueError(msg) from error


def read_revoked(path: str) -> bytes | None:
    """Read the revoked keys that are in force from now on: a KRL, or public keys, one a line; None for no list.

    Raises OSError: a list that is named and not there must not count as an empty one.
    """
    if not path:
        return None
    data = Path(path).read_bytes()
    if len(data) > MAX_SIGNERS:
        msg = f"{path}: {len(data)} bytes is more than a list of revoked keys may have ({MAX_SIGNERS})"
        raise OSError(errno.EFBIG, msg)
    return data


class Keygen:
    """Verifies against one snapshot of `allowed_signers` and revoked keys, in a private folder that `close` removes."""

    def __init__(self, signers: str, revoked: bytes | None = None) -> None:
        keygen_program()
        self._folder = tempfile.TemporaryDirectory(prefix="gatekeeper-signers-")
        self._signers = Path(self._folder.name) / "allowed_signers"
        _write_private(self._signers, signers.encode())
        self._revoked: tuple[str, ...] = ()
        if revoked is not None:
            krl = Path(self._folder.name) / "revoked"
            _write_private(krl, revoked)
            self._revoked = ("-r", str(krl))

    async def __call__(self, statement: str, signature: str, reviewer: str, at: Instant) -> str:
        """Check one signature as of the instant `at`; a `Verifier`. OSError where ssh-keygen can't run."""
        found = parse_sshsig(signature)
        handle, name = tempfile.mkstemp(dir=self._folder.name)  # 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(signature)
            await self._ask(name, statement, reviewer, at)
        finally:
            Path(name).unlink()  # noqa: ASYNC240 - a small file in a private folder
        return found.key.hex()

    def close(self) -> None:
        """Remove the private folder."""
        self._folder.cleanup()

    async def _ask(self, signature: str, statement: str, reviewer: str, at: Instant) -> None:
        process = await asyncio.create_subprocess_exec(
            *verify_command(self._signers, reviewer, at, Path(signature)),
            *self._revoked,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C"},
        )
        try:
            await asyncio.wait_for(process.communicate(statement.encode()), PATIENCE)
        except TimeoutError as error:
            msg = f"ssh-keygen gave no answer in {PATIENCE:.0f} s: try again"
            raise DecisionRefused(msg, Reason.DECISION_UNSIGNED) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            msg = f"the signature is not by a key that allowed_signers lists for {reviewer}, now, for {NAMESPACE}"
            raise DecisionRefused(msg, Reason.DECISION_UNSIGNED)


def _write_private(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
