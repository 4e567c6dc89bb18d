"""Invariant 8, on the way back: an upstream that echoes its request does not tell the container the credential."""

import gzip
from collections.abc import Callable

import pytest
from harness import RunningGateway, Upstream

from gatekeeper.journal import Reader

SECRET = "q7-no-known-shape-4f1d9b"
OWN = "z9-a-key-of-its-own-77c1"

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


def send(gateway: RunningGateway, upstream: Upstream, *lines: str, path: str = "/v1") -> bytes:
    head = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: localhost:{upstream.port}", *lines])
    return gateway.exchange("localhost", upstream.port, head.encode() + b"\r\n\r\n")


def test_a_secret_in_the_query_goes_upstream_and_is_not_echoed_nor_recorded(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset(echo)
    gateway = start_gateway(f'[credentials.localhost]\nquery = "key"\nvalue = "{SECRET}"')
    got = send(gateway, upstream, path=f"/v1?a=1&key={OWN}")
    assert f"/v1?a=1&key={SECRET} HTTP/1.1".encode() in upstream.received
    assert OWN.encode() not in upstream.received
    assert SECRET.encode() not in got
    written = b"".join(file.read_bytes() for file in gateway.config.journal.folder.iterdir() if file.is_file())
    assert SECRET.encode() not in written
    assert OWN.encode() not in written


def test_keys_of_a_container_are_recorded_by_fingerprint_the_same_for_every_subject(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset()
    gateway = start_gateway()
    send(gateway, upstream, f"Authorization: Bearer {OWN}")
    send(gateway, upstream, f"X-Api-Key: {OWN}", "Cookie: __cf_bm=abc")
    with Reader(gateway.config.journal.folder, None) as reader:
        requests = [entry.data for entry in reader.entries(0, reader.size) if entry.kind == "request"]
    first, second = (request.keys for request in requests)
    assert [(key.place, len(key.fingerprint)) for key in (*first, *second)] == [
        ("header authorization", 64),
        ("header x-api-key", 64),
    ]
    assert first[0].fingerprint == second[0].fingerprint
    assert OWN.encode() in upstream.received  # allowed, where the host has no credential here


def test_keys_for_hosts_without_a_credential_can_be_refused(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset()
    gateway = start_gateway('foreign = "deny"')
    got = send(gateway, upstream, f"Authorization: Bearer {OWN}")
    assert got.startswith(b"HTTP/1.1 403 ")
    assert b"foreign-credential" in got
    assert bytes(upstream.received) == b""


def test_an_upstream_that_redirects_elsewhere_takes_no_secret_along(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    moved = f"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/?key={SECRET}\r\nContent-Length: 0\r\n\r\n"
    upstream.reset(moved.encode())
    got = send(start_gateway(CREDENTIAL), upstream)
    assert got.startswith(b"HTTP/1.1 302 ")
    assert SECRET.encode() not in got
