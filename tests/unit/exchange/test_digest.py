import hashlib
import hmac
import json

import pytest

from gatekeeper.exchange import DigestKey, Headers, Instant, Subject, request_digest
from gatekeeper.exchange.digest import LEFT_OUT

KEY = DigestKey(bytes(range(32)))
SUBJECT = Subject(iss="https://issuer.example", sub="billing-bot", token="0" * 64, expires=Instant(0))
HEADERS: Headers = (("Content-Type", "application/json"), ("Accept", "*/*"))
URL = "https://payments.example.com/v1/refunds?dry=1"


def digest(
    *,
    key: DigestKey = KEY,
    subject: Subject = SUBJECT,
    rule: str = "refunds",
    method: str = "POST",
    url: str = URL,
    headers: Headers = HEADERS,
    body: bytes = b"{}",
) -> str:
    return request_digest(key, subject, rule, method, url, headers, body)


def test_it_is_the_hmac_that_the_format_page_defines() -> None:
    covered = {
        "body": hashlib.sha256(b"{}").hexdigest(),
        "headers": [["accept", "*/*"], ["content-type", "application/json"]],
        "method": "POST",
        "rule": "refunds",
        "subject": ["https://issuer.example", "billing-bot"],
        "url": URL,
    }
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert digest() == hmac.new(KEY, canonical, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        digest(key=DigestKey(bytes(32))),
        digest(subject=Subject(iss="https://issuer.example", sub="other", token="0" * 64, expires=Instant(0))),
        digest(subject=Subject(iss="https://other.example", sub="billing-bot", token="0" * 64, expires=Instant(0))),
        digest(rule="another"),
        digest(method="PUT"),
        digest(url=URL + "&x"),
        digest(url=URL.replace("https", "http")),
        digest(headers=(*HEADERS, ("X-Amount", "5"))),
        digest(headers=(HEADERS[0],)),
        digest(headers=(*HEADERS, HEADERS[0])),
        digest(headers=(("Content-Type", "text/plain"), HEADERS[1])),
        digest(body=b"{ }"),
        digest(body=b""),
    ],
)
def test_any_change_is_another_digest(other: str) -> None:
    assert other != digest()


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_headers_that_change_from_try_to_try_are_left_out(name: str) -> None:
    assert digest(headers=(*HEADERS, (name.title(), "anything"))) == digest()


def test_order_and_case_of_header_names_do_not_matter() -> None:
    shuffled = tuple((name.upper(), value) for name, value in reversed(HEADERS))
    assert digest(headers=shuffled) == digest()


def test_another_token_of_the_same_subject_gives_the_same_digest() -> None:
    renewed = Subject(iss=SUBJECT.iss, sub=SUBJECT.sub, token="1" * 64, expires=Instant(9))
    assert digest(subject=renewed) == digest()
