"""Invariant 4: no byte of a held request reaches upstream before its decisions are durable, and only that request."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable

import httpx
import pytest
from e2e.stage import REVIEWER, Installation, config, wait_for
from harness import Authority, Upstream

QUIET = 0.3
"""Seconds in which something that must not happen would have happened."""

RELEASE_LIMIT = 2.0
"""Seconds; generous, since the machine is shared. The promise is 250 ms; the figure is printed."""

BODY = {"order": "A-1042", "amount": "25.00"}


class Call(threading.Thread):
    """A client that waits for its answer."""

    def __init__(self, gateway: Installation, port: int, body: object = None) -> None:
        super().__init__(daemon=True)
        self.url, self.body = f"https://localhost:{port}/v1/refunds", BODY if body is None else body
        self.proxy = gateway.proxy(gateway.token("support-bot"))
        self.trust = ssl.create_default_context(cafile=str(gateway.bundle))
        self.answer: httpx.Response | None = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            with httpx.Client(proxy=self.proxy, verify=self.trust, trust_env=False, timeout=60) as client:
                self.answer = client.post(self.url, json=self.body)
        except httpx.HTTPError as error:
            self.error = error

    def end(self) -> httpx.Response:
        self.join(30)
        assert self.answer is not None, self.error
        return self.answer


@pytest.fixture
def start(installation: Installation, authority: Authority, upstream: Upstream) -> Callable[..., Installation]:
    """Start a gateway that holds refunds to the upstream that counts every byte."""

    def begin(wait: str = "50s", rules: str = "", more: str = "") -> Installation:
        upstream.reset()
        installation.make_reviewer()
        installation.make_reviewer("mallory@example.com")
        installation.configure(config(authority.certificate, upstream.port, wait=wait, rules=rules, more=more))
        installation.start()
        return installation

    return begin


def untouched(upstream: Upstream) -> bool:
    time.sleep(QUIET)
    return (bytes(upstream.received), upstream.connections) == (b"", 0)


def test_an_approved_call_goes_out_once(start: Callable[..., Installation], upstream: Upstream) -> None:
    gateway = start()
    call = Call(gateway, upstream.port)
    approval = gateway.wait_pending()
    assert untouched(upstream)
    gateway.decide("approve", approval)
    assert call.end().status_code == 200
    assert upstream.received.count(b"POST /v1/refunds") == 1
    (exchange,) = gateway.ended(0)
    kinds = gateway.kinds()
    assert [kind for kind in kinds if kind not in {"open", "refused"}] == [
        "request", "hold", "decision", "release", "response",
    ]  # fmt: skip
    assert exchange.request.data.digest == exchange.entries[1].data.digest == exchange.entries[2].data.digest
    again = Call(gateway, upstream.port).end()  # an approval is used once
    assert again.status_code == 403
    assert approval in again.text
    assert upstream.received.count(b"POST /v1/refunds") == 1
    assert gateway.stop() == 0
    gateway.command("journal", "verify")


def test_from_the_commands_end_to_the_upstream(
    start: Callable[..., Installation], upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway = start()
    calls = [Call(gateway, upstream.port, {"order": str(number)}) for number in range(5)]
    wait_for(lambda: len(gateway.pending()) == 5, "five approvals")
    took = []
    for number, approval in enumerate(gateway.pending(), 1):
        gateway.decide("approve", approval)
        ended = time.monotonic()
        wait_for(lambda: upstream.received.count(b"POST /v1/refunds") >= number, "the request")  # noqa: B023 - used at once
        took.append(time.monotonic() - ended)
    assert [call.end().status_code for call in calls] == [200] * 5
    shown = ", ".join(f"{1000 * one:.0f}" for one in took)
    with capsys.disabled():
        print(f"\nms from the end of `approvals approve` to the upstream, 5 held: {shown}")  # noqa: T201
    assert max(took) <= RELEASE_LIMIT


def test_a_denied_call_never_goes_out(start: Callable[..., Installation], upstream: Upstream) -> None:
    gateway = start()
    call = Call(gateway, upstream.port)
    approval = gateway.wait_pending()
    gateway.decide("deny", approval)
    answer = call.end()
    assert answer.status_code == 403
    assert answer.headers["x-should-retry"] == "false"
    assert approval in answer.text
    assert untouched(upstream)
    (exchange,) = gateway.ended(0)
    assert [entry.kind for entry in exchange.entries] == ["request", "hold", "deny", "response"]


def test_a_decision_by_somebody_else_releases_nothing(start: Callable[..., Installation], upstream: Upstream) -> None:
    gateway = start()
    call = Call(gateway, upstream.port)
    approval = gateway.wait_pending()
    key = str(gateway.folder / "mallory@example.com.key")
    for name in ("mallory@example.com", REVIEWER):
        gateway.command("approvals", "approve", approval, "--key", key, "--as", name, expected=1)
    assert untouched(upstream)
    assert gateway.pending() == [approval]
    gateway.decide("deny", approval)
    assert call.end().status_code == 403
    assert "decision" not in gateway.kinds()[:-3]


def test_a_quorum_of_two_needs_two(start: Callable[..., Installation], upstream: Upstream) -> None:
    rule = f"""
        [[rules]]
        name = "big refunds need two"
        hosts = ["localhost"]
        paths = ["/v1/refunds*"]
        action = "hold"
        reviewers = ["both"]
        quorum = 2
        [approvals.groups]
        both = ["{REVIEWER}", "bob@example.com"]
        finance-leads = ["{REVIEWER}"]
        [[rules]]
        name = "the rest"
        hosts = ["localhost"]
        action = "allow"
    """
    gateway = start()
    gateway.stop()
    gateway.make_reviewer("bob@example.com")
    text = (gateway.folder / "config.toml").read_text()
    gateway.configure(text[: text.index("[[rules]]")] + rule)
    gateway.start()
    call = Call(gateway, upstream.port)
    approval = gateway.wait_pending()
    gateway.decide("approve", approval)
    gateway.command(
        "approvals", "approve", approval, "--key", str(gateway.folder / f"{REVIEWER}.key"), "--as", REVIEWER, expected=1
    )  # the same reviewer does not count twice
    assert untouched(upstream)
    gateway.decide("approve", approval, "bob@example.com")
    assert call.end().status_code == 200


def test_when_the_wait_is_over_nothing_has_gone_out(start: Callable[..., Installation], upstream: Upstream) -> None:
    gateway = start(wait="1s")
    answer = Call(gateway, upstream.port).end()
    assert answer.status_code == 403
    (approval,) = gateway.pending()
    assert approval in answer.text
    assert untouched(upstream)
    gateway.decide("approve", approval)
    assert untouched(upstream)
    assert Call(gateway, upstream.port).end().status_code == 200  # repeated once it is approved
    assert upstream.received.count(b"POST /v1/refunds") == 1
    assert Call(gateway, upstream.port).end().status_code == 403
    assert upstream.received.count(b"POST /v1/refunds") == 1


def test_another_request_is_not_released_by_it(start: Callable[..., Installation], upstream: Upstream) -> None:
    gateway = start(wait="1s")
    Call(gateway, upstream.port).end()
    (approval,) = gateway.pending()
    gateway.decide("approve", approval)
    other = Call(gateway, upstream.port, {"order": "A-1042", "amount": "9999.00"}).end()
    assert other.status_code == 403
    assert untouched(upstream)


def test_a_client_that_left_is_not_answered_for(start: Callable[..., Installation], upstream: Upstream) -> None:
    gateway = start()
    tunnel = gateway.tunnel("localhost", upstream.port)
    body = json.dumps(BODY).encode()
    head = (
        f"POST /v1/refunds HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    tunnel.sendall(head.encode() + body)
    approval = gateway.wait_pending()
    tunnel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    tunnel.close()
    wait_for(lambda: "abandon" in gateway.kinds(), "the hold's end")
    gateway.decide("approve", approval)
    assert untouched(upstream)
    assert gateway.stop() == 0
    gateway.command("journal", "verify")


@pytest.fixture
def killed(start: Callable[..., Installation], upstream: Upstream) -> tuple[Installation, str]:
    gateway = start()
    call = Call(gateway, upstream.port)
    approval = gateway.wait_pending()
    gateway.kill()
    call.join(20)
    assert call.error is not None
    gateway.start()
    return gateway, approval


def test_a_crash_during_a_hold_releases_nothing(killed: tuple[Installation, str], upstream: Upstream) -> None:
    gateway, approval = killed
    assert untouched(upstream)
    assert gateway.pending() == [approval]  # the approval outlives the process
    assert "truncated" in gateway.kinds()
    gateway.decide("approve", approval)
    assert untouched(upstream)
    assert Call(gateway, upstream.port).end().status_code == 200
    assert gateway.stop() == 0
    gateway.command("journal", "verify")
    assert upstream.received.count(b"POST /v1/refunds") == 1


def test_a_gateway_that_stops_answers_what_is_held(start: Callable[..., Installation], upstream: Upstream) -> None:
    gateway = start()
    call = Call(gateway, upstream.port)
    gateway.wait_pending()
    assert gateway.stop() == 0
    assert call.end().status_code == 503
    assert untouched(upstream)
    gateway.command("journal", "verify")
