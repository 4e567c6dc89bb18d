import pytest

from gatekeeper.config import MaskingConfig
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker

MASKER = Masker(MaskingConfig(), b"a key for tests")


@pytest.mark.parametrize(
    ("body", "media", "result"),
    [
        ("<p>john&#64;example.com</p>", "text/html", "<p>&lt;EMAIL_ADDRESS&gt;</p>"),
        ("<p>john&commat;example.com</p>", "text/html; charset=utf-8", "<p>&lt;EMAIL_ADDRESS&gt;</p>"),
        ('<?xml version="1.0"?>\n<a b="john&#x40;example.com"/>', "application/xml", None),
        ("<a>4111&nbsp;1111&nbsp;1111&nbsp;1111 &amp; &lt;</a>", "", "<a>&lt;CREDIT_CARD&gt; &amp; &lt;</a>"),
        ("a < b &#64; c", "text/plain", "a < b &#64; c"),
    ],
)
def test_markup_is_looked_at_with_its_references_decoded_and_stays_markup(
    body: str, media: str, result: str | None
) -> None:
    answer = Message(status=200, headers=(("content-type", media),), body=body.encode())

    read = MASKER.inspect(answer).to_client().body.decode()

    assert read == (result or body.replace("john&#x40;example.com", "&lt;EMAIL_ADDRESS&gt;"))
