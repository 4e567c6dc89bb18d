import re

import pytest
import re2
import regex
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gatekeeper.masking import find_spans
from gatekeeper.masking.catalogue import DETECTOR_NAMES, DETECTORS
from gatekeeper.masking.detector import Detector
from gatekeeper.masking.view import fold

FOUND = {
    "EMAIL_ADDRESS": (
        "john@example.com",
        "write to [john.smith+tag@mail.example.co.uk]",
        "<o'brien@example.ie>",
        "-john@example.com",
        "mailto:john_s@example.com?subject=x",
        "müller@exämple.de",
        "a@b.co",
        "JOHN@EXAMPLE.COM.",
        '"john%x@sub-domain.example.museum"',
        "john＠example．com",
        "jo\u200bhn@exam\u00adple.com",
    ),
    "CREDIT_CARD": (
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111111111111111.",
        "(378282246310005)",
        "3782 822463 10005",
        "5555555555554444,",
        "2223003122003222",
        "6011111111111117",
        "3530111333300000",
        "30569309025904",
        "6759649826438453",
        "4111 1111 1111 1111 123",
        "4111 1111 1111 1111 12/27",
        "１２ ４１１１ １１１１ １１１１ １１１１",
        "4222222222222",
        "٤١١١١١١١١١١١١١١١",
    ),
    "IBAN_CODE": (
        "GB82 WEST 1234 5698 7654 32",
        "GB82WEST12345698765432",
        "DE89 3704 0044 0532 0130 00",
        "DE89370400440532013000.",
        "FR1420041010050500013M02606",
        "IBAN: NL91ABNA0417164300",
        "GB82 WEST 1234 5698 7654 32 IS MY ACCOUNT",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
        "CH93-0076-2011-6238-5295-7",
    ),
    "US_SSN": (
        "536-90-4399",
        "(536-90-4399)",
        "078-05-1120",
        "SSN 536904399",
        "ssn: 536 90 4399",
        "social security number is 536904399",
        "user_ssn=536.90.4399",
        "5３6-9０-4399",
        "Social Security No. 536 90 4399",
        "SS# 536904399",
    ),
    "PHONE_NUMBER": (
        "+1 415 555 0132",
        "+14155550132",
        "+44 20 7946 0958",
        "+49 (0)30 901820",
        "(415) 555-0132",
        "415-555-0132",
        "1-415-555-0132",
        "415.555.0132",
        "020 7946 0958",
        "01 42 68 53 00",
        "phone 4155550132",
        "tel: 030 901820",
        "call 415 555 0132",
        "mobile=07700 900123",
        "+91 98765 43210",
    ),
    "UK_NHS": (
        "943 476 5919",
        "NHS 9434765919",
        "nhs number: 943-476-5919",
        "943 476 5919.",
        "(943 476 5919)",
        "NHS No 943 476 5919",
        "401 023 2137",
        "nhs_number=4010232137",
        "patient with 943\u00a0476\u00a05919",
        "National Health number 4010232137",
    ),
    "API_KEY": (
        "sk-proj-Zx81kfPq0sNf81mWqPz0aa",
        "sk-aB3dE6gH9jK2mN5pQ8sT1vW4",
        "sk-ant-api03-aB3dE6gH9jK2mN5pQ8sT1vW4",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6",
        "github_pat_11ABCDEFG0aB3dE6gH9jK2_mN5pQ8sT1vW4",
        "AIzaSyD-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0e",
        "xoxb-123456789012-123456789012-aB3dE6gH9jK2mN5p",
        "sk_live_aB3dE6gH9jK2mN5pQ8sT1vW4",
        "glpat-aB3dE6gH9jK2mN5pQ8sT",
        "hf_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3h",
        "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",
        "https://hooks.slack.com/services/T01ABCDEF/B01ABCDEF/aB3dE6gH9jK2mN5pQ8sT1vW4",
        "123456789:AAaB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "npm_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6",
    ),
}

# What looks like personal data and is none, by the detector that might think so.
NOT_FOUND = {
    "EMAIL_ADDRESS": (
        "git@github.com:org/repo.git",
        "icon@2x.png",
        "lodash@4.17.21",
        "@types/node@20.1.0",
        "@app.route('/x')",
        "user@localhost",
        "systemd getty@tty1.service",
        "a @ b.com",
        "foo@bar",
        "10 @ 3.50 each",
        "image@sha256:abc",
    ),
    "CREDIT_CARD": (
        "4111 1111 1111 1112",
        "1718000000000",
        "1718000000000000000",
        "550e8400-e29b-41d4-a716-446655440000",
        "0.4111111111111111",
        "4111111111111111111111111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "9780306406157",
        "0000 0000 0000 0000",
        "order 1234567890123456",
        "a4111111111111111",
        "d41d8cd98f00b204e9800998ecf8427e",
        "2024-05-17 12:30:45.123456",
        "+4111111111111111",
    ),
    "IBAN_CODE": (
        "GB82 WEST 1234 5698 7654 33",
        "XX82WEST12345698765432",
        "gb82west",
        "AB12 CDEF",
        "SN20241234567890",
        "DE89 3704 0044 0532 0130",
        "xGB82WEST12345698765432",
        "US12345678901234567890",
        "sha AA11BB22CC33DD44EE55FF66",
        "RFC2616 SECTION 14 ACCEPT ENCODING",
    ),
    "US_SSN": (
        "000-12-3456",
        "666-12-3456",
        "912-12-3456",
        "536-00-4399",
        "536-90-0000",
        "536904399",
        "536 90 4399",
        "1536-90-4399",
        "536-90-43991",
        "A-536-90-4399",
        "536-90-4399-1",
        "the lessness of 536904399",
    ),
    "PHONE_NUMBER": (
        "4155550132",
        "415 555 0132",
        "1718000000",
        "2024-05-17",
        "192.168.100.200",
        "call me on 2024-05-17",
        "tel aviv 1948",
        "v1.2.3-4567",
        "123-456-7890-1234",
        "+1000000",
        "555-0132",
        "550e8400-e29b-41d4-a716-446655440000",
        "tool_calls 4155550132",
        "3.14159265358979",
        "0000000000",
        "phone 12",
        "051-123-4567-8",
    ),
    "UK_NHS": (
        "943 476 5918",
        "9434765919",
        "415 555 0132 9999",
        "000 000 0000",
        "111 111 1111",
        "1 943 476 5919",
        "943 476 59190",
        "943.476.5919",
        "nhs 9434765918",
        "id 94 3476 5919",
    ),
    "API_KEY": (
        "sk-loading-spinner-container-large",
        "task-management-and-scheduling-tools",
        "sk-short1",
        "AKIA",
        "ghp_short",
        "risk-based-approach-to-something-2",
        "hf_hub_download",
        "AIza-too-short",
        "xoxb-",
        "glpat-short",
        "key-value-store",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "sk_live_",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
}
ORDINARY = (
    "order 10023-4455 shipped 2025-11-24T13:39:43.123456Z, total 1,299.00 EUR",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 by ci at 1718000000",
    "GET /v1/items/550e8400-e29b-41d4-a716-446655440000 200 0.0123 10.0.0.1",
    "numpy==2.1.3 python 3.13.0 node v20.11.1 chrome/120.0.6099.129",
    "lat 51.5073509 lon -0.1277583, bbox 13.088345,52.3382448,13.7611609,52.6755087",
    "ISBN 978-0-306-40615-7 and 0-306-40615-2",
    "chatcmpl-9abcDEFghiJKLmnoPQRstu req_0123456789abcdef0123456789abcdef fp_44709d6fcb",
    "call_abc123DEF456 toolu_01A09q90qw90lq917835lq9 msg_01XFDUDYJgAACzvnptvVoYEL",
    "CPU: Intel(R) Core(TM) i7-8650U @ 1.90GHz, 16384 MB, serial 5CG8253QXX",
    "mac 00:1b:44:11:3a:b7 ipv6 2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "0x7ffd4a3b2c10 segfault at 0000000000000000 ip 00007f3c5e8d1a20",
    "2024-01-01 00:00:00,2024-01-02 00:00:00,100,200,300,4000,50000",
    "tracking 1Z999AA10123456784, invoice INV-2024-000123, PO 4500012345",
    "pi is 3.141592653589793238462643383279502884197",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "ratelimit 10000 remaining 9999 reset 1718000000 cf-ray 8f1b2c3d4e5f6789-LHR",
)

IDS = [f"{detector.entity}-{number}" for number, detector in enumerate(DETECTORS)]


@pytest.mark.parametrize(("entity", "text"), [(entity, text) for entity, texts in FOUND.items() for text in texts])
def test_a_value_is_found_once_and_as_what_it_is(entity: str, text: str) -> None:
    assert [span.entity for span in find_spans(text)] == [entity]


@pytest.mark.parametrize(("entity", "text"), [(entity, text) for entity, texts in NOT_FOUND.items() for text in texts])
def test_what_only_looks_like_a_value_is_left_alone(entity: str, text: str) -> None:
    assert entity not in [span.entity for span in find_spans(text)]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert find_spans(text) == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to john@example.com, now", "john@example.com"),
        ("card 4111 1111 1111 1111 123", "4111 1111 1111 1111"),
        ("GB82 WEST 1234 5698 7654 32 IS MY ACCOUNT", "GB82 WEST 1234 5698 7654 32"),
        ("(415) 555-0132 or", "(415) 555-0132"),
        ("x ４１１１ 1111\u200b 1111 1111 y", "４１１１ 1111\u200b 1111 1111"),
        ("\u200b+14155550132\u200b", "+14155550132"),
        ("key sk-proj-Zx81kfPq0sNf81mWqPz0aa.", "sk-proj-Zx81kfPq0sNf81mWqPz0aa"),
    ],
)
def test_the_span_is_the_value_in_the_original_text(text: str, masked: str) -> None:
    (span,) = find_spans(text)

    assert text[span.start : span.end] == masked


def test_there_are_ten_examples_each_way_for_each_detector() -> None:
    assert set(FOUND) == set(NOT_FOUND) == set(DETECTOR_NAMES)
    assert all(len(texts) >= 10 for texts in (*FOUND.values(), *NOT_FOUND.values()))


@pytest.mark.parametrize("detector", DETECTORS, ids=IDS)
def test_patterns_repeat_nothing_without_a_bound(detector: Detector) -> None:
    atoms = regex.sub(r"\\.|\[[^\]]*\]", "c", detector.pattern)

    assert not regex.search(r"\*|c\+|\)\+|,\}", atoms)


@pytest.mark.parametrize("detector", DETECTORS, ids=IDS)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_the_gate_opens_for_all_that_a_detector_can_find(detector: Detector, data: st.DataObject) -> None:
    if detector.context:
        text = data.draw(st.from_regex(re.compile(detector.context, re.ASCII), fullmatch=True))
    else:
        text = fold(data.draw(st.from_regex(re.compile(detector.pattern)))).text
        assume(regex.search(detector.pattern, text))

    assert re2.search(detector.prefilter, text)
    assert not detector.context or not text.isascii() or re2.search(detector.prefilter, text.upper())
