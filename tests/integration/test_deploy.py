"""docs/deploy: what is written there holds, in network namespaces of this machine and with nobody outside it."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs" / "deploy" / "nftables.conf"

REACH = """
import socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as one:
        one.settimeout(2)
        one.connect((host, port))
        one.send(b"hello")
        print("reached" if one.recv(10) else "closed")
except OSError as error:
    print("not reached", type(error).__name__)
"""
ANSWER = """
import socket, sys, threading
def tcp(port):
    with socket.create_server(("0.0.0.0", port)) as server:
        while True:
            one, _ = server.accept()
            one.sendall(b"here")
            one.close()
def udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", port))
        while True:
            server.sendto(b"here", server.recvfrom(100)[1])
for port in map(int, sys.argv[1:]):
    threading.Thread(target=tcp, args=(port,), daemon=True).start()
    threading.Thread(target=udp, args=(port,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def _why_not() -> str | None:
    """Say why this can't be tried here, or None."""
    missing = [program for program in ("ip", "nft") if shutil.which(program) is None]
    if os.geteuid() != 0 or missing:
        return f"needs root{' and ' if missing else ''}{', '.join(missing)}"
    name = f"gk-{uuid.uuid4().hex[:6]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode:
        return "the machine makes no network namespaces"
    listed = subprocess.run(["ip", "netns", "exec", name, "nft", "list", "ruleset"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return None if listed.returncode == 0 else "the machine's kernel has no nftables"


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")


@dataclass
class Net:
    """Three namespaces in a row: a workload, the gateway's host, and the outside."""

    work: str
    host: str
    outside: str

    def run(self, where: str, *command: str) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", where, *command], capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def reach(self, kind: str, address: str, port: int, where: str = "") -> bool:
        said = self.run(where or self.work, sys.executable, "-c", REACH, kind, address, str(port))
        return said == "reached"


@pytest.fixture
def net() -> Iterator[Net]:
    tag = uuid.uuid4().hex[:5]
    net = Net(*(f"gk-{name}-{tag}" for name in ("work", "host", "out")))
    spaces = (net.work, net.host, net.outside)
    servers: list[subprocess.Popen[str]] = []
    try:
        for space in spaces:
            subprocess.run(["ip", "netns", "add", space], check=True)
            net.run(space, "ip", "link", "set", "lo", "up")
        _link(net, net.work, "eth0", "10.99.1.2/24", net.host, "gk0", "10.99.1.1/24")
        _link(net, net.outside, "eth0", "192.0.2.1/24", net.host, "up0", "192.0.2.2/24")
        net.run(net.work, "ip", "route", "add", "default", "via", "10.99.1.1")
        net.run(net.outside, "ip", "route", "add", "default", "via", "192.0.2.2")
        net.run(net.host, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for space, ports in ((net.host, ("8080", "53", "22")), (net.outside, ("443", "53"))):
            server = subprocess.Popen(
                ["ip", "netns", "exec", space, sys.executable, "-c", ANSWER, *ports],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            servers.append(server)
            assert server.stdout is not None
            assert server.stdout.readline().strip() == "ready"
        yield net
    finally:
        for server in servers:
            server.kill()
            server.communicate()
        for space in spaces:
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)


def _link(net: Net, left: str, name: str, address: str, right: str, far: str, far_address: str) -> None:
    net.run(left, "ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns", right)
    for space, device, its in ((left, name, address), (right, far, far_address)):
        net.run(space, "ip", "address", "add", its, "dev", device)
        net.run(space, "ip", "link", "set", device, "up")


OUTSIDE = [("tcp", "192.0.2.1", 443), ("udp", "192.0.2.1", 443), ("udp", "192.0.2.1", 53), ("tcp", "192.0.2.1", 53)]
OF_THE_HOST = [("udp", "10.99.1.1", 53), ("tcp", "10.99.1.1", 22), ("tcp", "192.0.2.2", 22)]


def test_with_the_rules_the_gateway_is_all_that_a_workload_reaches(net: Net) -> None:
    for way in (*OUTSIDE, *OF_THE_HOST):
        assert net.reach(*way), f"{way} is not open to begin with, so nothing would be shown"
    net.run(net.host, "nft", "-f", str(RULES))
    assert [way for way in (*OUTSIDE, *OF_THE_HOST) if net.reach(*way)] == []
    assert net.reach("tcp", "10.99.1.1", 8080)
    assert net.reach("tcp", "192.0.2.1", 443, where=net.host)  # the gateway itself goes out


def test_the_rules_can_be_loaded_again(net: Net) -> None:
    net.run(net.host, "nft", "-f", str(RULES))
    net.run(net.host, "nft", "-f", str(RULES))
    assert net.run(net.host, "nft", "list", "ruleset").count("chain forward") == 1


def test_on_an_internal_network_no_way_leads_out(net: Net) -> None:
    """What `internal: true` of compose.yaml makes: no route but to who is on the same network."""
    net.run(net.work, "ip", "route", "del", "default")
    assert [way for way in OUTSIDE if net.reach(*way)] == []
    assert net.reach("tcp", "10.99.1.1", 8080)
