import json

import pytest

from gatekeeper.config import MaskingConfig, RequestMasking
from gatekeeper.masking import BodyTooLarge, Fragments, Masker, UnreadableBody, mask_message

MASKER = Masker(MaskingConfig(request=RequestMasking(upstream="pseudonymize")), b"a key for tests")
SAID = json.dumps({"type": "message", "text": "to john.smith@example.com", "n": 4111111111111111}).encode()
MASKED = {"type": "message", "text": "to <EMAIL_ADDRESS>", "n": "<CREDIT_CARD>"}


def test_a_message_to_the_client_is_masked_as_what_it_looks_like() -> None:
    message = mask_message(MASKER, SAID, upward=False, text=True, limit=1000)

    assert json.loads(message.sent) == json.loads(message.recorded) == MASKED
    assert sorted(finding.entity for finding in message.findings) == ["CREDIT_CARD", "EMAIL_ADDRESS"]
    assert message.uninspected is None


def test_values_go_up_as_pseudonyms_and_come_back_down() -> None:
    book = MASKER.book(("https://i", "ada"), "s")

    up = mask_message(MASKER, SAID, upward=True, text=True, limit=1000, book=book)
    down = mask_message(MASKER, up.sent, upward=False, text=True, limit=1000, book=book)

    assert b"john" not in up.sent + up.recorded
    assert json.loads(down.sent) == json.loads(SAID) | {"n": "4111111111111111"}
    assert b"john" not in down.recorded


def test_what_is_binary_is_named_and_its_record_is_a_stand_in() -> None:
    message = mask_message(MASKER, b"\x00\xff\x01", upward=True, text=False, limit=1000)

    assert message.sent == b"\x00\xff\x01"
    assert message.recorded == "‹uninspected: binary, 3 bytes›".encode()
    assert message.uninspected == "the body is not text"


def test_text_that_is_none_and_what_is_too_large_are_refused() -> None:
    with pytest.raises(UnreadableBody):
        mask_message(MASKER, b"\xff", upward=True, text=True, limit=1000)
    with pytest.raises(BodyTooLarge):
        mask_message(MASKER, b"12345", upward=True, text=True, limit=4)


def test_fragments_are_joined_within_a_limit() -> None:
    fragments = Fragments(24)

    assert fragments.add(b"to john.sm", final=False) is None
    assert fragments.add(b"ith@example.co", final=True) == b"to john.smith@example.co"
    assert fragments.add(b"next", final=True) == b"next"
    fragments.add(b"x" * 24, final=False)
    with pytest.raises(BodyTooLarge):
        fragments.add(b"y", final=False)
