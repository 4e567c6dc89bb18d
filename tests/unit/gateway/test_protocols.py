import mitmproxy.version
import pytest
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import _http1, _http2

from gatekeeper.exchange import Reason
from gatekeeper.gateway.limits import SLOWEST_BODY, Limits, Progress
from gatekeeper.gateway.protocols import install

REPLACED = [
    (http_layers, "Http1Server"),
    (http_layers, "Http1Client"),
    (http_layers, "Http2Server"),
    (http_layers, "Http2Client"),
    (_http1, "make_error_response"),
    (_http2, "format_error"),
]
LIMITS = Limits(header_bytes=1024, seconds=10)


def test_it_is_written_for_the_mitmproxy_that_is_installed() -> None:
    """A new version is let in here once somebody has read what changed in `mitmproxy.proxy.layers.http`."""
    assert mitmproxy.version.VERSION.rpartition(".")[0] in {"12.2", "12.3"}


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
    REPLACED,
)
def test_a_gateway_does_not_start_where_mitmproxy_lacks_a_name(
    module: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(module, name)
    with pytest.raises(RuntimeError, match=name):
        install(LIMITS, lambda _context, _reason: None)


def test_error_pages_never_show_the_text_of_mitmproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in REPLACED:
        monkeypatch.setattr(module, name, getattr(module, name))
    install(LIMITS, lambda _context, _reason: None)
    page = _http1.make_error_response(502, "4111 1111 1111 1111")
    assert page.startswith(b"HTTP/1.1 502 ")
    assert b"4111" not in page
    assert Reason.UPSTREAM_MALFORMED.value.encode() in page
    assert b"4111" not in _http2.format_error(400, "4111 1111 1111 1111")
