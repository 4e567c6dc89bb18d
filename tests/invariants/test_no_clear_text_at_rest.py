"""Invariant 5: what a detector finds in traffic is never written. A search over every byte of every file proves it."""

import base64
import gzip
import json
import ssl
import time
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest
from e2e.stage import CANARIES, CARD, EMAIL, Installation, config
from harness import Authority, Upstream
from streams import FORMATS

from gatekeeper.journal import Reader

IBAN = "DE89370400440532013000"
SSN = "536-90-4399"
FOUND = (*CANARIES, IBAN, SSN)
JSON = {"content-type": "application/json"}
SAID = f"{EMAIL} paid with {CARD}, {IBAN}"

type Traffic = Callable[[httpx.Client, str], object]


def _event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def _answer(body: bytes, media: str, more: str = "", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


ANSWERS = {
    "json": _answer(json.dumps({"text": SAID}).encode(), "application/json"),
    "escaped": _answer(json.dumps({"text": SAID}).replace("@", "\\u0040").encode(), "application/json"),
    "nested": _answer(json.dumps({"arguments": json.dumps({"to": EMAIL})}).encode(), "application/json"),
    "text": _answer(SAID.encode(), "text/plain"),
    "gzip": _answer(gzip.compress(json.dumps({"t": SAID}).encode()), "application/json", "Content-Encoding: gzip\r\n"),
    "error": _answer(json.dumps({"error": {"message": SAID}}).encode(), "application/json", status="400 Bad Request"),
    "header": _answer(b"{}", "application/json", f"X-Customer: {EMAIL}\r\n"),
    "stream": _answer(b"".join(map(_event, SAID)) + b"data: [DONE]\n\n", "text/event-stream"),
    "html": _answer(f"<p>{SAID}</p>".replace("@", "&#64;").encode(), "text/html"),
    "base64": _answer(json.dumps({"text": base64.b64encode(SAID.encode()).decode()}).encode(), "application/json"),
    "cookie": _answer(b"{}", "application/json", f"Set-Cookie: user={EMAIL}; Path=/\r\n"),
    "compressed stream": _answer(
        gzip.compress(b"".join(map(_event, SAID))), "text/event-stream", "Content-Encoding: gzip\r\n"
    ),
    **{f"{form} stream": _answer(form.make(list(SAID)), form.media) for form in FORMATS},
    "unknown stream": _answer(f"event: note\ndata: {SAID}\n\n".encode(), "text/event-stream"),
}

REQUESTS: dict[str, Traffic] = {
    "json": lambda client, url: client.post(url, json={"messages": [{"role": "user", "content": SAID}]}),
    "number": lambda client, url: client.post(url, content=b'{"card": 4111111111111111}', headers=JSON),
    "form": lambda client, url: client.post(url, data={"mail": EMAIL, "card": CARD}),
    "text": lambda client, url: client.post(url, content=SAID, headers={"content-type": "text/plain"}),
    "query": lambda client, url: client.get(url, params={"mail": EMAIL, "card": CARD.replace(" ", "")}),
    "path": lambda client, url: client.get(f"{url}/{EMAIL}"),
    "header": lambda client, url: client.get(url, headers={"X-Customer": EMAIL}),
    "gzip": lambda client, url: client.post(
        url, content=gzip.compress(json.dumps({"t": SAID}).encode()), headers=JSON | {"content-encoding": "gzip"}
    ),
    "markup": lambda client, url: client.post(url, content=f"<a>{SAID}</a>".replace("@", "&#64;")),
    "base64": lambda client, url: client.post(url, json={"t": base64.b64encode(SAID.encode()).decode()}),
    "data URI": lambda client, url: client.post(url, json={"t": f"data:text/plain,{quote(SAID)}"}),
    "parts": lambda client, url: client.post(url, files={"file": (f"of {EMAIL}", SAID.encode(), "text/plain")}),
    "picture": lambda client, url: client.post(url, content=b"\x89PNG\r\n\x1a\n\0" + SAID.encode()),
    "nonsense": lambda client, url: client.post(url, content=b"{" + SAID.encode(), headers=JSON),
    "no rule": lambda client, url: client.post(url.replace("localhost", "nowhere.example"), json={"t": SAID}),
    "held": lambda client, url: client.post(url.replace("/thing", "/v1/refunds"), json={"to": EMAIL, "card": CARD}),
}


@pytest.fixture
def gateway(installation: Installation, authority: Authority, upstream: Upstream) -> Installation:
    upstream.reset()
    installation.make_reviewer()
    installation.configure(config(authority.certificate, upstream.port, wait="1s"))
    installation.start()
    return installation


def test_what_is_found_is_nowhere(gateway: Installation, upstream: Upstream) -> None:
    url = f"https://localhost:{upstream.port}/thing"
    trust = ssl.create_default_context(cafile=str(gateway.bundle))
    proxy = gateway.proxy(gateway.token("test-bot"))
    with httpx.Client(proxy=proxy, verify=trust, trust_env=False, timeout=30) as client:
        for send in REQUESTS.values():
            send(client, url)
        for answer in ANSWERS.values():
            upstream.reset(answer)
            got = client.post(url.replace("/thing", "/v1/chat/completions"), json={"stream": True})
            assert not [canary for canary in FOUND if canary in got.text + repr(got.headers)], got.text
    _refused_with_canaries(gateway)
    assert _bodies(gateway)
    assert not gateway.found(FOUND)  # while it runs, the WAL included
    assert any(path.name.endswith("-wal") for path in gateway.data.rglob("*"))
    assert gateway.stop() == 0
    assert not gateway.found(FOUND)
    for body in _bodies(gateway):  # nor below the journal's encryption
        assert not [canary for canary in FOUND if canary.encode() in body], body


def test_the_search_would_find_it(gateway: Installation) -> None:
    (gateway.data / "proof").write_bytes(b"\0" + EMAIL.encode() + b"\0")
    assert gateway.found(FOUND) == [(EMAIL, gateway.data / "proof")]


def _refused_with_canaries(gateway: Installation) -> None:
    basic = base64.b64encode(f"{EMAIL}:{CARD}".encode()).decode()
    for head in (
        f"CONNECT {EMAIL}:443 HTTP/1.1\r\nHost: x\r\n",
        f"CONNECT localhost:443 HTTP/1.1\r\nHost: {EMAIL}\r\nProxy-Authorization: Basic {basic}\r\n",
        f"GET /{EMAIL} HTTP/1.1\r\nHost: x\r\n",
        f"{EMAIL} {CARD}\r\n",
    ):
        connection, answer = gateway.connect("", 0, head)
        connection.close()
        assert answer.startswith(b"HTTP/1.1 4"), answer
    time.sleep(0.2)


def _bodies(gateway: Installation) -> list[bytes]:
    with Reader(gateway.data / "journal", gateway.data / "keys") as reader:
        contents = [reader.content(entry) for entry in reader.entries(0, reader.size) if entry.kind != "open"]
        return [content.data for content in contents if content]
