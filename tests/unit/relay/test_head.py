import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.relay.head import read_answer, read_request

CONNECT = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
GET = b"GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n"


def test_connect_gets_the_token() -> None:
    assert read_request(CONNECT).with_token("t.o.k") == (
        b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Bearer t.o.k\r\n\r\n"
    )


def test_plain_http_gets_the_token_and_ends_after_one_request() -> None:
    head = b"POST HTTP://a.example/x HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\n\r\n"
    assert read_request(head).with_token("t.o.k") == (
        b"POST HTTP://a.example/x HTTP/1.1\r\nHost: a.example\r\n"
        b"Proxy-Authorization: Bearer t.o.k\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("request_head", [CONNECT, GET])
@pytest.mark.parametrize("name", [b"Proxy-Authorization", b"proxy-authorization", b"PROXY-AUTHORIZATION"])
def test_what_the_client_says_of_itself_is_replaced(request_head: bytes, name: bytes) -> None:
    head = request_head[:-2] + name + b": Bearer other\r\nX: y\r\n" + name + b":Basic b3RoZXI=\r\n\r\n"
    sent = read_request(head).with_token("t.o.k")
    assert sent.lower().count(b"proxy-authorization") == 1
    assert b"other" not in sent
    assert b"b3RoZXI" not in sent
    assert b"\r\nX: y\r\n" in sent


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"CONNECT a.example HTTP/1.1",
        b"CONNECT a.example:x HTTP/1.1",
        b"CONNECT http://a.example/ HTTP/1.1",
        b"CONNECT a.example:443/x HTTP/1.1",
        b"CONNECT u@a.example:443 HTTP/1.1",
        b"CONNECT a.example\0:443 HTTP/1.1",
        b"CONNECT  a.example:443 HTTP/1.1",
        b"CONNECT a.example:443 HTTP/2.0",
        b"CONNECT a.example:443",
        b"GET / HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET https://a.example/ HTTP/1.1",
        b"GET ftp://a.example/ HTTP/1.1",
        b"GET http:// HTTP/1.1",
        b"GET http://a.example/ x HTTP/1.1",
        b"GET\thttp://a.example/ HTTP/1.1",
        b"G(T http://a.example/ HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"\x16\x03\x01",
        b"SSH-2.0-x",
    ],
)
def test_any_other_form_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="expected CONNECT"):
        read_request(line + b"\r\nHost: a.example\r\n\r\n")


@pytest.mark.parametrize(
    "field",
    [
        b"Proxy-Authorization : Bearer x",
        b" folded",
        b"\tfolded",
        b"no colon",
        b": empty",
        b"A: b\nProxy-Authorization: Bearer x",
        b"A: b\rc",
        b"A: b\0",
        b"A(: b",
    ],
)
def test_a_malformed_field_is_refused(field: bytes) -> None:
    with pytest.raises(ValueError, match="malformed"):
        read_request(CONNECT[:-2] + field + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "status", "length"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 200, None),
        (b"HTTP/1.0 407\r\ncontent-length: 5\r\n\r\n", 407, 5),
        (b"HTTP/1.1 403 No\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 403, None),
        (b"HTTP/1.1 403 No\r\nContent-Length: x\r\n\r\n", 403, None),
    ],
)
def test_reads_the_answer_to_connect(head: bytes, status: int, length: int | None) -> None:
    answer = read_answer(head)
    assert (answer.status, answer.length) == (status, length)


@pytest.mark.parametrize(
    "head", [b"\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 99 x\r\n\r\n", b"HTTP/1.1 200\r\nx\r\n\r\n"]
)
def test_what_is_no_answer_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"no HTTP|malformed"):
        read_answer(head)


def test_a_refusal_is_handed_on_with_word_of_the_end() -> None:
    answer = read_answer(b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nConnection: keep-alive\r\n\r\n")
    assert answer.closing() == b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nConnection: close\r\n\r\n"


@given(st.binary() | st.binary().map(lambda data: CONNECT[:-2] + data + b"\r\n\r\n"))
def test_any_head_is_refused_or_leaves_with_one_credential(head: bytes) -> None:
    try:
        read = read_request(head)
    except ValueError:
        return
    assert read.with_token("t.o.k").lower().count(b"\r\nproxy-authorization:") == 1


def test_shows_no_credentials() -> None:
    assert "other" not in repr(read_request(CONNECT[:-2] + b"Proxy-Authorization: other\r\n\r\n"))
