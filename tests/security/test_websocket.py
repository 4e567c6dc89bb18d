"""WebSocket only where a rule says so, and each message inspected, judged, masked and on disk before it goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from harness import Authority, RunningGateway, run_gateway
from security.conftest import Check, assert_needed, each
from security.stage import Stage, said, status_of
from security.websockets import ACCEPTED, KEY, WsClient, WsUpstream
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from gatekeeper.config import parse_config
from gatekeeper.exchange import now
from gatekeeper.journal import Entry, Reader, verify_journal

CONFIG = """
[proxy]
listen = "127.0.0.1:0"
upstream_ca = "{ca}"
header_timeout = "1s"
header_limit = "4KiB"
body_limit = "64KiB"
[egress]
ports = [{port}]
private_networks = ["127.0.0.0/8", "::1/128"]
[[rules]]
name = "no social security numbers"
findings = ["US_SSN"]
action = "deny"
[[rules]]
name = "calls only"
hosts = ["localhost"]
subjects = ["caller"]
action = "allow"
[[rules]]
name = "talk"
hosts = ["localhost"]
subjects = ["test-bot"]
websocket = true
action = "allow"
"""
CARD = "4111 1111 1111 1111"


@pytest.fixture(scope="module")
def upstream(authority: Authority) -> Iterator[WsUpstream]:  # type: ignore[override]
    server, stop = WsUpstream.start(authority)
    yield server
    stop()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, upstream: WsUpstream
) -> Iterator[RunningGateway]:
    text = CONFIG.format(ca=authority.certificate, port=upstream.port)
    running, stop = run_gateway(parse_config(text, tmp_path_factory.mktemp("gateway") / "config.toml"))
    yield running
    stop()
    report = verify_journal(running.config.journal.folder)
    assert report.ok, report
    written = b"".join(path.read_bytes() for path in running.config.data.rglob("*") if path.is_file())
    assert CARD.encode() not in written


@dataclass
class Scene:
    gateway: RunningGateway
    upstream: WsUpstream

    def __post_init__(self) -> None:
        self.journal = Stage(self.gateway, None)  # type: ignore[arg-type]

    def open(self, more: str = "", credential: str | None = None) -> WsClient:
        return WsClient(self.gateway, self.upstream.port, more, credential)

    def entries(self, start: int, kind: str) -> list[Entry]:
        with Reader(self.gateway.config.journal.folder, None) as reader:
            return [entry for entry in reader.entries(start, reader.size) if entry.kind == kind]

    def bodies(self, start: int) -> list[str]:
        config = self.gateway.config
        with Reader(config.journal.folder, config.keys) as reader:
            found = [reader.content(entry) for entry in reader.entries(start, reader.size) if entry.kind == "message"]
        return [content.data.decode() for content in found if content is not None]


@pytest.fixture
def scene(gateway: RunningGateway, upstream: WsUpstream) -> Scene:
    upstream.reset()
    return Scene(gateway, upstream)


def passes(*_: object, **__: object) -> None:
    """Stand in the place of a check that says what is wrong: nothing ever is."""


# ── the handshake ───────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_go_both_ways_and_are_on_record_masked(scene: Scene) -> None:
    start = scene.journal.forget()
    client = scene.open()
    assert client.opened, client.answer
    client.send(TextMessage(f'{{"card": "{CARD}"}}'))
    assert client.next() == TextMessage('{"card": "<CREDIT_CARD>"}')
    client.send(CloseConnection(1000, f"bye {CARD}"))
    assert client.ended() == 1000
    assert scene.upstream.texts == [f'{{"card": "{CARD}"}}']
    assert [entry.data.direction for entry in scene.entries(start, "message")] == ["up", "down", "up"]
    assert [entry.data.form for entry in scene.entries(start, "message")] == ["text", "text", "close"]
    assert [entry.data.findings for entry in scene.entries(start, "message")][:2] == [{"CREDIT_CARD": 1}] * 2
    assert scene.bodies(start) == ['{"card": "<CREDIT_CARD>"}', '{"card": "<CREDIT_CARD>"}', "bye <CREDIT_CARD>"]


def test_no_compression_and_no_further_extension_is_offered(scene: Scene) -> None:
    client = scene.open("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
    assert client.opened
    assert b"extensions" not in scene.upstream.heads[0].lower()


def test_bytes_that_come_behind_the_handshake_are_messages(scene: Scene) -> None:
    scene.upstream.reset(ACCEPTED + b"\x81\x05hello")
    assert scene.open().next() == TextMessage("hello")


def test_only_a_rule_that_says_so_opens_one(scene: Scene) -> None:
    def hold() -> None:
        scene.upstream.reset()
        client = scene.open(credential=scene.gateway.token("caller"))
        assert client.answer.startswith(b"HTTP/1.1 403 "), client.answer
        assert not scene.upstream.heads

    hold()
    assert_needed(Check.of("gatekeeper.policy.conditions:Facts.websocket", property(lambda _: False)), hold)


@dataclass(frozen=True)
class Handshake:
    """What is wrong with a client's handshake."""

    name: str
    check: Check
    data: str

    def hold(self, scene: Scene) -> None:
        scene.upstream.reset()
        start = scene.journal.forget()
        request = self.data.replace("{port}", str(scene.upstream.port)).encode()
        with scene.gateway.tls("localhost", scene.upstream.port) as tunnel:
            answer = said(tunnel, request)
        assert status_of(answer) == 400, answer
        assert not scene.upstream.heads
        scene.journal.await_reason(start, "malformed")


GOOD = {
    "Host": "localhost:{port}",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


def shaken(line: str = "GET /chat HTTP/1.1", **changed: str | None) -> str:
    fields = GOOD | {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([line, *lines]) + "\r\n\r\n"


SHAKEN = Check.of("addons.target:handshake_problem", passes)

HANDSHAKES = [
    Handshake("by POST", SHAKEN, shaken("POST /chat HTTP/1.1", Content_Length="0")),
    Handshake("in HTTP/1.0", SHAKEN, shaken("GET /chat HTTP/1.0")),
    Handshake("with a body", SHAKEN, shaken(Content_Length="2") + "hi"),
    Handshake("to two protocols", SHAKEN, shaken(Upgrade="websocket, h2c")),
    Handshake("without Upgrade", SHAKEN, shaken(Upgrade=None)),
    Handshake("without Connection", SHAKEN, shaken(Connection="keep-alive")),
    Handshake("of another version", SHAKEN, shaken(Sec_WebSocket_Version="8")),
    Handshake("without a version", SHAKEN, shaken(Sec_WebSocket_Version=None)),
    Handshake("without a key", SHAKEN, shaken(Sec_WebSocket_Key=None)),
    Handshake("with a short key", SHAKEN, shaken(Sec_WebSocket_Key="AAAA")),
    Handshake("with a key that is none", SHAKEN, shaken(Sec_WebSocket_Key="????????????????????????")),
]


@each(HANDSHAKES)
def test_a_handshake_that_is_none_is_refused(case: Handshake, scene: Scene) -> None:
    case.hold(scene)


@each(HANDSHAKES)
def test_such_a_handshake_passes_without_its_check(case: Handshake, scene: Scene) -> None:
    assert_needed(case.check, lambda: case.hold(scene))


@dataclass(frozen=True)
class Acceptance:
    """What is wrong with an upstream's 101."""

    name: str
    check: Check
    answer: bytes

    def hold(self, scene: Scene) -> None:
        scene.upstream.reset(self.answer)
        start = scene.journal.forget()
        client = scene.open()
        assert status_of(client.answer) == 502, client.answer
        scene.journal.await_reason(start, "upstream-malformed")


AGREED = Check.of("gatekeeper.gateway.http1:acceptance_problem", passes)

ACCEPTANCES = [
    Acceptance("another key's", AGREED, ACCEPTED.replace(b"Accept: ", b"Accept: A")),
    Acceptance("no key's", AGREED, ACCEPTED.replace(b"Sec-WebSocket-Accept", b"X-Accept")),
    Acceptance("another protocol", AGREED, ACCEPTED.replace(b"websocket", b"h2c")),
    Acceptance("no Connection", AGREED, ACCEPTED.replace(b"Connection: Upgrade\r\n", b"")),
    Acceptance("an extension", AGREED, ACCEPTED[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
    Acceptance("a subprotocol", AGREED, ACCEPTED[:-2] + b"Sec-WebSocket-Protocol: chat\r\n\r\n"),
    Acceptance("a body", AGREED, ACCEPTED[:-2] + b"Content-Length: 2\r\n\r\nhi"),
]


@each(ACCEPTANCES)
def test_an_acceptance_that_is_none_is_a_502(case: Acceptance, scene: Scene) -> None:
    case.hold(scene)


@each(ACCEPTANCES)
def test_such_an_acceptance_passes_without_its_check(case: Acceptance, scene: Scene) -> None:
    assert_needed(case.check, lambda: case.hold(scene))


def test_switching_protocols_without_being_asked_is_a_502(scene: Scene) -> None:
    request = f"GET /chat HTTP/1.1\r\nHost: localhost:{scene.upstream.port}\r\n\r\n".encode()
    assert status_of(scene.gateway.exchange("localhost", scene.upstream.port, request)) == 502


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Talk:
    """What a client says, after which its connection must end with `code`, and nothing of it reach the upstream."""

    name: str
    check: Check
    say: Callable[[WsClient], None]
    code: int | None
    reason: str

    def hold(self, scene: Scene) -> None:
        scene.upstream.reset()
        start = scene.journal.forget()
        client = scene.open()
        self.say(client)
        try:
            assert client.ended() == self.code
        finally:
            client.close()
        assert not [event for event in scene.upstream.events if not isinstance(event, CloseConnection | Ping)]
        scene.journal.await_reason(start, self.reason)


def says(*events: TextMessage | BytesMessage | Ping) -> Callable[[WsClient], None]:
    return lambda client: [client.send(event) for event in events] and None


JUDGED = Check.of("addons.websocket:WebSocketMessages._judge", passes)


TALKS = [
    Talk("a finding that a rule denies", JUDGED, says(TextMessage("US SSN 536-22-8726")), 1008, "denied-by-rule"),
    Talk("bytes that are no text", JUDGED, says(BytesMessage(b"\xff\xfe\x00\x01")), 1008, "no-rule"),
]


@each(TALKS)
def test_a_message_that_may_not_pass_ends_the_connection(case: Talk, scene: Scene) -> None:
    case.hold(scene)


@each(TALKS)
def test_such_a_message_passes_without_its_check(case: Talk, scene: Scene) -> None:
    assert_needed(case.check, lambda: case.hold(scene))


def test_a_message_has_its_size(scene: Scene) -> None:
    client = scene.open()
    client.send(TextMessage("a" * (65 << 10)))
    assert client.ended() == 1009
    assert not scene.upstream.texts


def test_a_message_in_pieces_has_its_size_too(scene: Scene) -> None:
    client = scene.open()
    for _ in range(70):
        client.send(TextMessage("a" * 1024, message_finished=False))
    assert client.ended() == 1009


def test_an_upstream_s_message_has_its_size(scene: Scene) -> None:
    scene.upstream.reset(script=lambda ws, _event: ws.send(TextMessage("a" * (65 << 10))))
    client = scene.open()
    client.send(TextMessage("hi"))
    assert client.ended() == 1009


def test_what_a_ping_carries_stays_here(scene: Scene) -> None:
    client = scene.open()
    client.send(Ping(CARD.encode()))
    assert client.next() == Pong(CARD.encode())
    client.send(TextMessage("hi"))
    assert client.next() == TextMessage("hi")
    assert [event.payload for event in scene.upstream.events if isinstance(event, Ping)] == [b""]


def test_pings_without_end_end_the_connection(scene: Scene) -> None:
    client = scene.open()
    for _ in range(500):
        client.send(Ping(b"x"))
    assert client.ended() == 1008


@pytest.mark.parametrize(
    "frame",
    [
        b"\xc1\x80\0\0\0\0",  # a reserved bit
        b"\x83\x80\0\0\0\0",  # a reserved opcode
        b"\x89\xfe\0\x7e" + b"\0" * 130,  # a ping of 126 bytes
        b"\x09\x80\0\0\0\0",  # a ping in pieces
        b"\x80\x80\0\0\0\0",  # a continuation of nothing
        b"\x81\x82\0\0\0\0\xff\xff",  # text that is no UTF-8
        b"\x88\x81\0\0\0\0\x03",  # a close of one byte
        b"\x81\x02hi",  # a frame that is not masked
    ],
)
def test_a_frame_that_breaks_the_protocol_ends_the_connection(frame: bytes, scene: Scene) -> None:
    client = scene.open()
    client.raw(frame)
    assert client.ended() in {1002, 1007, None}
    assert not scene.upstream.texts


def test_a_connection_ends_with_its_identity(scene: Scene) -> None:
    start = scene.journal.forget()
    gateway = scene.gateway
    moment = now()
    expiring = gateway.issuer.issue("test-bot", (), None, 60, moment - 87_500_000)  # the leeway is 30 s
    client = scene.open(credential=expiring)
    assert client.opened, client.answer
    assert client.ended() in {None, 1008}
    scene.journal.await_reason(start, "expired-token")


def test_a_client_that_just_leaves_is_recorded(scene: Scene) -> None:
    start = scene.journal.forget()
    client = scene.open()
    client.send(TextMessage("hi"))
    assert client.next() == TextMessage("hi")
    client.close()
    scene.journal.await_reason(start, "client-gone")


def test_a_fault_in_the_chain_drops_the_message(scene: Scene) -> None:
    def broken(*_: object) -> None:
        msg = "made up"
        raise RuntimeError(msg)

    start = scene.journal.forget()
    client = scene.open()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("addons.websocket.WebSocketMessages._judge", broken)
        client.send(TextMessage("hi"))
        assert client.ended() in {None, 1008}
    assert not scene.upstream.texts
    scene.journal.await_reason(start, "internal")


def test_a_fault_at_the_start_ends_the_connection(scene: Scene) -> None:
    start = scene.journal.forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("addons.websocket.WebSocketMessages._expire")
        client = scene.open()
        client.send(TextMessage("hi"))
        assert client.ended() is None
    assert not scene.upstream.texts
    scene.journal.await_reason(start, "client-gone")
