import pytest

from gatekeeper.config import MaskingConfig, RequestMasking
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker
from gatekeeper.masking.head import REMOVED, SECRET_FIELDS, SECRET_PARAMETERS

MASKER = Masker(MaskingConfig(request=RequestMasking(upstream={})), b"a key for tests")
KEY = "sk-ant-api03-aB3dE6gH9jK2mN5pQ8sT1vW4"


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://h.example/a/john@example.com", "https://h.example/a/%3CEMAIL_ADDRESS%3E"),
        ("https://h.example/a/john%40example.com/b", "https://h.example/a/%3CEMAIL_ADDRESS%3E/b"),
        ("https://h.example/?q=john%40example.com&p=1", "https://h.example/?q=%3CEMAIL_ADDRESS%3E&p=1"),
        (
            "https://h.example/?q=4111+1111+1111+1111#a@b.co",
            "https://h.example/?q=%3CCREDIT_CARD%3E#%3CEMAIL_ADDRESS%3E",
        ),
        ("https://h.example/x?ssn=536904399", "https://h.example/x?ssn=%3CUS_SSN%3E"),
        ("https://h.example?john@example.com", "https://h.example?%3CEMAIL_ADDRESS%3E"),
        ("/relative/john@example.com", "/relative/%3CEMAIL_ADDRESS%3E"),
        ("https://user@host.example/", "https://user@host.example/"),
        ("https://4111111111111111.example/", "https://4111111111111111.example/"),
        ("https://h.example/plain?a=b", "https://h.example/plain?a=b"),
    ],
)
def test_values_in_urls_are_masked_and_the_authority_is_left_alone(url: str, result: str) -> None:
    assert MASKER.inspect(Message(url=url)).upstream().url == result


def test_the_path_in_normal_form_is_masked_with_the_url() -> None:
    message = Message(url="https://h.example/a%40b.co", path="/a@b.co")

    assert MASKER.inspect(message).upstream().path == "/%3CEMAIL_ADDRESS%3E"


@pytest.mark.parametrize("name", sorted(SECRET_FIELDS))
def test_credentials_in_fields_are_no_findings_and_never_recorded(name: str) -> None:
    message = Message(headers=((name.title(), f"Bearer {KEY}"),))
    inspected = MASKER.inspect(message)

    assert inspected.findings == ()
    assert inspected.upstream() is message
    assert inspected.recorded().headers == ((name.title(), REMOVED),)


@pytest.mark.parametrize("name", sorted(SECRET_PARAMETERS))
def test_credentials_in_urls_are_no_findings_and_never_recorded(name: str) -> None:
    message = Message(url=f"https://h.example/p?a=1&{name.upper()}={KEY}&b=2")
    inspected = MASKER.inspect(message)

    assert inspected.findings == ()
    assert inspected.upstream() is message
    assert inspected.recorded().url == f"https://h.example/p?a=1&{name.upper()}={REMOVED}&b=2"


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        ("https://h.example/?access%5Ftoken=abc", f"https://h.example/?access%5Ftoken={REMOVED}"),
        ("https://h.example/#token=abc&x=1", f"https://h.example/#token={REMOVED}&x=1"),
        ("https://me:pass@h.example/", f"https://{REMOVED}@h.example/"),
        ("https://h.example/?a=b@c&monkey=1", "https://h.example/?a=b@c&monkey=1"),
    ],
)
def test_urls_in_fields_lose_their_credentials_in_the_record(value: str, recorded: str) -> None:
    message = Message(status=302, headers=(("Location", value),))

    assert MASKER.inspect(message).recorded().headers == (("Location", recorded),)


def test_fields_are_masked_each_with_its_name_as_context() -> None:
    message = Message(
        headers=(
            ("X-Customer-SSN", "536904399"),
            ("X-Order", "536904399"),
            ("Referer", "https://h.example/?q=john%40example.com"),
            ("Content-Type", "text/plain; a=john@example.com"),
            ("X-Two", "a@b.co"),
            ("X-Two", "c@d.co"),
        )
    )

    assert MASKER.inspect(message).upstream().headers == (
        ("X-Customer-SSN", "<US_SSN>"),
        ("X-Order", "536904399"),
        ("Referer", "https://h.example/?q=%3CEMAIL_ADDRESS%3E"),
        ("Content-Type", "text/plain; a=john@example.com"),
        ("X-Two", "<EMAIL_ADDRESS>"),
        ("X-Two", "<EMAIL_ADDRESS>"),
    )


def test_a_cookie_that_is_set_is_masked_but_for_a_session_of_its_own() -> None:
    fields = (
        ("Set-Cookie", "user=john%40example.com; Path=/; Domain=example.com"),
        ("Set-Cookie", "sid=AKIAIOSFODNN7EXAMPLE; HttpOnly"),
    )
    answer = MASKER.inspect(Message(status=200, headers=fields))

    assert answer.to_client().headers == (
        ("Set-Cookie", "user=%3CEMAIL_ADDRESS%3E; Path=/; Domain=example.com"),
        ("Set-Cookie", "sid=AKIAIOSFODNN7EXAMPLE; HttpOnly"),
    )
    assert {value for _, value in answer.recorded().headers} == {"‹removed›"}
