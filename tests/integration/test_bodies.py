"""Answers as they come from real servers: parts, media, compressed streams."""

import gzip
import json
from collections.abc import Callable

import pytest
from harness import RunningGateway, Upstream
from streams import FORMATS, Format, cut

from gatekeeper.journal import Entry, Reader

TEXT = "Ada is john.smith@example.com, card 4111 1111 1111 1111"
MASKED = "Ada is <EMAIL_ADDRESS>, card <CREDIT_CARD>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
ALLOWED = """
    [[rules]]
    name = "pictures"
    hosts = ["localhost"]
    uninspected = "allow"
    action = "allow"
"""


def answer(body: bytes, media: str, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(gateway: RunningGateway, upstream: Upstream, more: str = "") -> tuple[bytes, bytes]:
    request = f"GET /x HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n{more}\r\n"
    head, _, body = gateway.exchange("localhost", upstream.port, request.encode()).partition(b"\r\n\r\n")
    return head, body


def unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return whole


def last_response(gateway: RunningGateway) -> Entry:
    with Reader(gateway.config.journal.folder, gateway.config.keys) as reader:
        return [entry for entry in reader.entries(0, reader.size) if entry.kind == "response"][-1]


def test_a_whole_is_asked_for_and_a_part_is_refused(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset(answer(b"mith@example.com", "text/plain", "206 Partial Content", "Content-Range: bytes 5-20/90\r\n"))

    head, body = get(start_gateway(), upstream, 'Range: bytes=5-20\r\nIf-Range: "x"\r\nAccept-Encoding: xz, gzip\r\n')

    received = bytes(upstream.received).lower()
    assert b"range" not in received
    assert b"accept-encoding: gzip\r\n" in received
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"mith@example" not in body


def test_a_picture_passes_where_a_rule_says_so(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset(answer(PNG, "image/png"))

    head, body = get(start_gateway(), upstream)
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b'uninspected = \\"allow\\"' in body


def test_the_journal_names_what_was_not_inspected(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    upstream.reset(answer(PNG, "image/png"))
    gateway = start_gateway(rules=ALLOWED)

    head, body = get(gateway, upstream)

    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == PNG
    assert last_response(gateway).data.uninspected == "the body is not text"


@pytest.mark.parametrize("form", [form for form in FORMATS if not form.asked], ids=str)
def test_a_compressed_stream_is_masked_as_it_comes(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream, form: Format
) -> None:
    body = form.make(cut(TEXT, range(0, 60, 4)))
    media = form.media
    upstream.reset(answer(gzip.compress(body), media, more='Content-Encoding: gzip\r\nETag: "x"\r\n'))

    head, read = get(start_gateway(), upstream)

    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-encoding" not in head.lower()
    assert b"etag" not in head.lower()
    assert form.joined(unchunked(read)) == MASKED


def test_pseudonyms_go_up_and_values_come_back(
    start_gateway: Callable[..., RunningGateway], upstream: Upstream
) -> None:
    asked = json.dumps({"prompt": TEXT}).encode()

    def echo(_: bytes) -> bytes:
        said = json.loads(bytes(upstream.received).rpartition(b"\r\n\r\n")[2])["prompt"]
        return answer(FORMATS[0].make(cut(said, range(0, 80, 3))), "text/event-stream")

    upstream.reset(echo)
    gateway = start_gateway(more='[masking.request]\nupstream = "pseudonymize"\n')
    head = f"POST /x HTTP/1.1\r\nHost: localhost:{upstream.port}\r\nContent-Type: application/json\r\n"

    _, _, body = gateway.exchange(
        "localhost", upstream.port, f"{head}Content-Length: {len(asked)}\r\n\r\n".encode() + asked
    ).partition(b"\r\n\r\n")

    assert b"john.smith" not in upstream.received
    assert b"4111" not in upstream.received
    assert FORMATS[0].joined(unchunked(body)) == TEXT
