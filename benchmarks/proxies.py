"""What is compared: stock mitmdump, a Master without addons to speak of, and the gateway with all that it does."""

import base64
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from load import Route

BIN = Path(sys.executable).parent

RULES = "".join(
    f"""
[[rules]]
name = "{name}"
{matches}
action = "{action}"
{"reviewers = ['leads']" if action == "hold" else ""}
"""
    for name, matches, action in (
        ("refunds", 'hosts = ["payments.example.com"]\nmethods = ["POST"]\npaths = ["/v1/refunds*"]', "hold"),
        ("payouts", 'hosts = ["payments.example.com"]\npaths = ["/v1/payouts/*"]', "hold"),
        ("payments read", 'hosts = ["payments.example.com"]\nmethods = ["GET"]', "allow"),
        ("mail", 'hosts = ["*.mail.example.com"]\nmethods = ["POST"]', "hold"),
        ("crm", 'hosts = ["crm.example.com"]\ngroups = ["sales"]', "allow"),
        ("crm of others", 'hosts = ["crm.example.com"]', "deny"),
        ("search", 'hosts = ["search.example.com"]\nmethods = ["GET"]', "allow"),
        ("wiki", 'hosts = ["wiki.example.com"]\npaths = ["/pages/*", "/search*"]', "allow"),
        ("wiki changes", 'hosts = ["wiki.example.com"]\nmethods = ["PUT", "POST", "DELETE"]', "hold"),
        ("packages", 'hosts = ["packages.example.com", "*.packages.example.com"]\nmethods = ["GET"]', "allow"),
        ("tickets", 'hosts = ["tickets.example.com"]\nworkflows = ["triage"]', "allow"),
        ("files", 'hosts = ["*.files.example.com"]\nmatch = "~m GET"', "allow"),
        ("deletes", 'methods = ["DELETE"]', "deny"),
        ("fine-tuning", 'hosts = ["localhost"]\npaths = ["/v1/fine_tuning/*", "/v1/files*"]', "hold"),
        ("model admin", 'hosts = ["localhost"]\npaths = ["/v1/organization/*"]', "deny"),
        ("cards to models", 'hosts = ["localhost"]\nfindings = ["CREDIT_CARD", "IBAN_CODE"]', "deny"),
        ("numbers of people", 'hosts = ["localhost"]\nfindings = ["US_SSN", "UK_NHS"]', "hold"),
        ("injection", "hosts = [\"localhost\"]\nprompt = ['(?i)ignore (all|previous) instructions']", "hold"),
        ("secrets asked for", "hosts = [\"localhost\"]\nprompt = ['(?i)print .{0,40}(password|api key)']", "deny"),
        ("models", 'hosts = ["localhost"]\nmethods = ["POST"]\npaths = ["/v1/*"]', "allow"),
    )
)

CONFIG = """
[proxy]
listen = "127.0.0.1:{port}"
upstream_ca = "upstream-ca.pem"
[egress]
ports = [{upstream}]
private_networks = ["127.0.0.0/8", "::1/128"]
[approvals.groups]
leads = ["lead@example.com"]
{rules}
"""


@dataclass(frozen=True)
class Running:
    """A proxy that runs."""

    name: str
    route: Route
    pid: int


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def mitmdump(folder: Path) -> Iterator[Running]:
    """Run stock mitmdump: its defaults, but for its port, its folder and the upstream's CA."""
    port = free_port()
    certificates = folder / "mitmdump"
    command = [
        BIN / "mitmdump", "--listen-host", "127.0.0.1", "--listen-port", str(port), "--set", f"confdir={certificates}",
        "--set", f"ssl_verify_upstream_trusted_ca={folder / 'upstream-ca.pem'}",
    ]  # fmt: skip
    with _running(command, port, folder / "mitmdump.log") as pid:
        yield Running("mitmdump", Route(port, str(certificates / "mitmproxy-ca-cert.pem")), pid)


@contextlib.contextmanager
def bare(folder: Path) -> Iterator[Running]:
    """Run mitmproxy's layers alone, without its default addons and without ours."""
    port = free_port()
    certificates = folder / "bare"
    command = [sys.executable, Path(__file__).with_name("bare.py"), str(port), certificates, folder / "upstream-ca.pem"]
    with _running(command, port, folder / "bare.log") as pid:
        yield Running("bare Master", Route(port, str(certificates / "mitmproxy-ca-cert.pem")), pid)


@contextlib.contextmanager
def gateway(folder: Path, upstream: int, *settings: str, rules: str = RULES) -> Iterator[Running]:
    """Run the gateway: identity, 20 rules, masking, a durable journal; `settings` are `key=value`.

    `rules`: TOML of the caller's own, in which other tables may stand too.
    """
    port = free_port()
    config = folder / "config.toml"
    config.write_text(CONFIG.format(port=port, upstream=upstream, rules=rules))
    command = [BIN / "gatekeeper", "run", "--config", config]
    command += [word for setting in settings for word in ("--set", setting)]
    with _running(command, port, folder / "gateway.log") as pid:
        token = (folder / "data" / "first-token.jwt").read_text().strip()
        credential = base64.b64encode(f"workload:{token}".encode()).decode()
        route = Route(port, str(folder / "certs" / "ca.pem"), credential=credential)
        yield Running("gateway", route, pid)


@contextlib.contextmanager
def _running(command: list[str | Path], port: int, log: Path) -> Iterator[int]:
    """Start a program, wait until it listens, end it; raises RuntimeError where it does not come up."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)  # noqa: S603 - our own commands
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                msg = f"{command[0]}: did not start: {log.read_text().strip()[-500:]}"
                raise RuntimeError(msg)
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
