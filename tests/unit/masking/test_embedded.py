import base64
import gzip
import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import MaskingConfig, RequestMasking
from gatekeeper.exchange import Message
from gatekeeper.masking import Inspected, Masker, UnreadableBody
from gatekeeper.masking.embedded import MOST_RUNS

MASKER = Masker(MaskingConfig(request=RequestMasking(upstream="replace")), b"a key for tests")
TEXT = "write to john.smith@example.com, soon"
MASKED = "write to <EMAIL_ADDRESS>, soon"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def request(body: str | bytes, media: str = "application/json") -> Inspected:
    raw = body if isinstance(body, bytes) else body.encode()
    headers = (("content-type", media),)
    return MASKER.inspect(Message(method="POST", url="https://a/b", path="/b", headers=headers, body=raw))


def masked(body: str, media: str = "application/json") -> str:
    return request(body, media).upstream().body.decode()


@pytest.mark.parametrize(
    ("body", "media", "result"),
    [
        (json.dumps({"a": b64(TEXT)}), "application/json", json.dumps({"a": b64(MASKED)})),
        (json.dumps({"a": f"x\n{b64(TEXT)}\ny"}), "application/json", json.dumps({"a": f"x\n{b64(MASKED)}\ny"})),
        (f"see {b64(TEXT)}.", "text/plain", f"see {b64(MASKED)}."),
        (b64(TEXT), "", b64(MASKED)),
        (f"a={b64(TEXT).rstrip('=')}", "application/x-www-form-urlencoded", f"a={b64(MASKED).rstrip('=')}"),
        (json.dumps({"a": b64(b64(TEXT))}), "application/json", json.dumps({"a": b64(b64(MASKED))})),
        (json.dumps({"a": b64(json.dumps({"b": TEXT}))}), "", json.dumps({"a": b64(json.dumps({"b": MASKED}))})),
        (f'["data:text/plain;base64,{b64(TEXT)}"]', "", f'["data:text/plain;base64,{b64(MASKED)}"]'),
        (f'data: {{"a": "{b64(TEXT)}"}}\n\n', "text/event-stream", f'data: {{"a": "{b64(MASKED)}"}}\n\n'),
    ],
)  # fmt: skip
def test_what_stands_in_base64_is_masked_and_encoded_again(body: str, media: str, result: str) -> None:
    assert masked(body, media) == result


def test_the_alphabet_for_urls_and_missing_padding_stay() -> None:
    encoded = base64.urlsafe_b64encode(b"\xc3\xbf\xc3\xbe?>?" + TEXT.encode()).decode().rstrip("=")
    assert "_" in encoded

    result = json.loads(masked(json.dumps({"a": encoded})))["a"]

    assert "=" not in result
    assert base64.urlsafe_b64decode(result + "==") == b"\xc3\xbf\xc3\xbe?>?" + MASKED.encode()


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_base64_over_several_lines_is_one_value(line_end: str) -> None:
    lines = base64.encodebytes(f"{'x' * 50} {TEXT}".encode()).decode().rstrip().replace("\n", line_end)

    for body, read in ((lines, str), (json.dumps({"a": lines}), lambda text: json.loads(text)["a"])):
        assert base64.b64decode(read(masked(body, ""))) == f"{'x' * 50} {MASKED}".encode()


def test_slashes_that_are_escaped_in_json_are_read() -> None:
    encoded = b64("ÿ?ÿ?>" + TEXT)
    assert "/" in encoded

    result = json.loads(masked(json.dumps({"a": encoded}).replace("/", "\\/")))["a"]

    assert base64.b64decode(result) == ("ÿ?ÿ?>" + MASKED).encode()


def test_a_data_uri_that_is_percent_encoded_is_read() -> None:
    assert (
        masked('{"a": "data:text/plain,to%20john%40example.com"}')
        == '{"a": "data:text/plain,to%20%3CEMAIL_ADDRESS%3E"}'
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (f"data:image/png;base64,{b64(PNG)}", "image"),
        (b64(PNG), "image"),
        (b64(gzip.compress(b"john@example.com" * 9, mtime=0) + bytes(64)), "archive"),
        (f"data:application/x-unknown;base64,{b64(bytes(range(256)))}", "application"),
    ],
)
def test_what_is_no_text_is_named_and_its_record_is_a_stand_in(value: str, kind: str) -> None:
    inspected = request(json.dumps({"image": value, "to": "john@example.com"}))

    assert inspected.uninspected == f"a part of the body is not text: 1 encoded in it are {kind}"
    assert json.loads(inspected.upstream().body) == {"image": value, "to": "<EMAIL_ADDRESS>"}
    assert f"‹uninspected: {kind}, " in json.loads(inspected.recorded().body)["image"]
    assert value[-40:] not in inspected.recorded().body.decode()


@pytest.mark.parametrize(
    "value",
    [
        b64(bytes(range(128, 256))),  # an embedding, a signature
        "chatcmpl-AbCdEfGhIjKlMnOp",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "thequickbrownfoxjumpsoverthelazydog",
        "api/v1/customers/12345/orders",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_what_decodes_to_nothing_that_is_known_stays(value: str) -> None:
    inspected = request(json.dumps({"a": value}))

    assert inspected.uninspected is None
    assert inspected.upstream() is inspected.message


def test_what_is_deeper_than_two_levels_is_not_decoded() -> None:
    body = json.dumps({"a": b64(b64(b64(TEXT)))})

    assert masked(body) == body


def test_the_number_of_values_that_are_decoded_is_bounded() -> None:
    with pytest.raises(UnreadableBody, match="encoded"):
        request(json.dumps([b64(f"this is number {number}") for number in range(MOST_RUNS + 1)]))


TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=60)


@given(TEXTS, st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]), st.booleans())
def test_no_value_leaves_in_base64(around: str, encode: Callable[[bytes], bytes], padded: bool) -> None:  # noqa: FBT001
    encoded = encode(f"{around} john.smith@example.com {around}".encode()).decode()
    encoded = encoded if padded else encoded.rstrip("=")

    result = json.loads(masked(json.dumps({"a": f"it is {encoded} "})))["a"].split()[2]

    assert b"john.smith@example.com" not in base64.urlsafe_b64decode(result.replace("+", "-").replace("/", "_") + "==")


BINARY = b"".join(hashlib.sha256(bytes((number,))).digest() for number in range(40))


def test_long_binary_that_has_no_known_form_is_counted_and_not_recorded() -> None:
    inspected = request(json.dumps({"a": b64(BINARY)}))

    assert inspected.uninspected == "a part of the body is not text: 1 encoded in it are binary"
    assert b64(BINARY)[:40] not in inspected.recorded().body.decode()


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"a": b64(BINARY[:1000])}),
        json.dumps({"data": [{"embedding": b64(BINARY)}]}),
        json.dumps({"type": "thinking", "signature": b64(BINARY)}),
        json.dumps({"type": "redacted_thinking", "data": b64(BINARY)}),
        json.dumps({"args": json.dumps({"thoughtSignature": b64(BINARY)})}),
        json.dumps(
            {"a": f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(BINARY).decode()}-----END CERTIFICATE-----"}
        ),
        json.dumps({"a": BINARY.hex()}),
    ],
)
def test_what_providers_and_certificates_hold_in_base64_is_not(body: str) -> None:
    assert request(body).uninspected is None
