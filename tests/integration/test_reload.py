"""SIGHUP to a gateway in a process of its own: a good file takes effect at once, a bad one changes nothing."""

import json
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.stage import REVIEWER, Installation, config, wait_for
from harness import Authority, Upstream, read_answer

from gatekeeper.journal import ConfigData

DENY = """
[[rules]]
name = "closed for now"
hosts = ["localhost"]
paths = ["/closed*"]
action = "deny"
"""


@pytest.fixture
def running(tmp_path: Path, authority: Authority, upstream: Upstream) -> Iterator[Installation]:
    own = Installation(tmp_path / "own")
    own.make_reviewer()
    own.configure(config(authority.certificate, upstream.port))
    own.start()
    yield own
    own.kill()


def ask(running: Installation, upstream: Upstream, path: str, tunnel: ssl.SSLSocket | None = None) -> bytes:
    """Ask through a tunnel; gives the head of the answer."""
    with tunnel or running.tunnel("localhost", upstream.port) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n".encode())
        return read_answer(connection)


def health(running: Installation) -> dict[str, str]:
    return json.loads(running.command("status", "--json"))


def reload(running: Installation, text: str, said: str) -> None:
    began = len(running.log)
    running.configure(text)
    assert running.process is not None
    running.process.send_signal(signal.SIGHUP)
    wait_for(lambda: said in running.log[began:], said)


def test_a_good_file_takes_effect_at_once_and_is_on_record(
    running: Installation, authority: Authority, upstream: Upstream
) -> None:
    before = health(running)["config"]
    waiting = running.tunnel("localhost", upstream.port)  # opened under the old policy
    assert ask(running, upstream, "/closed/1").startswith(b"HTTP/1.1 200")
    reload(running, config(authority.certificate, upstream.port, rules=DENY), "is in force")
    assert ask(running, upstream, "/closed/2").startswith(b"HTTP/1.1 403")
    assert ask(running, upstream, "/closed/3", waiting).startswith(b"HTTP/1.1 403")
    assert ask(running, upstream, "/open").startswith(b"HTTP/1.1 200")
    now = health(running)["config"]
    (entry,) = [entry for entry in running.entries() if isinstance(entry.data, ConfigData)]
    assert (entry.data.config, entry.data.by) == (now, "SIGHUP")
    assert now != before
    assert REVIEWER in entry.data.signers
    assert "closed for now" in running.command("journal", "show", str(entry.seq), "--body")
    assert running.stop() == 0
    running.command("journal", "verify")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[proxy]\nlisten = 3\n", "proxy.listen: expected str, got int"),
        ("[[rules", "not TOML"),
        ('[[rules]]\nname = "x"\naction = "allow"\nmatch = "~~~"\n', "is no mitmproxy filter expression"),
        ('[[identity.issuers]]\nissuer = "https://i"\njwks = "nowhere.json"\n', "identity.issuers[0].jwks"),
    ],
)
def test_a_bad_file_keeps_the_old_policy_and_says_so(
    running: Installation, upstream: Upstream, text: str, said: str
) -> None:
    before = health(running)["config"]
    reload(running, text, "the old one stays in force")
    assert said in running.log
    assert ask(running, upstream, "/open").startswith(b"HTTP/1.1 200")
    (running.folder / "config.toml").unlink()  # as `status` would read it
    view = json.loads(running.command("status", "--json", "--socket", "run/gatekeeper.sock"))
    assert (view["config"], view["status"]) == (before, "ok")
    assert said in view["reload"]
    assert not [entry for entry in running.entries() if isinstance(entry.data, ConfigData)]


def test_what_needs_a_restart_is_said_and_the_rest_takes_effect(
    running: Installation, authority: Authority, upstream: Upstream
) -> None:
    text = config(authority.certificate, upstream.port, rules=DENY).replace(
        'header_timeout = "3s"', 'header_timeout = "4s"'
    )
    reload(running, text, "proxy.header_timeout has changed and needs a restart")
    assert ask(running, upstream, "/closed").startswith(b"HTTP/1.1 403")
    (entry,) = [entry for entry in running.entries() if isinstance(entry.data, ConfigData)]
    body = running.command("journal", "show", str(entry.seq), "--body")
    assert "header_timeout = 3.0" in body or 'header_timeout = "3s"' in body


def test_a_held_call_is_carried_out_as_the_policy_that_held_it_said(
    running: Installation, authority: Authority, upstream: Upstream
) -> None:
    tunnel = running.tunnel("localhost", upstream.port)
    tunnel.sendall(
        f"POST /v1/refunds HTTP/1.1\r\nHost: localhost:{upstream.port}\r\nAuthorization: Bearer of-its-own\r\n"
        "Content-Length: 0\r\n\r\n".encode()
    )
    approval = running.wait_pending()
    credential = '[credentials."localhost"]\nvalue = "Bearer 0123456789abcdef"\n'
    reload(running, config(authority.certificate, upstream.port, more=credential), "is in force")
    running.decide("approve", approval)
    assert tunnel.recv(4096).startswith(b"HTTP/1.1 200")
    tunnel.close()
    assert running.stop() == 0
    running.command("journal", "verify")


def test_a_reviewer_who_was_taken_out_decides_no_more(
    running: Installation, authority: Authority, upstream: Upstream
) -> None:
    tunnel = running.tunnel("localhost", upstream.port)
    tunnel.sendall(
        f"POST /v1/refunds HTTP/1.1\r\nHost: localhost:{upstream.port}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    approval = running.wait_pending()
    (running.folder / "allowed_signers").write_text("")
    reload(running, config(authority.certificate, upstream.port), "is in force")
    key = str(running.folder / f"{REVIEWER}.key")
    running.command("approvals", "approve", approval, "--key", key, "--as", REVIEWER, "--reason", "x", expected=1)
    assert running.pending() == [approval]
    tunnel.close()
    assert running.stop() == 0
    running.command("journal", "verify")
