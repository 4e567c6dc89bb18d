"""What end-to-end tests stand on: a gateway as a process of its own, its journal as read from outside, a reviewer."""

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatekeeper.cli.admin_client import AdminClient
from gatekeeper.cli.demo.processes import GATEKEEPER, basics
from gatekeeper.exchange import now
from gatekeeper.identity import EmbeddedIssuer
from gatekeeper.journal import Entry, Reader

PATIENCE = 30.0
REVIEWER = "alice@example.com"

# What must not be found: test numbers, and domains that are reserved for examples (RFC 2606).
CARD = "4111 1111 1111 1111"
EMAIL = "ada@example.com"
ASKED_CARD = "4012888888881881"
ASKED_EMAIL = "grace@example.org"
CANARIES = (CARD, CARD.replace(" ", ""), EMAIL, ASKED_CARD, ASKED_EMAIL)

CONFIG = """
[proxy]
listen = "127.0.0.1:0"
upstream_ca = "{ca}"
header_timeout = "3s"
[egress]
ports = [{ports}]
private_networks = ["127.0.0.0/8", "::1/128"]

{rules}

[[rules]]
name = "refunds need a finance lead"
hosts = ["localhost"]
methods = ["POST"]
paths = ["/v1/refunds*"]
action = "hold"
reviewers = ["finance-leads"]
wait = "{wait}"

[[rules]]
name = "what is on this machine"
hosts = ["localhost"]
action = "allow"

[approvals.groups]
finance-leads = ["{reviewer}"]

{more}
"""


def config(
    ca: Path,
    *ports: int,
    rules: str = "",
    wait: str = "50s",
    more: str = "",
) -> str:
    """Write a configuration that lets anybody call what is on this machine, and holds refunds."""
    return CONFIG.format(
        ca=ca,
        ports=", ".join(map(str, ports)),
        rules=rules,
        wait=wait,
        reviewer=REVIEWER,
        more=more,
    )


def wait_for[T](look: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Look until there is something that is true; the clock bounds a hang and proves nothing."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)
    return found


@dataclass
class Exchange:
    """One exchange as the journal has it."""

    request: Entry
    asked: str
    end: Entry | None
    answered: str
    entries: list[Entry]


@dataclass
class Installation:
    """A folder with a configuration, and the gateway that runs on it."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    prefix: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def bundle(self) -> Path:
        return self.folder / "certs" / "bundle.pem"

    @property
    def log(self) -> str:
        path = self.folder / "gateway.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def configure(self, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.toml").write_text(text)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start `gatekeeper run` without waiting for anything."""
        with (self.folder / "gateway.log").open("ab") as output:
            self.process = subprocess.Popen(
                [*self.prefix, *GATEKEEPER, "run"],
                cwd=self.folder,
                env=basics() | dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def start(self) -> None:
        began = len(self.log)
        process = self.launch()

        def ready() -> re.Match[str] | None:
            assert process.poll() is None, f"the gateway ended with {process.poll()}: {self.log[began:]}"
            return re.search(r"ready: http://[^:]+:(\d+)", self.log[began:])

        self.port = int(wait_for(ready, "the ready line")[1])

    def stop(self) -> int:
        """End the gateway as SIGTERM does; gives its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def kill(self) -> None:
        """End it with no time for anything (SIGKILL), where it still runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def token(self, subject: str, groups: tuple[str, ...] = (), life: float = 600, at: int | None = None) -> str:
        issuer = EmbeddedIssuer.load(self.data / "keys" / "issuer.key")
        return issuer.issue(subject, groups, None, life, now() if at is None else at)  # type: ignore[arg-type]

    def proxy(self, token: str) -> str:
        return f"http://workload:{token}@127.0.0.1:{self.port}"

    def client(self, subject: str = "test-bot", groups: tuple[str, ...] = ()) -> dict[str, str]:
        """Give a client's variables: the proxy with a token, the bundle under the names that libraries read."""
        bundle = str(self.bundle)
        return {
            "HTTPS_PROXY": self.proxy(self.token(subject, groups)),
            "SSL_CERT_FILE": bundle,
            "REQUESTS_CA_BUNDLE": bundle,
        }

    def command(self, *arguments: str, expected: int = 0) -> str:
        """Run `gatekeeper ARGUMENTS`; gives standard output, or standard error where it is to fail."""
        done = subprocess.run(
            [*GATEKEEPER, *arguments],
            cwd=self.folder,
            env=basics() | dict(self.environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == expected, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stderr if expected and not done.stdout else done.stdout

    def entries(self, start: int = 0) -> list[Entry]:
        with Reader(self.data / "journal", None) as reader:
            return list(reader.entries(start, reader.size))

    @property
    def size(self) -> int:
        with Reader(self.data / "journal", None) as reader:
            return reader.size

    def kinds(self, start: int = 0) -> list[str]:
        return [entry.kind for entry in self.entries(start)]

    def exchanges(self, start: int = 0) -> list[Exchange]:
        """Read the exchanges whose requests are recorded from entry `start` on."""
        with Reader(self.data / "journal", self.data / "keys") as reader:
            entries = list(reader.entries(start, reader.size))

            def body(*wanted: Entry) -> str:
                contents = [reader.content(entry) for entry in wanted]
                return b"".join(content.data for content in contents if content).decode()

            found = []
            for request in (entry for entry in entries if entry.kind == "request"):
                own = [entry for entry in entries if entry.exchange == request.exchange]
                end = next((entry for entry in own if entry.kind in {"response", "error", "truncated"}), None)
                answers = [entry for entry in own if entry.kind in {"chunk", "response"}]
                found.append(Exchange(request, body(request), end, body(*answers), own))
            return found

    def ended(self, start: int, count: int = 1) -> list[Exchange]:
        """Wait until `count` exchanges from entry `start` on have ended, and give them."""

        def look() -> list[Exchange] | None:
            found = self.exchanges(start)
            return found if len(found) >= count and all(one.end for one in found) else None

        return wait_for(look, f"{count} recorded exchanges")

    def refused(self, start: int) -> Entry:
        """Wait for the next `refused` entry."""
        return wait_for(
            lambda: next((entry for entry in self.entries(start) if entry.kind == "refused"), None), "a refused entry"
        )

    def found(self, canaries: Iterable[str]) -> list[tuple[str, Path]]:
        """Search every byte of every file that the gateway wrote, its log and the WAL included."""
        files = [path for path in [self.folder / "gateway.log", *self.data.rglob("*")] if path.is_file()]
        wanted, found = [*canaries], []
        for path in files:
            with contextlib.suppress(FileNotFoundError):  # `.head.new` is renamed under our eyes
                data = path.read_bytes()
                found += [(canary, path) for canary in wanted if canary.encode() in data]
        return found

    # a reviewer

    def make_reviewer(self, name: str = REVIEWER) -> Path:
        """Make a reviewer's key and let it sign; before the gateway starts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key = self.folder / f"{name}.key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
        public = key.with_suffix(".key.pub").read_text().split()
        with (self.folder / "allowed_signers").open("a") as signers:
            signers.write(f'{name} namespaces="gatekeeper-approval" {public[0]} {public[1]}\n')
        return key

    def pending(self) -> list[str]:
        """Ask the admin socket, as `gatekeeper approvals list` does."""
        with AdminClient(self.folder / "run" / "gatekeeper.sock") as client:
            return [approval.id for approval in client.approvals() if approval.state == "pending"]

    def wait_pending(self) -> str:
        return wait_for(self.pending, "a pending approval")[0]

    def decide(self, verb: str, approval: str, reviewer: str = REVIEWER) -> str:
        key = str(self.folder / f"{reviewer}.key")
        return self.command("approvals", verb, approval, "--key", key, "--as", reviewer, "--reason", "as agreed")

    # a bare client

    def connect(self, host: str, port: int, head: str | None = None) -> tuple[socket.socket, bytes]:
        """Send a CONNECT head, whatever it is; gives the connection and the head of the answer."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        if head is None:
            head = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n" + bearer(self.token("test-bot"))
        connection.sendall(head.encode("latin-1") + b"\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := connection.recv(4096)):
            answer += piece
        return connection, answer

    def tunnel(self, host: str, port: int) -> ssl.SSLSocket:
        connection, answer = self.connect(host, port)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return ssl.create_default_context(cafile=str(self.bundle)).wrap_socket(connection, server_hostname=host)


def bearer(token: str) -> str:
    return f"Proxy-Authorization: Bearer {token}\r\n"


def python(program: str, *arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Run Python code in a process of its own, which knows nothing but `environment`."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program, *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
