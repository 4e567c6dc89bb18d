"""Invariant 4, for tools: what a rule holds reaches neither a client as a model's proposal nor a server as a call."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e.stage import wait_for
from harness import RunningGateway, Upstream
from reviewing import ALICE, SigningKey, allowed_signers, statement_on

from gatekeeper.exchange import Instant
from gatekeeper.exchange import now as system_clock
from gatekeeper.journal import Reader
from gatekeeper.journal.statement import Answer, Scope

RULES = f"""
[approvals.groups]
leads = ["{ALICE}"]
[[rules]]
name = "refunds are held"
tools = ["issue_*"]
action = "hold"
reviewers = ["leads"]
wait = "20s"
[[rules]]
name = "files stay"
tools = ["delete_file"]
action = "deny"
"""
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("issue_refund", "look_up", "delete_file")]
EVENT_STREAM = "text/event-stream"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.make(tmp_path_factory.mktemp("keys"), ALICE)


@pytest.fixture
def gateway(
    start_gateway: Callable[..., RunningGateway], tmp_path: Path, upstream: Upstream, key: SigningKey
) -> RunningGateway:
    upstream.reset()
    (tmp_path / "allowed_signers").write_text(allowed_signers({ALICE: key}))
    return start_gateway(RULES)


def answer(body: bytes, media: str = "application/json") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def proposal(*names: str) -> bytes:
    calls = [{"id": f"call_{n}", "type": "function", "function": {"name": it, "arguments": '{"amount": 20}'}}
             for n, it in enumerate(names)]  # fmt: skip
    choice = {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "tool_calls": calls}}
    return json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()


def streamed(*names: str) -> bytes:
    events = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": n, "id": f"call_{n}", "function": {"name": it, "arguments": '{"amount": 20}'}}]}}]}
        for n, it in enumerate(names)
    ]  # fmt: skip
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events) + b"data: [DONE]\n\n"


def post(path: str, body: object, port: int) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Call(threading.Thread):
    """A client that waits for its answer."""

    def __init__(self, gateway: RunningGateway, upstream: Upstream, path: str, body: object) -> None:
        super().__init__(daemon=True)
        self.gateway, self.port, self.request = gateway, upstream.port, post(path, body, upstream.port)
        self.answer = b""
        self.start()

    def run(self) -> None:
        self.answer = self.gateway.exchange("localhost", self.port, self.request)

    def end(self) -> bytes:
        self.join(20)
        assert not self.is_alive()
        return self.answer


def ask(gateway: RunningGateway, upstream: Upstream, *, stream: bool = False, tools: Any = TOOLS) -> Call:
    body = {"model": "m", "stream": stream, "tools": tools, "messages": [{"role": "user", "content": "hi"}]}
    return Call(gateway, upstream, "/v1/chat/completions", body)


def decide(gateway: RunningGateway, key: SigningKey, verdict: Answer = Answer.APPROVE, **changes: Any) -> str:
    (view,) = wait_for(gateway.parts.desk.pending, "an approval")
    statement = statement_on(view, ALICE, verdict, **changes)
    gateway.background.run(gateway.parts.desk.decide(statement, key.sign(statement)))
    return view.id


def recorded(gateway: RunningGateway) -> list[str]:
    gateway.background.run(asyncio.sleep(0.1))
    with Reader(gateway.config.journal.folder, None) as reader:
        return [entry.kind for entry in reader.entries(1, reader.size)]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_calls_a_held_tool_waits_and_comes_as_it_was_once_approved(
    gateway: RunningGateway,
    upstream: Upstream,
    key: SigningKey,
    stream: bool,  # noqa: FBT001
) -> None:
    body = streamed("look_up", "issue_refund") if stream else proposal("look_up", "issue_refund")
    upstream.answer = answer(body, EVENT_STREAM if stream else "application/json")
    call = ask(gateway, upstream, stream=stream)
    (view,) = wait_for(gateway.parts.desk.pending, "an approval")
    assert (view.of, view.tool, view.reasons) == ("response", "issue_refund", ("the answer calls tool issue_*",))
    assert call.is_alive()
    decide(gateway, key)
    assert body in call.end() or stream
    assert b"issue_refund" in call.answer
    assert recorded(gateway) == ["request", "hold", "decision", "release", "response"]
    assert upstream.received.count(b"POST ") == 1


def test_a_denied_answer_never_comes(gateway: RunningGateway, upstream: Upstream, key: SigningKey) -> None:
    upstream.answer = answer(streamed("issue_refund"), EVENT_STREAM)
    call = ask(gateway, upstream, stream=True)
    decide(gateway, key, Answer.DENY)
    assert call.end().startswith(b"HTTP/1.1 403")
    assert b"amount" not in call.answer
    assert recorded(gateway) == ["request", "hold", "decision", "deny", "response"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_rule_denies_is_withheld_at_once(
    gateway: RunningGateway,
    upstream: Upstream,
    stream: bool,  # noqa: FBT001
) -> None:
    body = streamed("look_up", "delete_file") if stream else proposal("look_up", "delete_file")
    upstream.answer = answer(body, EVENT_STREAM if stream else "application/json")
    got = ask(gateway, upstream, stream=stream).end()
    assert got.startswith(b"HTTP/1.1 403")
    assert b"files stay" in got
    assert b"amount" not in got


def test_a_tool_that_was_not_offered_is_cut_off_in_the_stream(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.answer = answer(streamed("look_up", "issue_refund"), EVENT_STREAM)
    got = ask(gateway, upstream, stream=True, tools=[TOOLS[1]]).end()
    assert b"issue_refund" not in got
    assert "error" in recorded(gateway)


@pytest.mark.parametrize("tools", [[], TOOLS[1:2]])
def test_other_answers_stream_and_pass(gateway: RunningGateway, upstream: Upstream, tools: Any) -> None:
    upstream.answer = answer(streamed("look_up"), EVENT_STREAM)
    got = ask(gateway, upstream, stream=True, tools=tools).end()
    assert b"chunked" in got.lower()
    assert b"look_up" in got
    assert "hold" not in recorded(gateway)


def test_two_held_rules_in_one_answer_cannot_be_decided_together(gateway: RunningGateway, upstream: Upstream) -> None:
    upstream.answer = answer(proposal("issue_refund", "delete_file"))
    assert ask(gateway, upstream).end().startswith(b"HTTP/1.1 403")


def test_a_client_that_left_while_its_answer_was_held_is_recorded(
    gateway: RunningGateway, upstream: Upstream, key: SigningKey
) -> None:
    upstream.answer = answer(proposal("issue_refund"))
    body = {"model": "m", "tools": TOOLS, "messages": []}
    tunnel = gateway.tls("localhost", upstream.port)
    tunnel.sendall(post("/v1/chat/completions", body, upstream.port))
    wait_for(gateway.parts.desk.pending, "an approval")
    tunnel.close()
    wait_for(lambda: "abandon" in recorded(gateway), "the end of the hold")
    decide(gateway, key)
    again = Call(gateway, upstream, "/v1/chat/completions", body)  # the same proposal joins, and is released
    assert again.end().startswith(b"HTTP/1.1 200")
    assert "error" not in recorded(gateway)


def mcp(method: str = "tools/call", name: str = "issue_refund", **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": name, "arguments": {"amount": 20}}, **more}


def test_the_call_of_the_tool_itself_is_held_and_a_grant_for_it_covers_the_next(
    gateway: RunningGateway, upstream: Upstream, key: SigningKey
) -> None:
    call = Call(gateway, upstream, "/mcp", mcp())
    wait_for(gateway.parts.desk.pending, "an approval")
    assert upstream.received == b""
    decide(gateway, key, scope=Scope.GRANT, until=Instant(system_clock() + 3_600_000_000), tool="issue_refund", uses=2)
    assert call.end().startswith(b"HTTP/1.1 200")
    assert Call(gateway, upstream, "/mcp", mcp(id=2)).end().startswith(b"HTTP/1.1 200")
    assert upstream.received.count(b"POST ") == 2
    assert recorded(gateway) == ["request", "hold", "grant", "release", "response", "request", "release", "response"]
    third = Call(gateway, upstream, "/mcp", mcp(id=3))
    wait_for(gateway.parts.desk.pending, "an approval")
    decide(gateway, key, Answer.DENY)
    refused = json.loads(third.end().partition(b"\r\n\r\n")[2])
    assert refused["jsonrpc"] == "2.0"
    assert "denied by a reviewer" in refused["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        mcp(name="delete_file"),
        [mcp("tools/list"), mcp(name="delete_file")],
        {**mcp(), "params": {"name": "delete_file"}},
    ],
)
def test_a_denied_tool_is_not_called(gateway: RunningGateway, upstream: Upstream, body: object) -> None:
    assert Call(gateway, upstream, "/mcp", body).end().startswith(b"HTTP/1.1 403")
    assert upstream.received == b""
