import mitmproxy.version
import pytest
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import _http1, _http2

from gatekeeper.exchange import Reason
from gatekeeper.gateway.http1 import SLOWEST_BODY, Limits, Progress, head_problem, install, target_problem

LIMITS = Limits(header_bytes=1024, seconds=10)
HEAD = b"GET / HTTP/1.1\r\nHost: api.example.com\r\nAccept: */*"


def test_it_is_written_for_the_mitmproxy_that_is_installed() -> None:
    """A new version is let in here once somebody has read what changed in `mitmproxy.proxy.layers.http`."""
    assert mitmproxy.version.VERSION.rpartition(".")[0] in {"12.2", "12.3"}


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


def test_a_head_has_its_time_and_no_more() -> None:
    progress = Progress()
    progress.begin()
    assert progress.since is not None
    assert not progress.too_slow(progress.since + 9.9, LIMITS, body=False)
    assert progress.too_slow(progress.since + 10, LIMITS, body=False)


def test_who_has_begun_nothing_is_not_slow() -> None:
    progress = Progress()
    assert not progress.too_slow(1e9, LIMITS, body=False)
    progress.begin()
    progress.end()
    assert not progress.too_slow(1e9, LIMITS, body=False)


def test_a_body_that_comes_fast_enough_gets_another_period_and_one_that_drips_does_not() -> None:
    progress = Progress()
    progress.begin()
    start = progress.since
    assert start is not None
    progress.received = SLOWEST_BODY
    assert not progress.too_slow(start + 10, LIMITS, body=True)
    progress.received += SLOWEST_BODY - 1
    assert progress.too_slow(start + 20, LIMITS, body=True)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (http_layers, "Http1Server"),
        (http_layers, "Http1Client"),
        (_http1, "make_error_response"),
        (_http2, "format_error"),
    ],
)
def test_a_gateway_does_not_start_where_mitmproxy_lacks_a_name(
    module: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(module, name)
    with pytest.raises(RuntimeError, match=name):
        install(LIMITS, lambda _context, _reason: None)


def test_error_pages_never_show_the_text_of_mitmproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((http_layers, "Http1Server"), (http_layers, "Http1Client"), (_http1, "make_error_response"),
                         (_http2, "format_error")):  # fmt: skip
        monkeypatch.setattr(module, name, getattr(module, name))
    install(LIMITS, lambda _context, _reason: None)
    page = _http1.make_error_response(502, "4111 1111 1111 1111")
    assert page.startswith(b"HTTP/1.1 502 ")
    assert b"4111" not in page
    assert Reason.UPSTREAM_MALFORMED.value.encode() in page
    assert b"4111" not in _http2.format_error(400, "4111 1111 1111 1111")
