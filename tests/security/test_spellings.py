"""A rule on models or tools is not passed by a body that only some servers can read: the spelling changes nothing."""

from collections.abc import Iterator

import pytest
from harness import Authority, Upstream, run_gateway
from security.conftest import Check, assert_needed, each
from security.stage import Case, Place, Stage

from gatekeeper.config import parse_config

CONFIG = """
[proxy]
listen = "127.0.0.1:0"
upstream_ca = "{ca}"
[egress]
ports = [{port}]
private_networks = ["127.0.0.0/8", "::1/128"]
[[rules]]
name = "no large models"
hosts = ["localhost"]
models = ["large*"]
action = "deny"
[[rules]]
name = "no payments"
hosts = ["localhost"]
tools = ["pay"]
action = "deny"
[[rules]]
name = "all else"
hosts = ["localhost"]
action = "allow"
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, authority: Authority, upstream: Upstream) -> Iterator[Stage]:
    text = CONFIG.format(ca=authority.certificate, port=upstream.port)
    running, stop = run_gateway(parse_config(text, tmp_path_factory.mktemp("gateway") / "config.toml"))
    yield Stage(running, upstream)
    stop()


def unreadable(_: bytes) -> bytes:
    raise ValueError


def strictly(body: bytes, **_: object) -> object:
    raise ValueError(body)


LENIENT = Check.of("gatekeeper.dialects.request:lenient_json", unreadable)
ONE_BYTE = Check.of("gatekeeper.dialects.mcp:load_json", strictly)

MODEL = '{"model": "large-1", "messages": [{"role": "user", "content": "é"}], "user": "x"}'
CALL = '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "pay", "arguments": {"to": "é"}}}'

SPELLINGS: dict[str, tuple[str, str]] = {
    "with a byte order mark": ("utf-8-sig", "application/json"),
    "in UTF-16": ("utf-16", "application/json"),
    "in UTF-32": ("utf-32", "application/json"),
    "in UTF-16, of no type": ("utf-16", ""),
}


def post(path: str, body: bytes, media: str) -> bytes:
    kind = f"Content-Type: {media}\r\n" if media else ""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost:%PORT\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def case(name: str, check: Check, path: str, body: bytes, media: str = "application/json") -> Case:
    return Case(name, check, Place.TUNNEL, post(path, body, media), 403, "denied-by-rule")


CHAT, MCP = "/v1/chat/completions", "/mcp"
CASES = [
    *(
        case(f"a model {name}", LENIENT, CHAT, MODEL.encode(charset), media)
        for name, (charset, media) in SPELLINGS.items()
    ),
    case("a model beside half a character", LENIENT, CHAT, MODEL.replace('"x"', '"\\ud800"').encode()),
    *(
        case(f"a tool {name}", ONE_BYTE, MCP, CALL.encode(charset), media)
        for name, (charset, media) in SPELLINGS.items()
    ),
    case("a tool in ISO-8859-1", ONE_BYTE, MCP, CALL.encode("latin-1"), "application/json; charset=iso-8859-1"),
    case("a tool beside half a character", ONE_BYTE, MCP, CALL.replace('"é"', '"\\ud800"').encode()),
]


@each(CASES)
def test_holds(case: Case, stage: Stage) -> None:
    case.hold(stage)


@each(CASES)
def test_fails_without_its_check(case: Case, stage: Stage) -> None:
    assert_needed(case.check, lambda: case.hold(stage))
