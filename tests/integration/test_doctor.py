"""`gatekeeper doctor`, on this machine only: against a running gateway, and inside a network namespace."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import RunningGateway

PROGRAM = (sys.executable, "-c", "from gatekeeper.cli import main; main()")


def doctor(*arguments: str, environment: dict[str, str], expected: int, prefix: tuple[str, ...] = ()) -> dict[str, str]:
    done = subprocess.run(
        [*prefix, *PROGRAM, "doctor", "--json", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] is (expected == 0)
    return {check["check"]: check["state"] for check in answer["checks"]}


def variables(proxy: str, bundle: Path) -> dict[str, str]:
    proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), proxy)
    trust = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS")
    return proxies | dict.fromkeys(trust, str(bundle))


CLOSED = ("--tcp", "127.0.0.1:1", "--udp", "127.0.0.1:1", "--dns", "127.0.0.1:1", "--metadata", "127.0.0.1:1")


@pytest.fixture
def nothing_resolves() -> tuple[str, ...]:
    return ("--name", "\x7f")  # no name at all: nobody is asked


def test_each_client_that_is_here_is_seen_to_go_through_the_gateway(
    start_gateway: Callable[..., RunningGateway], nothing_resolves: tuple[str, ...]
) -> None:
    gateway = start_gateway()
    proxy = f"http://workload:{gateway.token()}@127.0.0.1:{gateway.port}"
    environment = variables(proxy, gateway.config.proxy.certs / "bundle.pem")
    states = doctor("--inside", *CLOSED, *nothing_resolves, environment=environment, expected=0)
    assert states["python ssl"] == states["python requests"] == states["python httpx"] == "ok"
    for program in ("curl", "git"):
        assert states[program] == ("ok" if shutil.which(program) else "skipped")


def test_a_client_that_does_not_trust_the_ca_is_told(
    start_gateway: Callable[..., RunningGateway], nothing_resolves: tuple[str, ...]
) -> None:
    gateway = start_gateway()
    proxy = f"http://workload:{gateway.token()}@127.0.0.1:{gateway.port}"
    environment = {name: value for name, value in variables(proxy, Path()).items() if "PROXY" in name.upper()}
    states = doctor("--inside", *CLOSED, *nothing_resolves, environment=environment, expected=1)
    assert states["python ssl"] == states["python requests"] == states["python httpx"] == "wrong"


def _namespaces() -> str | None:
    """Say why no network namespace can be made here, or None."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "needs root and unshare"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return None if made.returncode == 0 else "the machine makes no network namespaces"


WITHOUT = _namespaces()


@pytest.mark.skipif(WITHOUT is not None, reason=WITHOUT or "")
def test_in_a_namespace_without_a_way_out_all_ways_are_closed(nothing_resolves: tuple[str, ...]) -> None:
    """The addresses are those of documentation (RFC 5737, RFC 3849); the namespace has no interface but loopback."""
    outside = (
        "--tcp",
        "192.0.2.1:443",
        "--tcp",
        "[2001:db8::1]:443",
        "--udp",
        "192.0.2.1:443",
        "--dns",
        "192.0.2.1:53",
    )
    environment = variables("http://127.0.0.1:1", Path("/dev/null"))
    states = doctor(
        "--inside", "--no-clients", *outside, "--metadata", "169.254.169.254:80", *nothing_resolves,
        environment=environment, expected=0, prefix=("unshare", "--net"),
    )  # fmt: skip
    assert set(states.values()) == {"ok"}
    assert "direct TCP to [2001:db8::1]:443" in states


def test_a_way_that_is_open_is_told(nothing_resolves: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        environment = variables("http://127.0.0.1:1", Path("/dev/null"))
        states = doctor(
            "--inside",
            "--no-clients",
            *CLOSED,
            "--tcp",
            address,
            *nothing_resolves,
            environment=environment,
            expected=1,
        )
    assert states[f"direct TCP to {address}"] == "wrong"
