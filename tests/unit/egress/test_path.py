from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.egress import TargetError, normal_path
from gatekeeper.exchange import Reason


@pytest.mark.parametrize(
    ("target", "normal"),
    [
        ("/", "/"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions?a=b", "/v1/chat/completions"),
        ("/v1?next=//x/../%2f%00;y", "/v1"),
        ("/?", "/"),
        ("/a/", "/a/"),
        ("/a/.", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/../", "/a/"),
        ("/..", "/"),
        ("/../../etc", "/etc"),
        ("/.", "/"),
        ("/./", "/"),
        ("/a/../../b/./c/..", "/b/"),
        ("/...", "/..."),
        ("/.a/..b/c..", "/.a/..b/c.."),
        ("/%2e%2e/a", "/a"),
        ("/a/%2E%2e/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/%2e/b", "/a/b"),
        ("/%61dmin", "/admin"),
        ("/%41%2d%5f%7E", "/A-_~"),
        ("/a%3ab", "/a%3Ab"),
        ("/model/claude:0/invoke", "/model/claude:0/invoke"),
        ("/a%20b", "/a%20b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/%e6%97%a5", "/%E6%97%A5"),
        ("/100%25", "/100%25"),
        ("/100%25-off", "/100%25-off"),
        ("/{a}|^[b]", "/%7Ba%7D%7C%5E%5Bb%5D"),
        ("/a'b\"c<d>`", "/a'b%22c%3Cd%3E%60"),
        ("/a=b&c=d,e+f!g*h(i)@j$k:l", "/a=b&c=d,e+f!g*h(i)@j$k:l"),
    ],
)
def test_gives_the_normal_form(target: str, normal: str) -> None:
    assert normal_path(target) == normal


@pytest.mark.parametrize(
    "target",
    [
        "/a%2fb",
        "/a%2Fb",
        "/%2f",
        "/a/..%2fb",
        "/a%5cb",
        "/a%5Cb",
        "/a\\b",
        "/..\\a",
        "/a;b",
        "/a;",
        "/..;/a",
        "/a/..;x=1/b",
        "/.;/a",
        "/%2e%2e;/a",
        "/..%3b/a",
        "/a%3Bb",
        "//",
        "//evil.example/a",
        "/a//b",
        "/a//",
        "/%00",
        "/a%0ab",
        "/a%0d%0aX:%20y",
        "/a%1f",
        "/a%7f",
        "/a%c2%85",
        "/a b",
        "/a\tb",
        "/a\nb",
        "/a\r\nb",
        "/a\0b",
        "/a\x7fb",
        "/é",
        "/\u2025/a",
        "/a?b=é",
        "/a?b c",
        "/a?b\r\nHost: x",
        "/%252e%252e/a",
        "/%252fa",
        "/%25%32%65/a",
        "/%25252e",
        "/%2541",
        "/%25c0%25ae",
        "/%",
        "/%2",
        "/%zz",
        "/a%2gb",
        "/%u002e",
        "/%c0%ae%c0%ae/a",
        "/%c0%af",
        "/%e0%80%af",
        "/%ff",
        "/%c3",
        "/%ed%a0%80",
        "/a%ef%bc%8fb",
        "/a%ef%bc%bcb",
        "/%ef%bc%8e%ef%bc%8e/a",
        "/%e2%80%a5/a",
        "/.%ef%bc%8e/a",
        "/a%ef%bc%9bb",
        "/%ef%bc%852e",
        "/%e2%84%80",
    ],
)
def test_refuses_what_can_be_read_in_two_ways(target: str) -> None:
    with pytest.raises(TargetError) as caught:
        normal_path(target)
    assert caught.value.reason is Reason.AMBIGUOUS_PATH


@pytest.mark.parametrize(
    "target", ["", "*", "a", "http://a.example/", "?", "a.example:443", " /a", "/a#b", "/a?b#c", "\\a"]
)
def test_refuses_what_is_no_path(target: str) -> None:
    with pytest.raises(TargetError) as caught:
        normal_path(target)
    assert caught.value.reason is Reason.MALFORMED


PIECES = [
    "a",
    ".",
    "..",
    "/",
    "%2e",
    "%2E",
    "%61",
    "%25",
    "%41",
    ";",
    "%2f",
    "\\",
    "?",
    "%c3%a9",
    "é",
    "{",
    "%ef%bc%8f",
]


@given(st.lists(st.sampled_from(PIECES)).map(lambda pieces: "/" + "".join(pieces)) | st.text())
def test_what_is_normal_stays_so_and_has_no_dots(target: str) -> None:
    try:
        normal = normal_path(target)
    except TargetError:
        return
    assert normal_path(normal) == normal
    assert not {"", ".", ".."} & set(normal.split("/")[1:-1])
    assert normal.rpartition("/")[2] not in {".", ".."}


@given(st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_escaping_more_than_needed_changes_nothing(name: str) -> None:
    everything = "".join(f"%{byte:02x}" for byte in name.encode())
    try:
        normal = normal_path(f"/{quote(name, safe='')}")
    except TargetError:
        return
    assert normal_path(f"/{everything}") == normal
