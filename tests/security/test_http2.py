"""HTTP/2 on both sides: the same chain, no shape that HTTP/1 would read otherwise, and no flood."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import h2.connection
import pytest
from harness import Authority, RunningGateway, run_gateway
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from security.conftest import Check, assert_needed, each
from security.http2 import Answered, H1Upstream, H2Client, H2Upstream, ok
from security.stage import Stage

from gatekeeper.config import parse_config
from gatekeeper.exchange import Scheme, Target
from gatekeeper.journal import Reader, verify_journal

CONFIG = """
[proxy]
listen = "127.0.0.1:0"
upstream_ca = "{ca}"
header_timeout = "1s"
header_limit = "4KiB"
body_limit = "64KiB"
[egress]
ports = [{ports}]
private_networks = ["127.0.0.0/8", "::1/128"]
[[rules]]
name = "what is on this machine"
hosts = ["localhost"]
action = "allow"
"""


@pytest.fixture(scope="module")
def speaks_h1(authority: Authority) -> Iterator[H1Upstream]:
    server, stop = H1Upstream.start(authority)
    yield server
    stop()


@pytest.fixture(scope="module")
def speaks_h2(authority: Authority) -> Iterator[H2Upstream]:
    server, stop = H2Upstream.start(authority)
    yield server
    stop()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, speaks_h1: H1Upstream, speaks_h2: H2Upstream
) -> Iterator[RunningGateway]:
    text = CONFIG.format(ca=authority.certificate, ports=f"{speaks_h1.port}, {speaks_h2.port}")
    running, stop = run_gateway(parse_config(text, tmp_path_factory.mktemp("gateway") / "config.toml"))
    yield running
    stop()
    report = verify_journal(running.config.journal.folder)
    assert report.ok, report


@dataclass
class Scene:
    """The gateway between a client of HTTP/2 and two upstreams."""

    gateway: RunningGateway
    h1: H1Upstream
    h2: H2Upstream

    def __post_init__(self) -> None:
        self.journal = Stage(self.gateway, None)  # type: ignore[arg-type]

    def client(self, port: int = 0) -> H2Client:
        return H2Client(self.gateway, port or self.h2.port)


@pytest.fixture
def scene(gateway: RunningGateway, speaks_h1: H1Upstream, speaks_h2: H2Upstream) -> Scene:
    speaks_h1.received.clear()
    speaks_h2.reset()
    return Scene(gateway, speaks_h1, speaks_h2)


@dataclass(frozen=True)
class Case:
    """What the client does, and what must come of it; `reason` stands in the journal, nothing goes upstream."""

    name: str
    check: Check
    act: Callable[[H2Client], Answered]
    statuses: tuple[int, ...]
    reason: str

    def hold(self, scene: Scene) -> None:
        scene.h2.reset()
        start = scene.journal.forget()
        client = scene.client()
        try:
            answered = self.act(client)
        finally:
            client.close()
        assert answered.status in self.statuses or (0 in self.statuses and (answered.closed or answered.reset)), (
            answered
        )
        assert b"mitmproxy" not in b"".join(value for _, value in answered.headers) + answered.body
        assert not scene.h2.requests
        scene.journal.await_reason(start, self.reason)


def passes(*_: object, **__: object) -> None:
    """Stand in the place of a check that says what is wrong: nothing ever is."""


def asks(*more: tuple[bytes, bytes], body: bytes = b"", **pseudo: bytes) -> Callable[[H2Client], Answered]:
    return lambda client: client.read(client.ask(client.fields(*more, **pseudo), body))


FIELDS = Check.of(
    "addons.target:check_frames",
    passes,
    ("h2.stream:validate_headers", lambda headers, _flags: headers),  # the h2 library's own, which we keep switched on
    ("mitmproxy.proxy.layers.http:validate_headers", passes),
)
NAMES = Check.of("addons.target:check_names", lambda *_: Target(Scheme.HTTPS, "localhost", 1))
PATHS = Check.of("addons.target:normal_path", lambda path: path.partition("?")[0])
METHODS = Check.of("gatekeeper.egress.shape:check_method", passes)
LENGTH = Check.of("addons.target:check_length", passes)
TRAILERS = Check.of("addons.target:check_trailers", passes)
HOSTS = Check.of(*NAMES.gaps[0], *FIELDS.gaps)
LINES = Check.of(*PATHS.gaps[0], *METHODS.gaps, *FIELDS.gaps)
METER = Check.of("gatekeeper.egress.frames:FrameMeter.feed", passes)


def with_trailers(client: H2Client) -> Answered:
    return client.read(client.ask(client.fields(method=b"POST"), b"hi", trailers=[(b"x-late", b"1")]))


def flood(*frames: bytes, times: int = 1) -> Callable[[H2Client], Answered]:
    def act(client: H2Client) -> Answered:
        client.say(b"".join(frames) * times)
        return client.read(1)

    return act


def continuation_flood(client: H2Client) -> Answered:
    head = HeadersFrame(1, data=b"\x82")
    client.say(head.serialize() + ContinuationFrame(1, data=b"\x00" * 600).serialize() * 40)
    return client.read(1)


def rapid_reset(client: H2Client) -> Answered:
    fields = client.fields()
    for _ in range(400):
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, fields, end_stream=False)
        client.h2.reset_stream(stream, 8)
    client.say(client.h2.data_to_send())
    return client.read(1)


def dripping_head(client: H2Client) -> Answered:
    client.say(HeadersFrame(1, data=b"\x82").serialize())
    return client.read(1)


def dripping_body(client: H2Client) -> Answered:
    stream = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream, client.fields(method=b"POST"))
    client.h2.send_data(stream, b"a")
    client.say(client.h2.data_to_send())
    return client.read(stream)


def header_bomb(client: H2Client) -> Answered:
    """Name one long value a thousand times, by its number in the table (RFC 7541 §5.1)."""
    block = client.h2.encoder.encode([*client.fields(), (b"x-bomb", b"a" * 2000)])
    client.say(HeadersFrame(1, data=block + b"\xbe" * 1000, flags=["END_HEADERS", "END_STREAM"]).serialize())
    return client.read(1)


SETTINGS = SettingsFrame(0, settings={3: 100}).serialize()
UPDATE = WindowUpdateFrame(0, window_increment=1).serialize()

CASES = [
    Case("a line end in a value", FIELDS, asks((b"x-a", b"b\r\nx-c: d")), (0, 400), "malformed"),
    Case("a bare LF in a value", FIELDS, asks((b"x-a", b"b\nc")), (0, 400), "malformed"),
    Case("NUL in a value", FIELDS, asks((b"x-a", b"b\0c")), (0, 400), "malformed"),
    Case("a control character in a value", FIELDS, asks((b"x-a", b"b\x01c")), (0, 400), "malformed"),
    Case("a colon in a name", FIELDS, asks((b"x-a: b", b"c")), (0, 400), "malformed"),
    Case("a space in a name", FIELDS, asks((b"x a", b"c")), (0, 400), "malformed"),
    Case("content_length", FIELDS, asks((b"content_length", b"4")), (0, 400), "malformed"),
    Case("another host beside the authority", HOSTS, asks((b"host", b"elsewhere.example")), (0, 400), "malformed"),
    Case("another authority", NAMES, asks(authority=b"elsewhere.example"), (400,), "names-differ"),
    Case("an escaped slash", PATHS, asks(path=b"/a%2fb"), (400,), "ambiguous-path"),
    Case("a space in the path", PATHS, asks(path=b"/a HTTP/1.1"), (400,), "ambiguous-path"),
    Case("a line end in the path", LINES, asks(path=b"/a\r\nx: y"), (0, 400), "malformed"),
    Case("TRACE", METHODS, asks(method=b"TRACE"), (400,), "malformed"),
    Case("a method of somebody's own", METHODS, asks(method=b"SMUGGLE"), (400,), "malformed"),
    Case("a line end in the method", LINES, asks(method=b"GET / HTTP/1.1\r\n"), (0, 400), "malformed"),
    Case("a length and no body", LENGTH, asks((b"content-length", b"5")), (400,), "malformed"),
    Case("trailers after a request", TRAILERS, with_trailers, (400,), "malformed"),
    Case("rapid reset", METER, rapid_reset, (0,), "flood"),
    Case("pings", METER, flood(PingFrame(0, b"12345678").serialize(), times=1000), (0,), "flood"),
    Case("settings", METER, flood(SETTINGS, times=1000), (0,), "flood"),
    Case("priorities", METER, flood(PriorityFrame(1, depends_on=0).serialize(), times=1000), (0,), "flood"),
    Case("window updates", METER, flood(UPDATE, times=20000), (0,), "flood"),
    Case("frames of no known type", METER, flood(b"\0\0\0\xfa\0\0\0\0\0", times=1000), (0,), "flood"),
    Case("continuations without end", METER, continuation_flood, (0,), "flood"),
]  # fmt: skip


@each(CASES)
def test_holds(case: Case, scene: Scene) -> None:
    case.hold(scene)


@each(CASES)
def test_fails_without_its_check(case: Case, scene: Scene) -> None:
    assert_needed(case.check, lambda: case.hold(scene))


@pytest.mark.parametrize("act", [dripping_head, dripping_body])
def test_what_drips_is_cut(act: Callable[[H2Client], Answered], scene: Scene) -> None:
    start = scene.journal.forget()
    client = scene.client()
    assert act(client).closed
    assert not scene.h2.requests
    scene.journal.await_reason(start, "too-slow")


def test_a_header_list_that_grows_when_it_is_unpacked_is_refused(scene: Scene) -> None:
    start = scene.journal.forget()
    answered = header_bomb(scene.client())
    assert answered.closed
    scene.journal.await_reason(start, "malformed")


def test_empty_data_frames_are_rationed(scene: Scene) -> None:
    start = scene.journal.forget()
    client = scene.client()
    stream = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream, client.fields(method=b"POST"))
    client.say(client.h2.data_to_send() + DataFrame(stream, b"").serialize() * 1000)
    assert client.read(stream).closed
    scene.journal.await_reason(start, "flood")


# ── what passes ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_goes_through_in_h2_on_both_sides(scene: Scene) -> None:
    client = scene.client()
    answered = client.read(client.ask(client.fields((b"x-a", b"b"), method=b"POST"), b"hi"))
    assert (answered.status, answered.body) == (200, b"hello")
    assert (b"x-a", b"b") in scene.h2.requests[0]
    assert bytes(scene.h2.bodies) == b"hi"


def test_a_body_without_a_length_is_no_second_request_for_an_http1_upstream(scene: Scene) -> None:
    """H2.0 request smuggling: what has no length and no chunks is read as what comes next."""
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def hold() -> None:
        scene.h1.received.clear()
        client = scene.client(scene.h1.port)
        answered = client.read(client.ask(client.fields(method=b"POST"), smuggled))
        assert answered.status == 200
        head, _, body = bytes(scene.h1.received).partition(b"\r\n\r\n")
        assert b"content-length: %d" % len(smuggled) in head.lower()
        assert body == smuggled

    hold()
    assert_needed(Check.of("addons.seal:frame_body", passes), hold)


def test_a_length_without_its_body_takes_nothing_out_of_the_next_request(scene: Scene) -> None:
    """H2.CL request smuggling: what the second request says in a header would be a third one, that no rule has seen."""
    start = scene.journal.forget()

    def hold() -> None:
        scene.h1.received.clear()
        client = scene.client(scene.h1.port)
        first = client.read(client.ask(client.fields((b"content-length", b"26"))))  # up to the value of x-a
        client.read(client.ask(client.fields((b"x-a", b"GET /smuggled HTTP/1.1"))))
        assert first.status == 400
        assert scene.h1.received.count(b"\r\n\r\n") == 1

    hold()
    scene.journal.await_reason(start, "malformed")
    assert_needed(LENGTH, hold)


def with_late(*late: tuple[bytes, bytes]) -> Callable[[h2.connection.H2Connection, int], bytes]:
    def script(connection: h2.connection.H2Connection, stream: int) -> bytes:
        connection.send_headers(stream, [(b":status", b"200"), (b"content-type", b"text/plain")])
        connection.send_data(stream, b"hello")
        connection.send_headers(stream, list(late), end_stream=True)
        return b""

    return script


def test_trailers_of_an_answer_are_masked_and_recorded(scene: Scene) -> None:
    late = ((b"grpc-status", b"0"), (b"grpc-message", b"card 4111 1111 1111 1111"), (b"grpc-details-bin", b"AAAA"))
    scene.h2.reset(with_late(*late))
    start = scene.journal.forget()
    client = scene.client()
    answered = client.read(client.ask(client.fields()))
    assert (answered.status, answered.body) == (200, b"hello")
    masked = [(b"grpc-status", b"0"), (b"grpc-message", b"card <CREDIT_CARD>")]
    assert answered.trailers == masked
    with Reader(scene.gateway.config.journal.folder, None) as reader:
        (ended,) = [entry.data for entry in reader.entries(start, reader.size) if entry.kind == "response"]
    assert ended.trailers == tuple((name.decode(), value.decode()) for name, value in masked)


@pytest.mark.parametrize("late", [(b"content-length", b"5"), (b"x-a", b"b\r\nc: d"), (b"set-cookie", b"a=b")])
def test_trailers_that_no_answer_may_have_are_a_502(late: tuple[bytes, bytes], scene: Scene) -> None:
    scene.h2.reset(with_late(late))
    client = scene.client()
    answered = client.read(client.ask(client.fields()))
    assert answered.status == 502
    assert not answered.trailers


def test_many_calls_share_a_connection(scene: Scene) -> None:
    client = scene.client()
    for _ in range(150):
        assert client.read(client.ask(client.fields())).status == 200


# ── what the upstream says ──────────────────────────────────────────────────────────────────────────────────────


def says(data: bytes) -> Callable[[h2.connection.H2Connection, int], bytes]:
    return lambda _connection, _stream: data


def with_field(name: bytes, value: bytes) -> Callable[[h2.connection.H2Connection, int], bytes]:
    def script(connection: h2.connection.H2Connection, stream: int) -> bytes:
        connection.send_headers(stream, [(b":status", b"200"), (name, value)])
        connection.send_data(stream, b"hello", end_stream=True)
        return b""

    return script


def data_first(_connection: h2.connection.H2Connection, stream: int) -> bytes:
    return DataFrame(stream, b"hello").serialize()


def reset(_connection: h2.connection.H2Connection, stream: int) -> bytes:
    return RstStreamFrame(stream, 2).serialize()


@pytest.mark.parametrize(
    "script",
    [
        with_field(b"x-a", b"b\r\nx-c: d"),
        with_field(b"x-a", b"b\0"),
        with_field(b"content-length", b"3"),
        with_field(b"transfer-encoding", b"chunked"),
        with_field(b":status", b"201"),
        data_first,
        reset,
        says(PingFrame(0, b"12345678").serialize() * 1000),
        says(SettingsFrame(0, settings={3: 100}).serialize() * 1000),
        says(HeadersFrame(1, data=b"\x88").serialize() + ContinuationFrame(1, data=b"\0" * 600).serialize() * 40),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        says(b"\0\0\4\5\4\0\0\0\1\0\0\0\2\x82"),  # PUSH_PROMISE, which nobody has asked for
    ],
)
def test_an_answer_that_breaks_the_protocol_is_a_502_of_our_own(
    script: Callable[[h2.connection.H2Connection, int], bytes], scene: Scene
) -> None:
    scene.h2.reset(script)
    start = scene.journal.forget()
    client = scene.client()
    answered = client.read(client.ask(client.fields()))
    assert answered.status == 502
    assert b"mitmproxy" not in answered.body
    assert b"hello" not in answered.body
    scene.journal.await_reason(start, "upstream-malformed")


def test_the_next_call_after_a_broken_answer_goes_through(scene: Scene) -> None:
    scene.h2.reset(reset)
    client = scene.client()
    assert client.read(client.ask(client.fields())).status == 502
    scene.h2.reset(ok)
    assert client.read(client.ask(client.fields())).status == 200
