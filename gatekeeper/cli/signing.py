"""A reviewer's SSH key: a file, or one in ssh-agent, used through OpenSSH's own programs."""

import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from gatekeeper.cli.problem import Problem
from gatekeeper.cli.visible import visible

NAMESPACE: Final = "gatekeeper-approval"
_PUBLIC: Final = ("ssh-", "ecdsa-", "sk-")


class Signer(msgspec.Struct, frozen=True):
    """A key to sign with. `private` is its file, or None where the agent holds it; `comment` is the public key's."""

    private: Path | None
    public: str
    comment: str

    def sign(self, data: bytes, namespace: str = NAMESPACE) -> str:
        """Make an SSHSIG; asks for a passphrase or a touch where the key wants it. Problem if it doesn't come."""
        if self.private is not None:
            return _sign(data, namespace, "-f", str(self.private))
        with tempfile.NamedTemporaryFile("w", prefix="gatekeeper-", suffix=".pub") as public:
            public.write(f"{self.public}\n")
            public.flush()
            return _sign(data, namespace, "-U", "-f", public.name)


def from_file(path: Path) -> Signer:
    """Take a private key's file, or a public key's, whose other half the agent holds."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        private = Path(str(path).removesuffix("-cert.pub"))
        if private != path and private.exists():
            return Signer(path, text.strip(), _comment(text))  # ssh-keygen finds the key beside its certificate
        if text.startswith(_PUBLIC):
            return Signer(None, text.strip(), _comment(text))
        beside = Path(f"{path}.pub")
        public = beside.read_text(encoding="utf-8", errors="replace").strip() if beside.exists() else ""
    except OSError as error:
        msg = f"{path}: can't be read: {error.strerror}"
        raise Problem(msg) from error
    return Signer(path, public, _comment(public))


def from_agent(names: Collection[str]) -> Signer:
    """Take the agent's key that is named, by its comment, like one of `names`; or its only one."""
    found = [Signer(None, line, _comment(line)) for line in _agent_keys()]
    named = [signer for signer in found if signer.comment in names]
    for candidates in (named, found):
        if len(candidates) == 1:
            return candidates[0]
    listed = ", ".join(visible(signer.comment or "without a comment") for signer in found) or "none"
    msg = f"ssh-agent's keys ({listed}) don't say which is yours; name a key's file (.pub for the agent's) with --key"
    raise Problem(msg)


def _agent_keys() -> list[str]:
    try:
        listed = subprocess.run(["ssh-add", "-L"], capture_output=True, check=False)  # noqa: S607 - the user's own
    except FileNotFoundError as error:
        msg = "ssh-add is not on the PATH: install the OpenSSH client, or name a key's file with --key"
        raise Problem(msg) from error
    if listed.returncode:
        msg = "no key in ssh-agent: add yours with ssh-add, or name its file with --key"
        raise Problem(msg)
    return [line for line in listed.stdout.decode(errors="replace").splitlines() if line.startswith(_PUBLIC)]


def _comment(public: str) -> str:
    fields = public.split(None, 2)
    return fields[2].strip() if len(fields) > 2 else ""  # noqa: PLR2004 - type, key, comment


def _sign(data: bytes, namespace: str, *key: str) -> str:
    try:
        # Its prompts for a passphrase or a touch go to the terminal, so stderr is left alone.
        done = subprocess.run(  # noqa: S603 - no shell; arguments are the user's own
            ["ssh-keygen", "-q", "-Y", "sign", *key, "-n", namespace],  # noqa: S607 - the user's own
            input=data,
            stdout=subprocess.PIPE,
            check=False,
        )
    except FileNotFoundError as error:
        msg = "ssh-keygen is not on the PATH: install the OpenSSH client"
        raise Problem(msg) from error
    if done.returncode:
        msg = f"{key[-1]}: ssh-keygen did not sign with it; nothing was sent"
        raise Problem(msg)
    return done.stdout.decode()
