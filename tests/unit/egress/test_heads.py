import pytest

from gatekeeper.egress.heads import answer_problem, chunk_size, head_problem, request_problem, target_problem

HEAD = b"GET / HTTP/1.1\r\nHost: api.example.com\r\nAccept: */*"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2"


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (HEAD.replace(b"*/*", b"a\0b"), "NUL"),
        (HEAD.replace(b"*/*", b"a\rb"), "CR LF"),
        (HEAD.replace(b"\r\nAccept", b"\nAccept"), "CR LF"),
        (HEAD.replace(b"\r\nAccept", b"\r\n Accept"), "folded"),
        (HEAD.replace(b"\r\nAccept", b"\r\n\tAccept"), "folded"),
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(head: bytes, names: str) -> None:
    assert names in (head_problem(head) or "")


def test_a_plain_head_is_fine() -> None:
    assert head_problem(HEAD) is None


@pytest.mark.parametrize(
    ("line", "at_proxy_port"),
    [
        (b"CONNECT api.example.com:443 HTTP/1.1", True),
        (b"GET http://api.example.com/ HTTP/1.1", True),
        (b"POST HTTP://api.example.com/ HTTP/1.0", True),
        (b"GET / HTTP/1.1", False),
        (b"POST /v1/chat?x=1 HTTP/1.1", False),
    ],
)
def test_the_forms_that_belong_to_a_place_are_taken(line: bytes, at_proxy_port: bool) -> None:  # noqa: FBT001
    assert target_problem(line, at_proxy_port=at_proxy_port) is None


@pytest.mark.parametrize(
    ("line", "at_proxy_port"),
    [
        (b"GET / HTTP/1.1", True),
        (b"GET https://api.example.com/ HTTP/1.1", True),
        (b"OPTIONS * HTTP/1.1", True),
        (b"GET ftp://api.example.com/ HTTP/1.1", True),
        (b"CONNECT api.example.com:443 HTTP/1.1", False),
        (b"GET http://other.example.com/ HTTP/1.1", False),
        (b"OPTIONS * HTTP/1.1", False),
        (b"GET  / HTTP/1.1", False),
        (b"GET /a b HTTP/1.1", False),
        (b"GET /", False),
        (b"GET / HTTP/2.0", False),
        (b"GET / HTTP/0.9", False),
        (b"", False),
    ],
)
def test_any_other_form_is_refused(line: bytes, at_proxy_port: bool) -> None:  # noqa: FBT001
    assert target_problem(line, at_proxy_port=at_proxy_port) is not None


@pytest.mark.parametrize(
    ("field", "names"),
    [
        (b"X: a\x01b", "control"),
        (b"X: a\x0bb", "control"),
        (b"X: a\x7fb", "control"),
        (b"Content-Length : 5", "name: value"),
        (b"Content-Length", "name: value"),
        (b": 5", "name: value"),
        (b"X\xe9: 5", "name: value"),
        (b"Content_Length: 5", "underscore"),
        (b"transfer_encoding: chunked", "underscore"),
        (b"Proxy_Authorization: Bearer x", "underscore"),
        (b"X-Gatekeeper_Identity: x", "underscore"),
    ],
)
def test_a_field_whose_name_or_value_is_not_clear_is_refused(field: bytes, names: str) -> None:
    assert names in (head_problem(HEAD + b"\r\n" + field) or "")
    assert names in (answer_problem(ANSWER + b"\r\n" + field) or "")


@pytest.mark.parametrize("field", [b"X-Trace_Id: 5", b"X: ", b"X:5", b"X: a\tb \xe9", b"Content-Length: 5"])
def test_a_field_that_says_what_it_is_passes(field: bytes) -> None:
    assert head_problem(HEAD + b"\r\n" + field) is None
    assert answer_problem(ANSWER + b"\r\n" + field) is None


@pytest.mark.parametrize("field", [b"Content-Length: 3", b"transfer-encoding: chunked"])
def test_connect_has_no_body(field: bytes) -> None:
    head = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443"
    assert request_problem(head, at_proxy_port=True) is None
    assert request_problem(head + b"\r\n" + field, at_proxy_port=True) == "CONNECT has no body"


@pytest.mark.parametrize("line", [b"HTTP/1.1 200 OK", b"HTTP/1.0 404 Not Found", b"HTTP/1.1 200", b"HTTP/1.1 200 "])
def test_a_status_line_is_read(line: bytes) -> None:
    assert answer_problem(line + b"\r\nContent-Length: 0") is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"<html>",
        b"200 OK",
        b"HTTP/0.9 200 OK",
        b"HTTP/2.0 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 +200 OK",
        b"HTTP/1.1 2_0 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 0200 OK",
        b"HTTP/1.1 600 OK",
        b"HTTP/1.1 000 OK",
        b" HTTP/1.1 200 OK",
        b"http/1.1 200 OK",
        b"SSH-2.0-OpenSSH_9.6",
    ],
)
def test_what_is_no_status_line_is_no_answer(line: bytes) -> None:
    assert answer_problem(line + b"\r\nContent-Length: 0") is not None


@pytest.mark.parametrize(("line", "size"), [(b"0\r\n", 0), (b"a\r\n", 10), (b"00FF\r\n", 255)])
def test_a_chunk_size_is_read(line: bytes, size: int) -> None:
    assert chunk_size(line) == size


@pytest.mark.parametrize(
    "line",
    [b"\r\n", b"-1\r\n", b"+5\r\n", b"0x5\r\n", b"5 \r\n", b" 5\r\n", b"5;a=b\r\n", b"5_0\r\n", b"5\n", b"5", b"g\r\n",
     b"11111111111111111\r\n"],
)  # fmt: skip
def test_what_is_no_plain_number_is_no_chunk_size(line: bytes) -> None:
    assert chunk_size(line) is None
