"""Invariant 8, on the way back: an upstream that echoes its request does not tell the container the credential."""

import gzip
from collections.abc import Callable

import pytest
from harness import RunningGateway, Upstream

SECRET = "q7-no-known-shape-4f1d9b"

CREDENTIAL = f"""
    [credentials.localhost]
    value = "Bearer {SECRET}"
"""


def echo(head: bytes) -> bytes:
    body = b'{"you sent": "' + head.replace(b"\r\n", b" ").replace(b'"', b"'") + b'"}'
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Echo: " + SECRET.encode()
        + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )  # fmt: skip


def zipped(head: bytes) -> bytes:
    body = gzip.compress(b"you sent " + head)
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )


def streamed(head: bytes) -> bytes:
    said = "you sent " + head.decode().replace("\r\n", " ").replace('"', "'")
    body = f'data: {{"text": "{said}"}}\n\ndata: [DONE]\n\n'.encode()
    chunks = (b"%x\r\n%b\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7))
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Echo: " + SECRET.encode()
        + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"
    )  # fmt: skip


@pytest.mark.parametrize("answer", [echo, zipped, streamed])
def test_an_echoed_credential_is_taken_out(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream, answer: Callable[[bytes], bytes]
) -> None:
    upstream.reset(answer)
    gateway = start_gateway(CREDENTIAL)
    got = gateway.exchange(
        "localhost", upstream.port, f"GET / HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n".encode()
    )
    assert SECRET.encode() in bytes(upstream.received)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert "‹removed›".encode() in got
    assert SECRET.encode() not in got
