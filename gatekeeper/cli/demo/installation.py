"""What the demo leaves under its folder: a configuration, a reviewer with a key, the agent's program."""

import shutil
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from gatekeeper.cli.demo.certificates import HOST, ServerCertificate
from gatekeeper.cli.demo.processes import StepFailed
from gatekeeper.cli.problem import Problem

REVIEWER: Final = "alice@example.com"
REVIEWER_KEY: Final = "reviewer/id_ed25519"
SUBJECT: Final = "refund-agent"

_PACKAGES: Final = {"langchain": "langchain", "langchain_openai": "langchain-openai", "llmock": "llmock"}

_CONFIG: Final = """\
# Made by `gatekeeper demo`. Paths are relative to this file.

[proxy]
listen = "127.0.0.1:{listen}"
upstream_ca = "{ca}"    # the mock upstreams' certificate is signed by a throw-away CA

[egress]
ports = [{model}, {refunds}]
private_networks = ["127.0.0.0/8", "::1/128"]    # the mocks run on this machine; elsewhere leave it out

[[rules]]
name = "refunds need a finance lead"
hosts = ["{host}"]
ports = [{refunds}]
methods = ["POST"]
paths = ["/v1/refunds*"]
action = "hold"
reviewers = ["finance-leads"]
wait = "50s"

[[rules]]
name = "the agent may ask its model"
hosts = ["{host}"]
ports = [{model}]
methods = ["POST"]
paths = ["/v1/chat/completions"]
subjects = ["{subject}"]
action = "allow"

[approvals]
reviewers = "allowed_signers"
[approvals.groups]
finance-leads = ["{reviewer}"]
[approvals.owners]
{subject} = ["bob@example.com"]    # who owns a workload does not decide on it
"""


def check_requirements() -> None:
    """Raise Problem, one line, where something that the demo needs is not installed."""
    missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        msg = f"demo needs {', '.join(missing)}: install with `pip install 'gatekeeper-proxy[demo]'`"
        raise Problem(msg)
    if shutil.which("ssh-keygen") is None:
        msg = "demo needs ssh-keygen, with which reviewers sign: install the OpenSSH client"
        raise Problem(msg)


def check_folder(folder: Path) -> None:
    """Raise Problem where `folder` is not a new or empty one."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"--keep {folder}: is not empty; name a new folder, so that nothing of yours is overwritten"
        raise Problem(msg)


def write_config(folder: Path, certificate: ServerCertificate, model: int, refunds: int) -> str:
    """Write `config.toml` for these upstreams; gives the proxy's address."""
    listen = _free_port()
    text = _CONFIG.format(
        listen=listen,
        ca=certificate.ca.relative_to(folder),
        model=model,
        refunds=refunds,
        host=HOST,
        subject=SUBJECT,
        reviewer=REVIEWER,
    )
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return f"127.0.0.1:{listen}"


def make_reviewer(folder: Path) -> None:
    """Make the reviewer's SSH key and name it in `allowed_signers`; raises StepFailed."""
    key = folder / REVIEWER_KEY
    key.parent.mkdir(mode=0o700)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", REVIEWER, "-f", str(key)]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)  # noqa: S603 - a fixed command
    if done.returncode:
        msg = f"ssh-keygen could not make the reviewer's key: {' '.join(done.stderr.decode(errors='replace').split())}"
        raise StepFailed(msg)
    public = key.with_suffix(".pub").read_text(encoding="ascii").split()
    line = f'{REVIEWER} namespaces="gatekeeper-approval" {public[0]} {public[1]}\n'
    (folder / "allowed_signers").write_text(line, encoding="ascii")


def copy_agent(folder: Path) -> Path:
    """Put the agent's program where a person can read it and run it again."""
    program = folder / "agent.py"
    shutil.copy(Path(__file__).with_name("agent.py"), program)
    return program


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
