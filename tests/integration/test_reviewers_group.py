"""Reviewers are other Unix users: they reach the admin socket through its group, and nothing under `data/`."""

import grp
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Authority, RunningGateway, Upstream, gateway_config, run_gateway

from gatekeeper.cli.admin_client import AdminClient

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

STRANGER = 65533
GROUP = "nogroup"

RULES = """
    [[rules]]
    name = "ask"
    hosts = ["localhost"]
    methods = ["POST"]
    action = "hold"
    reviewers = ["leads"]
    wait = "20s"
    [approvals.groups]
    leads = ["alice@example.com"]
    [admin]
    group = "nogroup"
"""


@pytest.fixture
def gateway(authority: Authority, upstream: Upstream) -> Iterator[RunningGateway]:
    """Start a gateway in a folder that other users may enter, as an operator would have it."""
    folder = Path(tempfile.mkdtemp(prefix="gatekeeper-reviewers-"))
    folder.chmod(0o755)
    upstream.reset()
    config = gateway_config(folder, authority, upstream, RULES)
    running, stop = run_gateway(config)
    yield running
    stop()
    shutil.rmtree(folder)


def as_user(uid: int, gid: int, work: Callable[[], str]) -> str:
    """Do some work in a child that is another Unix user, and give what it says, or the name of what it raises."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            said = work()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = type(error).__name__
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_a_reviewer_sees_what_is_held_and_nothing_of_the_data(gateway: RunningGateway, upstream: Upstream) -> None:
    request = f"POST /v1/refunds HTTP/1.1\r\nHost: localhost:{upstream.port}\r\nContent-Length: 0\r\n\r\n".encode()
    caller = threading.Thread(target=lambda: gateway.exchange("localhost", upstream.port, request), daemon=True)
    caller.start()
    gid = grp.getgrnam(GROUP).gr_gid
    socket, data = gateway.config.admin_socket, gateway.config.data
    with AdminClient(socket) as client:  # its modules are loaded by now; another user may not read them here
        while not client.approvals():
            pass

    def listed() -> str:
        with AdminClient(socket) as client:
            (approval,) = client.approvals()
            return client.approval(approval.id).approval.rule

    assert as_user(STRANGER, gid, listed) == "ask"
    assert as_user(STRANGER, gid, lambda: str(list(data.iterdir()))) == "PermissionError"
    assert as_user(STRANGER, gid, (gateway.config.keys / "ca.key").read_text) == "PermissionError"
    assert as_user(STRANGER, STRANGER, listed) not in {"ask", ""}
    assert bytes(upstream.received) == b""
