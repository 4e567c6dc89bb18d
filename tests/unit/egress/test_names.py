import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.egress import TargetError, check_names, normalise_host
from gatekeeper.exchange import Reason, Scheme, Target

HTTP, HTTPS = Scheme.HTTP, Scheme.HTTPS


@pytest.mark.parametrize(
    ("host", "normal"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.COM", "api.example.com"),
        ("api.example.com.", "api.example.com"),
        ("localhost", "localhost"),
        ("my_host.internal", "my_host.internal"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("r3---sn-abc.example.com", "r3---sn-abc.example.com"),
        ("1e100.net", "1e100.net"),
        ("3com", "3com"),
        ("1.2.3.example", "1.2.3.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("ｅｘａｍｐｌｅ.com", "example.com"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("::FFFF:192.0.2.7", "::ffff:192.0.2.7"),
    ],
)
def test_gives_one_spelling(host: str, normal: str) -> None:
    assert normalise_host(host) == normal


MALFORMED = [
    "",
    ".",
    "..",
    "a..b",
    ".example.com",
    "example.com..",
    "-a.example",
    "a-.example",
    "a" * 64 + ".example",
    ".".join(["a" * 49] * 6),
    "exa mple.com",
    " example.com",
    "example.com ",
    "example.com\n",
    "example.com\0",
    "example.com\0.evil.example",
    "example.com\r\nHost: evil.example",
    "example%2ecom",
    "user@example.com",
    "example.com:443",
    "example.com/",
    "example.com#",
    "example.com?",
    "example.com\\",
    "exam*ple.com",
    "a,b.example",
    "example\u00adcom@",
    "example\u2024com/",
    "exa\u200bmple.com\u2028",
    "xn--",
    "xn--a.example",
    "xn--example-.com",
    "xn--a-ecp.ru\u0000",
    "xn--BCHER.example",
    "\ud800.example",
    "１２７.０.０.１",
    "127。0。0。1",
    "127.1",
    "127.0.1",
    "1",
    "2130706433",
    "0177.0.0.1",
    "127.0.0.01",
    "0x7f.0.0.1",
    "0x7f000001",
    "127.0.0.0x1",
    "0x",
    "1.2.3.4.5",
    "256.0.0.1",
    "1.2.3.4.",
    "example.1",
    "example.0x1f",
    "+1.2.3.4",
    "[",
    "[]",
    "[::1",
    "::1]",
    "[[::1]]",
    "[127.0.0.1]",
    "[example.com]",
    "[::1].example",
    "fe80::1%eth0",
    "[fe80::1%25eth0]",
    "::1%",
    ":::1",
    "1::2::3",
    "12345::",
    "::127.0.0.01",
    "[v1.a]",
]


@pytest.mark.parametrize("host", MALFORMED)
def test_refuses_what_is_no_host(host: str) -> None:
    with pytest.raises(TargetError) as caught:
        normalise_host(host)
    assert caught.value.reason is Reason.MALFORMED


def test_the_error_quotes_nothing_that_was_sent() -> None:
    with pytest.raises(TargetError) as caught:
        normalise_host("secret of.mine")
    assert "secret" not in str(caught.value)


@given(st.text() | st.text("0123456789.xXabcdef:[]%-"))
def test_what_is_normal_stays_so(host: str) -> None:
    try:
        normal = normalise_host(host)
    except TargetError:
        return
    assert normalise_host(normal) == normal
    assert normal.isascii()
    assert normal == normal.lower()


@pytest.mark.parametrize(
    ("connect", "sni", "header", "scheme", "host", "port"),
    [
        (("a.example", 443), "a.example", "a.example", HTTPS, "a.example", 443),
        (("A.example.", 443), "a.EXAMPLE", "a.example:443", HTTPS, "a.example", 443),
        (("a.example", 443), None, "a.example", HTTPS, "a.example", 443),
        (("a.example", 8443), "a.example", "a.example:8443", HTTPS, "a.example", 8443),
        (("bücher.example", 443), "xn--bcher-kva.example", "xn--bcher-kva.example", HTTPS, "bücher.example", 443),
        (("::1", 443), None, "[::1]", HTTPS, "::1", 443),
        (("::1", 8443), None, "[0::1]:8443", HTTPS, "::1", 8443),
        (("a.example", 80), None, "a.example", HTTP, "a.example", 80),
        (None, None, "a.example", HTTP, "a.example", 80),
        (None, None, "a.example:80", HTTP, "a.example", 80),
        (None, None, "a.example:8080", HTTP, "a.example", 8080),
    ],
)
def test_one_name_everywhere_is_the_target(
    connect: tuple[str, int] | None, sni: str | None, header: str, scheme: Scheme, host: str, port: int
) -> None:
    target = check_names(connect, sni, [header], scheme, host, port)
    assert target == Target(scheme, normalise_host(host), port)


A = ("a.example", 443)
DIFFER, MALFORMED_REASON = Reason.NAMES_DIFFER, Reason.MALFORMED


@pytest.mark.parametrize(
    ("connect", "sni", "headers", "scheme", "host", "port", "reason"),
    [
        (("b.example", 443), "a.example", ["a.example"], HTTPS, *A, DIFFER),
        (("a.example", 444), "a.example", ["a.example"], HTTPS, *A, DIFFER),
        (("192.0.2.7", 443), "a.example", ["a.example"], HTTPS, *A, DIFFER),
        (A, "b.example", ["a.example"], HTTPS, *A, DIFFER),
        (A, "a.example.b.example", ["a.example"], HTTPS, *A, DIFFER),
        (A, "example", ["a.example"], HTTPS, *A, DIFFER),
        (A, "a.example", ["b.example"], HTTPS, *A, DIFFER),
        (A, "a.example", ["192.0.2.7"], HTTPS, *A, DIFFER),
        (A, "a.example", ["a.example:80"], HTTPS, *A, DIFFER),
        (A, "a.example", ["a.example"], HTTPS, "b.example", 443, DIFFER),
        (A, "a.example", ["a.example"], HTTPS, "a.example", 8443, DIFFER),
        (("a.example", 8443), "a.example", ["a.example"], HTTPS, "a.example", 8443, DIFFER),
        (A, "a.example", ["a.example"], HTTP, *A, DIFFER),
        (None, None, ["b.example"], HTTP, "a.example", 80, DIFFER),
        (None, None, ["a.example:8080"], HTTP, "a.example", 80, DIFFER),
        (None, None, ["a.example"], HTTP, "a.example", 8080, DIFFER),
        (None, None, ["a.example"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", [], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example", "a.example"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example", "b.example"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", [""], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example, b.example"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example:"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example:0443"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example:0"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example:65536"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example:443:443"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example:+443"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example:४४३"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["x@a.example"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example", ["a.example\t"], HTTPS, *A, MALFORMED_REASON),
        (A, "", ["a.example"], HTTPS, *A, MALFORMED_REASON),
        (A, "a.example\0", ["a.example"], HTTPS, *A, MALFORMED_REASON),
        (("::1", 443), None, ["::1"], HTTPS, "::1", 443, MALFORMED_REASON),
        (("a.example", 0), None, ["a.example"], HTTPS, "a.example", 0, MALFORMED_REASON),
        (("a.example", 65536), None, ["a.example"], HTTPS, "a.example", 65536, MALFORMED_REASON),
        (("a b", 443), None, ["a.example"], HTTPS, *A, MALFORMED_REASON),
    ],
)
def test_names_that_differ_or_are_none_are_refused(
    connect: tuple[str, int] | None,
    sni: str | None,
    headers: list[str],
    scheme: Scheme,
    host: str,
    port: int,
    reason: Reason,
) -> None:
    with pytest.raises(TargetError) as caught:
        check_names(connect, sni, headers, scheme, host, port)
    assert caught.value.reason is reason
