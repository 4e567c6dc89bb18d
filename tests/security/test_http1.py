"""HTTP/1 in every shape that two parsers read differently, said by the client and by the upstream."""

from collections.abc import Iterator

import h11
import pytest
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from harness import Authority, RunningGateway, Upstream, run_gateway
from mitmproxy.http import Request, Response
from security.conftest import Check, assert_needed, each
from security.stage import CANARY, Case, Place, Stage

from gatekeeper.config import parse_config
from gatekeeper.exchange import Scheme, Target
from gatekeeper.gateway.chunks import StrictChunks
from gatekeeper.gateway.http1 import StrictBody
from gatekeeper.journal import verify_journal

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
name = "whatever there is"
action = "allow"
"""


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, upstream: Upstream
) -> Iterator[RunningGateway]:
    text = CONFIG.format(ca=authority.certificate, port=upstream.port)
    running, stop = run_gateway(parse_config(text, tmp_path_factory.mktemp("gateway") / "config.toml"))
    yield running
    stop()
    report = verify_journal(running.config.journal.folder)
    assert report.ok, report


@pytest.fixture
def stage(gateway: RunningGateway, upstream: Upstream) -> Stage:
    return Stage(gateway, upstream)


def passes(*_: object, **__: object) -> None:
    """Stand in the place of a check that says what is wrong: nothing ever is."""


def lax_size(request: Request, response: Response | None = None) -> int | None:
    """Tell how long a body is as a parser does that takes the first length it finds."""
    headers = (response or request).headers
    if "transfer-encoding" in headers:
        return None
    lengths = headers.get_all("content-length")
    return int(lengths[0].split(",")[0] or 0) if lengths else -1 if response else 0


class LaxChunks:
    """A chunk reader that takes any line end, any extension, any space and any trailer."""

    def __init__(self) -> None:
        self.done = False

    def __call__(self, buffer: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        if self.done:
            buffer.maybe_extract_at_most(len(buffer))
            return h11.EndOfMessage()
        self.done = bool(len(buffer))
        return h11.Data(data=b"hi") if self.done else None

    def read_eof(self) -> h11.EndOfMessage:
        return h11.EndOfMessage()


# ── the checks ──────────────────────────────────────────────────────────────────────────────────────────────────

HEADS, LAYERS = "gatekeeper.egress.heads:", "mitmproxy.proxy.layers.http:"
VALIDATED = (LAYERS + "validate_headers", passes)  # mitmproxy's own, which we keep switched on
LINES = Check.of(HEADS + "head_problem", passes)
FIELDS = Check.of(HEADS + "field_problem", passes, VALIDATED)
LOOKALIKES = Check.of(HEADS + "field_problem", passes)
CONTROLS = Check.of(HEADS + "control_problem", passes)
TARGETS = Check.of(HEADS + "target_problem", passes)
REQUEST = Check.of(HEADS + "request_problem", passes)
ANSWER = Check.of(HEADS + "answer_problem", passes)
FRAMING = Check.of(*VALIDATED)
CODING = Check.of("addons.target:check_framing", passes)
CODINGS = Check.of(*VALIDATED, ("addons.target:check_framing", passes))
LENGTHS = Check.of(
    *VALIDATED,
    ("mitmproxy.net.http.http1:expected_http_body_size", lax_size),
    (LAYERS + "expected_http_body_size", lax_size),
)
UNCODED = Check.of("addons.inspection:check_coding", passes)
RECODED = Check.of(*VALIDATED, ("addons.inspection:check_coding", passes), *LENGTHS.gaps[1:])
CHUNKS = Check.of("gatekeeper.gateway.http1:StrictChunks", LaxChunks)
NAMES = Check.of("addons.target:check_names", lambda *_: Target(Scheme.HTTPS, "localhost", 443))
TARGETS_AND_NAMES = Check.of(HEADS + "target_problem", passes, *NAMES.gaps)
PATHS = Check.of("addons.target:normal_path", lambda path: path.partition("?")[0])
TARGETS_AND_PATHS = Check.of(HEADS + "target_problem", passes, *PATHS.gaps)
METHODS = Check.of("gatekeeper.egress.shape:check_method", passes)
OVERRIDES = Check.of("gatekeeper.egress.shape:check_overrides", passes)
EXPECTATION = Check.of("gatekeeper.egress.shape:check_expectation", passes)
RESOLVER = Check.of("gatekeeper.egress.shape:check_resolver", passes)

# ── what the client says ────────────────────────────────────────────────────────────────────────────────────────

HOST = b"Host: localhost:%PORT\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost:%PORT\r\n\r\n"


def get(*lines: bytes, path: bytes = b"/thing", method: bytes = b"GET") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return get(*lines, method=b"POST") + body


def tunnel(name: str, check: Check, data: bytes, status: int = 400, reason: str = "malformed") -> Case:
    return Case(f"request: {name}", check, Place.TUNNEL, data, status, reason)


def proxy(name: str, check: Check, data: bytes, status: int = 400, reason: str = "malformed") -> Case:
    return Case(f"proxy port: {name}", check, Place.PROXY, data, status, reason)


CHUNKED = b"Transfer-Encoding: chunked"

REQUESTS = [
    # lines
    tunnel("a bare LF in the head", LINES, get(b"A: b\nContent-Length: 4")),
    tunnel("bare LF throughout", REQUEST, get().replace(b"\r\n", b"\n")),
    tunnel("a bare CR in a value", LINES, get(b"A: b\rc")),
    tunnel("a folded field", LINES, get(b"A: b", b" Content-Length: 4")),
    tunnel("a field folded with a tab", LINES, get(b"A: b", b"\tc")),
    tunnel("NUL in a value", CONTROLS, get(b"A: b\0c")),
    tunnel("a vertical tab before a value", CONTROLS, post(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n")),
    tunnel("a control character in a value", CONTROLS, get(b"A: b\x01c")),
    tunnel("DEL in a value", CONTROLS, get(b"A: b\x7fc")),
    # names of fields
    tunnel("a space before the colon", FIELDS, get(b"Content-Length : 4")),
    tunnel("a tab before the colon", FIELDS, get(b"Content-Length\t: 4")),
    tunnel("a space inside a name", FIELDS, get(b"Content Length: 4")),
    tunnel("a name that is no token", FIELDS, get(b"Content-Length\xa0: 4")),
    tunnel("brackets in a name", FIELDS, get(b"A[b]: c")),
    tunnel("Content_Length", LOOKALIKES, get(b"Content_Length: 4")),
    tunnel("Transfer_Encoding", LOOKALIKES, get(b"Transfer_Encoding: chunked")),
    tunnel("X_Gatekeeper_Identity", LOOKALIKES, get(b"X_Gatekeeper_Identity: %TOKEN")),
    tunnel("Proxy_Authorization", LOOKALIKES, get(b"Proxy_Authorization: Bearer %TOKEN")),
    # where a body ends
    tunnel("length and chunks", FRAMING, post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED)),
    tunnel("chunks and length", FRAMING, post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n" + SMUGGLED)),
    tunnel("two lengths", FRAMING, post(b"Content-Length: 0", b"Content-Length: 44", body=SMUGGLED)),
    tunnel("the same length twice", FRAMING, post(b"Content-Length: 2", b"Content-Length: 2", body=b"hi")),
    tunnel("an empty length", FRAMING, post(b"Content-Length: ", body=SMUGGLED)),
    tunnel("two codings in two fields", CODINGS, post(CHUNKED, b"Transfer-Encoding: identity", body=b"0\r\n\r\n")),
    tunnel("chunks in HTTP/1.0", FRAMING, post(CHUNKED, body=b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    tunnel("a length list", FRAMING, post(b"Content-Length: 2, 2", body=b"hi")),
    tunnel("a list of lengths that differ", FRAMING, post(b"Content-Length: 2, 44", body=b"hi" + SMUGGLED)),
    tunnel("a length with a sign", FRAMING, post(b"Content-Length: +2", body=b"hi")),
    tunnel("a length below nothing", FRAMING, post(b"Content-Length: -2", body=b"hi")),
    tunnel("a length in hexadecimal", FRAMING, post(b"Content-Length: 0x2", body=b"hi")),
    tunnel("a length with an underscore", FRAMING, post(b"Content-Length: 1_0", body=b"hihihihihi")),
    tunnel("a length in other digits", FRAMING, post("Content-Length: ٢".encode(), body=b"hi")),
    tunnel("a length that is a fraction", FRAMING, post(b"Content-Length: 2.0", body=b"hi")),
    tunnel("a length beside text", FRAMING, post(b"Content-Length: 2a", body=b"hi")),
    tunnel("chunked twice", CODINGS, post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n")),
    tunnel("a coding that ends like chunked", CODINGS, post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    tunnel("a coding with a parameter", CODINGS, post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n")),
    tunnel("a coding in quotes", CODINGS, post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n")),
    tunnel("a coding and nothing", CODINGS, post(b"Transfer-Encoding: chunked,", body=b"0\r\n\r\n")),
    tunnel("chunked before identity", CODINGS, post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n")),
    tunnel("identity before chunked", CODINGS, post(b"Transfer-Encoding: identity, chunked", body=b"0\r\n\r\n")),
    tunnel("a coding behind a space that is none", CODINGS, post(b"Transfer-Encoding: chunked\xa0", body=b"0\r\n\r\n")),
    tunnel("an empty coding", CODINGS, post(b"Transfer-Encoding:", body=SMUGGLED)),
    tunnel("gzip before chunked", CODING, post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    # chunks
    tunnel("a chunk extension", CHUNKS, post(CHUNKED, body=b"2;a=b\r\nhi\r\n0\r\n\r\n")),
    tunnel("a chunk extension with LF", CHUNKS, post(CHUNKED, body=b"2;a\nb\r\nhi\r\n0\r\n\r\n")),
    tunnel("a chunk extension that never ends", CHUNKS, post(CHUNKED, body=b"2;" + b"a" * 3000)),
    tunnel("a space after a chunk size", CHUNKS, post(CHUNKED, body=b"2 \r\nhi\r\n0\r\n\r\n")),
    tunnel("a chunk size with a sign", CHUNKS, post(CHUNKED, body=b"+2\r\nhi\r\n0\r\n\r\n")),
    tunnel("a chunk size below nothing", CHUNKS, post(CHUNKED, body=b"-2\r\nhi\r\n0\r\n\r\n")),
    tunnel("a chunk size with a prefix", CHUNKS, post(CHUNKED, body=b"0x2\r\nhi\r\n0\r\n\r\n")),
    tunnel("a chunk size with an underscore", CHUNKS, post(CHUNKED, body=b"0_2\r\nhi\r\n0\r\n\r\n")),
    tunnel("no chunk size", CHUNKS, post(CHUNKED, body=b"\r\nhi\r\n0\r\n\r\n")),
    tunnel("a space before a chunk size", CHUNKS, post(CHUNKED, body=b" 2\r\nhi\r\n0\r\n\r\n")),
    tunnel("a chunk that is longer than its size", CHUNKS, post(CHUNKED, body=b"2\r\nhiX\r\n0\r\n\r\n")),
    tunnel("a chunk without its line end", CHUNKS, post(CHUNKED, body=b"2\r\nhi0\r\n\r\n")),
    tunnel("a chunk that ends with LF", CHUNKS, post(CHUNKED, body=b"2\r\nhi\n0\r\n\r\n")),
    tunnel("an extension of the last chunk", CHUNKS, post(CHUNKED, body=b"2\r\nhi\r\n0;a\r\n\r\n")),
    tunnel("a chunk size with LF", CHUNKS, post(CHUNKED, body=b"2\nhi\r\n0\r\n\r\n")),
    tunnel("a chunk size of 17 digits", CHUNKS, post(CHUNKED, body=b"00000000000000002\r\nhi\r\n0\r\n\r\n")),
    tunnel("trailers", CHUNKS, post(CHUNKED, body=b"2\r\nhi\r\n0\r\nA: b\r\n\r\n")),
    tunnel("LF after the last chunk", CHUNKS, post(CHUNKED, body=b"2\r\nhi\r\n0\r\n\n")),
    # one target
    tunnel("absolute form", TARGETS, get(path=b"http://localhost:%PORT/thing")),
    tunnel("absolute form of another host", TARGETS, get(path=b"http://elsewhere.example/thing")),
    tunnel("asterisk form", TARGETS_AND_PATHS, get(path=b"*", method=b"OPTIONS")),
    tunnel("HTTP/2.0 as a version", TARGETS, get().replace(b"HTTP/1.1", b"HTTP/2.0")),
    tunnel("https in absolute form, inside", TARGETS, get(path=b"https://localhost:%PORT/thing")),
    tunnel("HTTP/1.2 as a version", TARGETS, get().replace(b"HTTP/1.1", b"HTTP/1.2")),
    tunnel("two spaces in the request line", TARGETS, get(path=b" /thing")),
    tunnel("a tab in the request line", TARGETS, get(path=b"\t/thing")),
    tunnel("no Host", NAMES, get().replace(HOST, b"")),
    tunnel("two Hosts", NAMES, get(b"Host: localhost:%PORT")),
    tunnel("another Host", NAMES, get().replace(HOST, b"Host: elsewhere.example\r\n"), reason="names-differ"),
    tunnel("another port in Host", NAMES, get().replace(HOST, b"Host: localhost:1\r\n"), reason="names-differ"),
    tunnel("an empty Host", NAMES, get().replace(HOST, b"Host: \r\n")),
    tunnel("an address in Host", NAMES, get().replace(HOST, b"Host: 127.0.0.1:%PORT\r\n"), reason="names-differ"),
    tunnel("a port with a zero in Host", NAMES, get().replace(HOST, b"Host: localhost:0%PORT\r\n")),
    tunnel("a user in Host", NAMES, get().replace(HOST, b"Host: a@localhost:%PORT\r\n")),
    tunnel("a path in Host", NAMES, get().replace(HOST, b"Host: localhost:%PORT/x\r\n")),
    tunnel("two names in Host", NAMES, get().replace(HOST, b"Host: localhost:%PORT, elsewhere.example\r\n")),
    # one path
    tunnel("an escaped slash", PATHS, get(path=b"/a%2fb"), reason="ambiguous-path"),
    tunnel("an escaped backslash", PATHS, get(path=b"/a%5cb"), reason="ambiguous-path"),
    tunnel("a backslash", PATHS, get(path=b"/a\\..\\b"), reason="ambiguous-path"),
    tunnel("a path parameter before dots", PATHS, get(path=b"/a/..;/b"), reason="ambiguous-path"),
    tunnel("two slashes", PATHS, get(path=b"//elsewhere.example/a"), reason="ambiguous-path"),
    tunnel("an escape escaped again", PATHS, get(path=b"/a/%252e%252e/b"), reason="ambiguous-path"),
    tunnel("an escaped NUL", PATHS, get(path=b"/a%00b"), reason="ambiguous-path"),
    tunnel("an escaped line end", PATHS, get(path=b"/a%0d%0aX:%20y"), reason="ambiguous-path"),
    tunnel("an overlong escape", PATHS, get(path=b"/a/%c0%af/b"), reason="ambiguous-path"),
    tunnel("letters beyond ASCII", PATHS, get(path=b"/a/\xef\xbc\x8f/b"), reason="ambiguous-path"),
    tunnel("a fragment", PATHS, get(path=b"/a#b")),
    # methods and expectations
    tunnel("TRACE", METHODS, get(method=b"TRACE")),
    tunnel("TRACK", METHODS, get(method=b"TRACK")),
    tunnel("a method of somebody's own", METHODS, get(method=b"SMUGGLE")),
    tunnel("a method in lower case", METHODS, get(method=b"get")),
    tunnel("X-HTTP-Method-Override", OVERRIDES, post(b"X-HTTP-Method-Override: DELETE")),
    tunnel("X_Method_Override", OVERRIDES, post(b"X_Method_Override: DELETE")),
    tunnel("X-Original-URL", OVERRIDES, get(b"X-Original-URL: /admin")),
    tunnel("X-Rewrite-URL", OVERRIDES, get(b"X-Rewrite-URL: /admin")),
    tunnel("an expectation of somebody's own", EXPECTATION, post(b"Expect: 200-ok"), 417),
    # DNS over HTTPS
    tunnel("DNS by its media type", RESOLVER, post(b"Content-Type: application/dns-message"), 403, "dns-over-https"),
    tunnel("DNS by what it accepts", RESOLVER, get(b"Accept: text/html, application/dns-json"), 403, "dns-over-https"),
    tunnel("DNS by its path", RESOLVER, get(path=b"/dns-query?name=a.example"), 403, "dns-over-https"),
    tunnel("DNS by its parameter", RESOLVER, get(path=b"/q?dns=AAABAAABAAAAAAAAA3d3dw"), 403, "dns-over-https"),
]

BEARER = b"Proxy-Authorization: Bearer %TOKEN\r\n"
CONNECT = b"CONNECT localhost:%PORT HTTP/1.1\r\nHost: localhost:%PORT\r\n" + BEARER

REQUESTS += [
    proxy("origin form", TARGETS, get().replace(HOST, HOST + BEARER)),
    proxy(
        "https in absolute form",
        TARGETS_AND_NAMES,
        get(path=b"https://localhost:%PORT/thing").replace(HOST, HOST + BEARER),
    ),
    proxy("CONNECT with a body", REQUEST, CONNECT + b"Content-Length: 4\r\n\r\nabcd"),
    proxy("CONNECT with chunks", REQUEST, CONNECT + CHUNKED + b"\r\n\r\n0\r\n\r\n"),
    proxy("CONNECT with NUL", CONTROLS, CONNECT + b"A: b\0c\r\n\r\n"),
    proxy("CONNECT with a folded field", LINES, CONNECT + b"A: b\r\n c\r\n\r\n"),
    proxy("CONNECT with a bare LF", LINES, CONNECT + b"A: b\nC: d\r\n\r\n"),
    proxy("CONNECT of HTTP/2.0", TARGETS, CONNECT.replace(b"HTTP/1.1", b"HTTP/2.0") + b"\r\n"),
]


@each(REQUESTS)
def test_holds(case: Case, stage: Stage) -> None:
    case.hold(stage)


@each(REQUESTS)
def test_fails_without_its_check(case: Case, stage: Stage) -> None:
    assert_needed(case.check, lambda: case.hold(stage))


# ── what the upstream says ──────────────────────────────────────────────────────────────────────────────────────


def answer(name: str, check: Check, data: bytes, status: int = 502, reason: str = "upstream-malformed") -> Case:
    return Case(f"answer: {name}", check, Place.ANSWER, data, status, reason)


def ok(*lines: bytes, status: bytes = b"200 OK", body: bytes = b"%CANARY") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


LENGTH = b"Content-Length: %d" % len(CANARY)
SECOND = ok(LENGTH)
ALONE = Check.of("gatekeeper.gateway.http1:StrictBody.__init__", lambda self, reader, **_: reading(self, reader))
INTERIMS = Check.of("gatekeeper.gateway.http1:MOST_INTERIMS", 1 << 30)


def reading(body: StrictBody, reader: object) -> None:
    """Read a body as `StrictBody` does, and let anything follow it."""
    body._reader = StrictChunks() if isinstance(reader, ChunkedReader) else reader  # type: ignore[assignment]
    body._alone = False


ANSWERS = [
    # lines and names
    answer("a bare LF in the head", ANSWER, ok(b"A: b\n" + LENGTH)),
    answer("bare LF throughout", ANSWER, ok(LENGTH).replace(b"\r\n", b"\n")),
    answer("a bare CR in a value", ANSWER, ok(b"A: b\rc", LENGTH)),
    answer("a folded field", ANSWER, ok(b"A: b", b" c", LENGTH)),
    answer("NUL in a value", ANSWER, ok(b"A: b\0c", LENGTH)),
    answer("a control character in a value", ANSWER, ok(b"A: b\x02c", LENGTH)),
    answer("a vertical tab before a coding", ANSWER, ok(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n")),
    answer("a space before the colon", FIELDS, ok(b"Content-Length : 3", LENGTH)),
    answer("Content_Length", LOOKALIKES, ok(b"Content_Length: 3", LENGTH)),
    answer("Transfer_Encoding", LOOKALIKES, ok(b"Transfer_Encoding: chunked", LENGTH)),
    # the status line
    answer("two spaces in the status line", ANSWER, ok(LENGTH).replace(b"HTTP/1.1 ", b"HTTP/1.1  ")),
    answer("a tab in the status line", ANSWER, ok(LENGTH).replace(b"HTTP/1.1 ", b"HTTP/1.1\t")),
    answer("a status with a sign", ANSWER, ok(LENGTH, status=b"+200 OK")),
    answer("a status with an underscore", ANSWER, ok(LENGTH, status=b"2_00 OK")),
    answer("a status of four digits", ANSWER, ok(LENGTH, status=b"0200 OK")),
    answer("a status of two digits", ANSWER, ok(LENGTH, status=b"20 OK")),
    answer("a status above 599", ANSWER, ok(LENGTH, status=b"700 OK")),
    answer("HTTP/2.0 as a version", ANSWER, ok(LENGTH).replace(b"HTTP/1.1", b"HTTP/2.0")),
    answer("HTTP/0.9 as a version", ANSWER, ok(LENGTH).replace(b"HTTP/1.1", b"HTTP/0.9")),
    # where a body ends
    answer("length and chunks", FRAMING, ok(LENGTH, CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n")),
    answer("chunks and length", FRAMING, ok(CHUNKED, LENGTH, body=b"3\r\nabc\r\n0\r\n\r\n")),
    answer("two lengths", LENGTHS, ok(b"Content-Length: 2", b"Content-Length: 20", body=b"hi")),
    answer("the same length twice", LENGTHS, ok(b"Content-Length: 2", b"Content-Length: 2", body=b"hi")),
    answer("a length list", LENGTHS, ok(b"Content-Length: 2, 2", body=b"hi")),
    answer("two codings in two fields", RECODED, ok(CHUNKED, CHUNKED, body=b"2\r\nhi\r\n0\r\n\r\n")),
    answer("chunks in HTTP/1.0", FRAMING, ok(CHUNKED, body=b"2\r\nhi\r\n0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0")),
    answer("chunks after 204", FRAMING, ok(CHUNKED, status=b"204 No Content", body=b"")),
    answer(
        "gzip and chunked",
        UNCODED,
        ok(b"Transfer-Encoding: gzip, chunked", body=b"2\r\nhi\r\n0\r\n\r\n"),
        reason="answer-unreadable",
    ),
    # chunks
    answer("a chunk extension", CHUNKS, ok(CHUNKED, body=b"2;a=b\r\nhi\r\n0\r\n\r\n")),
    answer("a chunk extension that never ends", CHUNKS, ok(CHUNKED, body=b"2;" + b"a" * 3000)),
    answer("a chunk extension with LF", CHUNKS, ok(CHUNKED, body=b"2;a\nb\r\nhi\r\n0\r\n\r\n")),
    answer("a space after a chunk size", CHUNKS, ok(CHUNKED, body=b"2 \r\nhi\r\n0\r\n\r\n")),
    answer("a chunk size with LF", CHUNKS, ok(CHUNKED, body=b"2\nhi\r\n0\r\n\r\n")),
    answer("a chunk size of 17 digits", CHUNKS, ok(CHUNKED, body=b"00000000000000002\r\nhi\r\n0\r\n\r\n")),
    answer("trailers", CHUNKS, ok(CHUNKED, body=b"2\r\nhi\r\n0\r\nA: %CANARY\r\n\r\n")),
    answer("LF after the last chunk", CHUNKS, ok(CHUNKED, body=b"2\r\nhi\r\n0\r\n\n")),
    # what follows an answer
    answer("a second answer behind the first", ALONE, ok(b"Content-Length: 2", body=b"hi") + SECOND),
    answer("a second answer behind chunks", ALONE, ok(CHUNKED, body=b"2\r\nhi\r\n0\r\n\r\n") + SECOND),
    answer("bytes behind an answer", ALONE, ok(b"Content-Length: 2", body=b"hithere")),
    answer("204 with a body", ALONE, ok(LENGTH, status=b"204 No Content")),
    answer("304 with a body", ALONE, ok(LENGTH, status=b"304 Not Modified")),
    answer("204 and an answer behind it", ALONE, ok(status=b"204 No Content", body=b"") + SECOND),
    # interim answers
    answer("interim answers without end", INTERIMS, ok(status=b"103 Early Hints", body=b"") * 40 + ok(LENGTH)),
    answer("a folded interim answer", ANSWER, ok(b"A: b", b" c", status=b"103 Early Hints", body=b"") + ok(LENGTH)),
]


@each(ANSWERS)
def test_an_answer_holds(case: Case, stage: Stage) -> None:
    case.hold(stage)


@each(ANSWERS)
def test_an_answer_fails_without_its_check(case: Case, stage: Stage) -> None:
    assert_needed(case.check, lambda: case.hold(stage))
