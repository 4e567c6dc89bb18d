"""Values between letters of scripts that set no spaces between words."""

import itertools

import pytest
import regex  # type: ignore[import-untyped]  # its types are a package of their own
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.masking import find_spans
from gatekeeper.masking.channel import Channel, Found
from gatekeeper.masking.detectors.unspaced import apart
from gatekeeper.masking.scanner import Work, default_scanner

VALUES = [
    ("EMAIL_ADDRESS", "zhang.wei@example.com"),
    ("PHONE_NUMBER", "+86 139 1234 5678"),
    ("CREDIT_CARD", "4111 1111 1111 1111"),
    ("IBAN_CODE", "DE89370400440532013000"),
    ("IP_ADDRESS", "192.168.10.5"),
    ("IP_ADDRESS", "2001:db8::8a2e:370:7334"),
    ("MAC_ADDRESS", "00:1a:2b:3c:4d:5e"),
    ("US_SSN", "536-90-4399"),
    ("API_KEY", "ghp_0123456789abcdefghijklmnopqrstuvwxyz"),
]
AROUND = [
    ("电话手机是", "，谢谢"),
    ("請打电话", "吗"),
    ("電話は", "です"),
    ("カードは", "ね"),
    ("전화번호는", "입니다"),
    ("โทร", "ครับ"),
]


def found(text: str) -> list[tuple[str, str]]:
    return [(span.entity, text[span.start : span.end]) for span in find_spans(text)]


@pytest.mark.parametrize(("entity", "value"), VALUES)
@pytest.mark.parametrize(("before", "after"), AROUND)
def test_a_letter_beside_a_value_is_no_part_of_it(entity: str, value: str, before: str, after: str) -> None:
    if entity == "PHONE_NUMBER" and value.isdecimal() and "卡" not in before and not set("电話전") & set(before):
        return
    assert found(f"{before}{value}{after}") == [(entity, value)]


@pytest.mark.parametrize(
    "text",
    [
        "生年月日は1985年3月12日です",
        "出生日期：1985年03月12日",
        "생년월일은 1985년 3월 12일입니다",
        "他的生日是1985-03-12。",
    ],
)
def test_a_date_of_birth_may_be_east_asian(text: str) -> None:
    assert [entity for entity, _ in found(text)] == ["DATE_OF_BIRTH"]


@pytest.mark.parametrize(
    "text",
    [
        "会议在1985年3月12日举行",
        "订单号20231105123456已发货",
        "2023年11月5日,价格1234567.89元",
        "版本10.2.3.4发布",
        "第13章第4節",
    ],
)
def test_other_numbers_are_nothing(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("text", ["année4111111111111111", "год4111111111111111", "4111111111111111é"])
def test_letters_of_other_scripts_are_a_part(text: str) -> None:
    assert found(text) == []


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*(value for _, value in VALUES), *itertools.chain(*AROUND), " ", "。"]), max_size=8),
    st.lists(st.integers(0, 120), max_size=6),
)
def test_a_stream_finds_the_same(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    channel = Channel(default_scanner())
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    work = Work(1 << 40)
    pieces = [p for a, b in itertools.pairwise(places) for p in channel.push(text[a:b], work, final=False)]
    pieces += channel.push("", work, final=True)

    assert [(piece.entity, piece.source) for piece in pieces if isinstance(piece, Found)] == found(text)


def test_words_of_such_a_script_are_not_held_back() -> None:
    channel = Channel(default_scanner())

    assert channel.push("你好今天天气很好我们去公园吧", Work(1 << 40), final=False) == ["你好今天天气很好我们去公园吧"]


@pytest.mark.parametrize(
    ("pattern", "char", "matches"),
    [
        (r"\w", "é", True),
        (r"\w", "电", False),
        (r"\W", "电", True),
        (r"[\w-]", "-", True),
        (r"[\w-]", "電", False),
        (r"[^\w-]", "電", True),
        (r"[^\w-]", "a", False),
        (r"[^\W\d_]", "전", False),
        (r"[^\W\d_]", "z", True),
        (r"[a-z]", "a", True),
    ],
)
def test_what_counts_as_a_letter(pattern: str, char: str, *, matches: bool) -> None:
    assert bool(regex.fullmatch(apart(pattern), char)) == matches
