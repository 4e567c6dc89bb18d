"""Sessions, subjects, findings and messages: the small shared values."""

import hashlib
import json

import pytest

from gatekeeper.exchange import Finding, Message, SessionSource, count_findings, session_id, token_fingerprint


def test_a_session_is_named_as_the_format_page_says() -> None:
    canonical = json.dumps(["iss", "sub", "jti", "7"], separators=(",", ":")).encode()
    assert session_id("iss", "sub", SessionSource.JTI, "7") == hashlib.sha256(canonical).hexdigest()[:32]


@pytest.mark.parametrize(
    "other",
    [
        ("iss2", "sub", SessionSource.TRACE, "1"),
        ("iss", "sub2", SessionSource.TRACE, "1"),
        ("iss", "sub", SessionSource.JTI, "1"),
        ("iss", "sub", SessionSource.TRACE, "2"),
        ("iss,sub", "", SessionSource.TRACE, "1"),
    ],
)
def test_two_subjects_never_share_a_session(other: tuple[str, str, SessionSource, str]) -> None:
    assert session_id(*other) != session_id("iss", "sub", SessionSource.TRACE, "1")


def test_a_token_is_named_by_its_hash() -> None:
    assert token_fingerprint("a.b.c") == hashlib.sha256(b"a.b.c").hexdigest()


def test_findings_are_counted_by_entity() -> None:
    found = [Finding("EMAIL_ADDRESS", "body"), Finding("EMAIL_ADDRESS", "url"), Finding("IBAN_CODE", "body")]
    assert count_findings(found) == {"EMAIL_ADDRESS": 2, "IBAN_CODE": 1}


def test_a_header_is_found_whatever_its_case_and_the_first_counts() -> None:
    message = Message(headers=(("Accept", "a"), ("accept", "b")))
    assert message.header("ACCEPT") == "a"
    assert message.header("host") == ""
