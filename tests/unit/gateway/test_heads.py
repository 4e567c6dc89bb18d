"""A plain head means to us what it means to mitmproxy, and passes every check that any other head has to pass."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.http import Headers, Request, Response
from mitmproxy.net.http.http1 import expected_http_body_size, read_request_head, read_response_head
from mitmproxy.net.http.validate import validate_headers
from mitmproxy.proxy.layers.http import HTTPMode, validate_request

from gatekeeper.egress.heads import head_problem, target_problem
from gatekeeper.gateway.heads import CHUNKED, Fields, HeadBuffer, plain_size, read_request, read_response

PLAIN: Final = b"POST /v1/chat?x=1 HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 12\r\nAccept:*/*\r\n"
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n"

NAMES = st.sampled_from(
    ["Host", "host", "Content-Length", "content-LENGTH", "Transfer-Encoding", "Connection", "X-One", "x_two",
     "Bad Name", "Content-Length ", "Ünicode", "", "Upgrade", "Expect"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [
            "0",
            "5",
            "05",
            "5, 5",
            "+5",
            "5 5",
            "\xb2",
            "chunked",
            "gzip, chunked",
            "identity",
            "close",
            " a ",
            "",
            "\x0b5",
        ]
    ),
    st.text(st.characters(max_codepoint=255), max_size=12),
)
LINE_ENDS = st.sampled_from(["\r\n"] * 8 + ["\n", "\r", "\r\n ", "\r\n\r\n"])
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([":", ": ", " :", ""]), VALUES, LINE_ENDS), max_size=5)
REQUEST_LINES = st.one_of(
    st.sampled_from(
        ["GET / HTTP/1.1", "POST /v1/x HTTP/1.1", "HEAD / HTTP/1.1", "CONNECT / HTTP/1.1", "CONNECT a:1 HTTP/1.1",
         "GET http://a/ HTTP/1.1", "OPTIONS * HTTP/1.1", "GET / HTTP/1.0", "GET  / HTTP/1.1", "get /é HTTP/1.1"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=20),
)  # fmt: skip
STATUS_LINES = st.one_of(
    st.sampled_from(
        ["HTTP/1.1 200 OK", "HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 103 Early Hints",
         "HTTP/1.1 101 Switching", "HTTP/1.0 200 OK", "HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200  OK ",
         "HTTP/1.1 999 x"]
    ),
    st.text(st.characters(max_codepoint=255), max_size=20),
)  # fmt: skip


def joined(first: str, end: str, fields: list[tuple[str, str, str, str]]) -> bytes:
    return (first + end + "".join("".join(field) for field in fields)).encode("latin-1")


def lines(head: bytes) -> list[bytes]:
    return head.split(b"\r\n")[:-1]


@given(st.builds(joined, REQUEST_LINES, LINE_ENDS, FIELDS))
def test_a_plain_request_is_read_as_mitmproxy_reads_it(head: bytes) -> None:
    request = read_request(head)
    if request is None:
        return
    assert head_problem(head.removesuffix(b"\r\n")) is None
    assert target_problem(lines(head)[0], at_proxy_port=False) is None
    theirs = read_request_head(lines(head))
    assert without_times(request) == without_times(theirs)
    assert validate_request(HTTPMode.transparent, theirs, validate_inbound_headers=True) is None
    assert expected_http_body_size(theirs) == size_of(request)


@given(
    st.builds(joined, STATUS_LINES, LINE_ENDS, FIELDS), st.sampled_from([b"GET", b"POST", b"HEAD", b"head", b"CONNECT"])
)
def test_a_plain_answer_is_read_as_mitmproxy_reads_it(head: bytes, method: bytes) -> None:
    response = read_response(head, method)
    if response is None:
        return
    assert head_problem(head.removesuffix(b"\r\n")) is None
    theirs = read_response_head(lines(head))
    assert without_times(response) == without_times(theirs)
    validate_headers(theirs)
    assert expected_http_body_size(Request.make(method.decode(), "https://a/"), theirs) == size_of(response)


def size_of(message: Request | Response) -> int | None:
    size = plain_size(message)
    assert size is not None
    return None if size == CHUNKED else size


def without_times(message: Request | Response) -> dict[str, object]:
    return {**message.get_state(), "timestamp_start": 0}


def test_what_agents_send_and_get_is_plain() -> None:
    request, response = read_request(PLAIN), read_response(ANSWER, b"POST")
    assert request is not None
    assert (request.method, request.path, plain_size(request)) == ("POST", "/v1/chat?x=1", 12)
    assert response is not None
    assert (response.status_code, response.reason, plain_size(response)) == (200, "OK", 11)
    assert plain_size(read_request(b"GET / HTTP/1.1\r\nHost: a\r\n")) == 0
    stream = ANSWER.replace(b"Content-Length: 11", b"Transfer-Encoding: chunked")
    assert plain_size(read_response(stream, b"POST")) == CHUNKED


@pytest.mark.parametrize(
    "head",
    [
        PLAIN.replace(b"Accept:", b"Content-Length: 12\r\nAccept:"),
        PLAIN.replace(b"Accept:", b"Transfer-Encoding: chunked\r\nAccept:"),
        PLAIN.replace(b"Content-Length: 12", b"Transfer-Encoding: gzip, chunked"),
        PLAIN.replace(b"Content-Length: 12", b"Transfer-Encoding: chunked\r\ntransfer-encoding: chunked"),
        PLAIN.replace(b"12", b"+12"),
        PLAIN.replace(b"12", b"9" * 16),
        PLAIN.replace(b"Host:", b"Host :"),
        PLAIN.replace(b"*/*", b"a\0b"),
        PLAIN.replace(b"\r\nHost", b"\nHost"),
        PLAIN.replace(b"\r\nAccept", b"\r\n Accept"),
        PLAIN.replace(b"POST", b"CONNECT"),
        PLAIN.replace(b"/v1", b"http://a/v1"),
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"\r\n" + PLAIN,
    ],
)
def test_whatever_takes_a_check_is_not_plain(head: bytes) -> None:
    assert read_request(head) is None


@pytest.mark.parametrize(
    ("head", "method"),
    [
        (ANSWER, b"HEAD"),
        (ANSWER.replace(b"200 OK", b"204 No Content"), b"GET"),
        (ANSWER.replace(b"200 OK", b"304 Not Modified"), b"GET"),
        (ANSWER.replace(b"200 OK", b"103 Early Hints"), b"GET"),
        (ANSWER.replace(b"Content-Length: 11\r\n", b""), b"GET"),
        (ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0"), b"GET"),
    ],
)
def test_an_answer_whose_end_takes_a_rule_is_not_plain(head: bytes, method: bytes) -> None:
    assert read_response(head, method) is None


@given(
    st.lists(st.tuples(st.sampled_from([b"A", b"a", b"Bc", b"BC", b"\xc3\xa4"]), st.binary(max_size=4)), max_size=5),
    st.sampled_from(["a", "A", "bc", "none", "ä", b"bC"]),
)
def test_fields_are_found_as_mitmproxy_finds_them(fields: list[tuple[bytes, bytes]], name: str | bytes) -> None:
    ours, theirs = Fields(tuple(fields)), Headers(fields)
    assert ours.get_all(name) == theirs.get_all(name)
    assert ours.get(name) == theirs.get(name)
    assert ours.get(name, "other") == theirs.get(name, "other")
    assert (name in ours) == (name in theirs)
    assert ours == theirs
    ours["New"], theirs["New"] = "1", "1"
    assert ours.pop(name, None) == theirs.pop(name, None)
    assert bytes(ours) == bytes(theirs)


def test_a_buffer_gives_its_head_once_it_is_complete() -> None:
    buffer = HeadBuffer()
    buffer += PLAIN
    assert buffer.plain_head() is None
    buffer += b"\r\nbody"
    assert buffer.plain_head() == PLAIN
    buffer.drop_head(PLAIN)
    assert bytes(buffer) == b"body"
