"""Invariant 3: a request leaves only after its entry is durable; a response ends only after its entry is durable."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from harness import RunningGateway, Upstream

from gatekeeper.journal import Reader
from gatekeeper.journal.intake import Waiting
from gatekeeper.journal.writer import Writer

QUIET = 0.3
"""Seconds in which something that must not happen would have happened."""

EVENTS = b'data: {"choices":[{"index":0,"delta":{"content":"one"}}]}\n\ndata: [DONE]\n\n'
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: " + str(len(EVENTS)).encode() + b"\r\n\r\n"
) + EVENTS


class Gate:
    """Stands before the journal's commit, and lets entries of one kind through only when it is opened."""

    def __init__(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        commit = Writer._commit

        def gated(writer: Writer, batch: list[Waiting]) -> None:
            if any(waiting.draft.kind == kind for waiting in batch):
                self.reached.set()
                assert self.open.wait(20)
            commit(writer, batch)

        monkeypatch.setattr(Writer, "_commit", gated)


def _post(port: int) -> bytes:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
    body = '{"model":"m","stream":true,"messages":[]}'
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _in_background(gateway: RunningGateway, port: int, got: bytearray) -> "Future[None]":
    def call() -> None:
        with gateway.tls("localhost", port) as tunnel:
            tunnel.sendall(_post(port))
            while not _whole(bytes(got)) and (piece := tunnel.recv(65536)):
                got.extend(piece)

    return ThreadPoolExecutor(1).submit(call)


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and (body.endswith(b"0\r\n\r\n") if b"chunked" in head.lower() else body.endswith(b'{"ok":true}'))


def test_a_request_waits_for_its_entry(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = start_gateway()
    upstream.reset()
    gate, got = Gate("request", monkeypatch), bytearray()
    call = _in_background(gateway, upstream.port, got)
    assert gate.reached.wait(20)
    time.sleep(QUIET)
    assert (upstream.connections, bytes(upstream.received)) == (0, b"")
    gate.open.set()
    call.result(20)
    assert got.startswith(b"HTTP/1.1 200")
    assert b"POST /v1/chat/completions" in upstream.received


@pytest.mark.parametrize("answer", [None, STREAM], ids=["whole", "stream"])
def test_an_answer_waits_for_its_entry(
    answer: bytes | None,
    start_gateway: Callable[..., RunningGateway],
    upstream: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = start_gateway()
    upstream.reset(*([answer] if answer else []))
    gate, got = Gate("response", monkeypatch), bytearray()
    call = _in_background(gateway, upstream.port, got)
    assert gate.reached.wait(20)
    time.sleep(QUIET)
    assert not _whole(bytes(got)), got
    gate.open.set()
    call.result(20)
    assert _whole(bytes(got))
    assert b"one" in got or answer is None


def test_what_the_upstream_and_the_client_have_is_in_the_journal_by_then(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    gateway = start_gateway()
    folder = gateway.config.journal.folder
    at_upstream: list[list[str]] = []

    def answer(_: bytes) -> bytes:
        at_upstream.append(_kinds(folder))
        return b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'

    upstream.reset(answer)
    for _ in range(3):
        assert gateway.exchange("localhost", upstream.port, _post(upstream.port)).endswith(b'{"ok":true}')
        assert _kinds(folder)[-1] == "response"
    assert [kinds[-1] for kinds in at_upstream] == ["request"] * 3


def _kinds(folder: Path) -> list[str]:
    with Reader(folder, None) as reader:
        return [entry.kind for entry in reader.entries(0, reader.size)]
