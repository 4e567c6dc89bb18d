import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.config import MaskingConfig, OperatorConfig, OperatorName, RequestMasking
from gatekeeper.exchange import Finding, Message
from gatekeeper.masking import Inspected, Masker, UnreadableBody, find_spans, mask_text
from gatekeeper.masking.document import rewrite

CARD = "4111111111111111"
MASKER = Masker(MaskingConfig(), b"a key for tests")
TO_UPSTREAM = Masker(MaskingConfig(request=RequestMasking(upstream={"default": "replace"})), b"a key for tests")


def request(body: bytes | str, media: str = "application/json", **fields: str) -> Inspected:
    headers = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    raw = body.encode() if isinstance(body, str) else body
    return TO_UPSTREAM.inspect(Message(method="POST", headers=(("Content-Type", media), *headers), body=raw))


def masked(body: bytes | str, media: str = "application/json") -> bytes:
    return request(body, media).upstream().body


JSON_CASES = (
    ('{"a": "john@example.com"}', '{"a": "<EMAIL_ADDRESS>"}'),
    ('{ "a":1.0,\t"b" : 1e5, "c":"john@example.com" }\n', '{ "a":1.0,\t"b" : 1e5, "c":"<EMAIL_ADDRESS>" }\n'),
    ('{"john@example.com": 1}', '{"<EMAIL_ADDRESS>": 1}'),
    ('{"john\\u0040example.com\\n": "\\u00e9 caf\\u00e9"}', '{"<EMAIL_ADDRESS>\\n": "\\u00e9 caf\\u00e9"}'),
    ('["\\/ a@b.co \\""]', '["\\/ <EMAIL_ADDRESS> \\""]'),
    (f'{{"n": {CARD}}}', '{"n": "<CREDIT_CARD>"}'),
    (f"[{CARD},{CARD}]", '["<CREDIT_CARD>","<CREDIT_CARD>"]'),
    (f'{{"n": {CARD}.0}}', '{"n": "<CREDIT_CARD>"}'),
    (f'{{"n": -{CARD}}}', '{"n": "<CREDIT_CARD>"}'),
    ('"john@example.com"', '"<EMAIL_ADDRESS>"'),
    ('{"ssn": 536904399, "id": 536904399}', '{"ssn": "<US_SSN>", "id": 536904399}'),
    ('{"ssn": "536904399", "id": "536904399"}', '{"ssn": "<US_SSN>", "id": "536904399"}'),
    ('{"customer": {"phoneNumber": "4155550132"}}', '{"customer": {"phoneNumber": "<PHONE_NUMBER>"}}'),
    ('{"phone": {"value": "4155550132"}}', '{"phone": {"value": "<PHONE_NUMBER>"}}'),
    ('{"nhs": ["9434765919", {"x": 1}, "9434765919"]}', '{"nhs": ["<UK_NHS>", {"x": 1}, "<UK_NHS>"]}'),
    ('{"phone": "x", "id": "4155550132"}', '{"phone": "x", "id": "4155550132"}'),
    ('\ufeff["john@example.com"]', '\ufeff["<EMAIL_ADDRESS>"]'),
    ('{"a":[[{"b":{"c":["john@example.com"]}}]]}', '{"a":[[{"b":{"c":["<EMAIL_ADDRESS>"]}}]]}'),
    ('{"created": 1718000000123, "x": "a@b.co"}', '{"created": 1718000000123, "x": "<EMAIL_ADDRESS>"}'),
)


@pytest.mark.parametrize(("body", "result"), JSON_CASES)
def test_json_is_masked_where_a_value_is_and_stays_as_it_was_elsewhere(body: str, result: str) -> None:
    assert masked(body).decode() == result
    assert masked(body, "text/plain").decode() == result
    assert masked(body, "").decode() == result


def test_a_number_alone_is_json_only_where_the_content_type_says_so() -> None:
    assert masked(CARD) == b'"<CREDIT_CARD>"'
    assert masked(CARD, "text/plain") == b"<CREDIT_CARD>"


@pytest.mark.parametrize("depth", range(6))
def test_json_in_json_strings_stays_json(depth: int) -> None:
    body = json.dumps({"card": int(CARD), "list": [int(CARD)], "to": "john\u0040x.com", "é": "ü"})
    for _ in range(depth):
        body = json.dumps({"arguments": body, "keep": "é"})

    result = masked(body).decode()

    for _ in range(depth):
        result = json.loads(result)["arguments"]
    inner = json.loads(result)
    assert CARD not in result
    assert "john" not in result
    assert inner["é"] == "ü"
    if depth <= 4:
        assert inner == {"card": "<CREDIT_CARD>", "list": ["<CREDIT_CARD>"], "to": "<EMAIL_ADDRESS>", "é": "ü"}


def test_escapes_inside_inner_json_hide_nothing() -> None:
    inner = '{"to": "john\\u0040example.com", "n": "\\u0034111 1111 1111 1111"}'
    for _ in range(3):
        inner = json.dumps({"a": inner})

    result = masked(inner).decode()

    assert result.count("<EMAIL_ADDRESS>") == 1
    assert result.count("<CREDIT_CARD>") == 1


@pytest.mark.parametrize(
    ("inner", "result"),
    [
        (f'{{"n": -{CARD}}}', '{"n": -0}'),
        (f'{{"n": {CARD}.05}}', '{"n": 0.05}'),
        (f'[{CARD}, "a: {CARD}, b"]', '["<CREDIT_CARD>", "a: <CREDIT_CARD>, b"]'),
        (f"[note] {CARD}", "[note] <CREDIT_CARD>"),
        (f"{{{CARD}}}", "{<CREDIT_CARD>}"),
    ],
)
def test_numbers_in_inner_json_become_what_is_valid_there(inner: str, result: str) -> None:
    assert json.loads(masked(json.dumps([inner])))[0] == result


@pytest.mark.parametrize(
    "body",
    [
        '{"a": 1',
        '{"a": 1, "a": 2}',
        '{"x": {"a": 1, "\\u0061": 2}}',
        "[NaN]",
        "{'a': 1}",
        " ",
        "[1] 2",
        "nul",
        '["\n"]',
        "[" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
    ],
)
def test_json_that_could_be_read_in_two_ways_is_refused(body: str) -> None:
    with pytest.raises(UnreadableBody, match="JSON") as error:
        request(body)
    assert "\n" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None or "doc" not in vars(error.value.__context__)


def test_json_deeper_than_paths_may_be_is_refused_once_something_is_in_it() -> None:
    with pytest.raises(UnreadableBody, match="nested too deep"):
        request("[" * 600 + '"john@example.com"' + "]" * 600)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.booleans(), st.sampled_from((None, 1, "\t")))
@settings(max_examples=300, deadline=None)
def test_json_without_findings_stays_byte_for_byte(value: object, ascii_only: bool, indent: str | int | None) -> None:  # noqa: FBT001
    body = json.dumps([value, "x"], ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    inspected = request(body) if _is_utf8(body) else request(b"[]")

    if not inspected.findings:
        assert inspected.upstream() is inspected.message


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(
    json_values,
    st.sampled_from(("john@example.com", "4111 1111 1111 1111", "GB82 WEST 1234 5698 7654 32")),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_only_the_value_changes_in_any_json(value: object, secret: str, ascii_only: bool) -> None:  # noqa: FBT001
    document = {"before": value, "here": f"({secret})", "after": value}
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if not _is_utf8(body) or request(json.dumps(value)).findings:
        return

    result = json.loads(masked(body))

    assert secret not in str(result)
    assert (result["before"], result["after"]) == (value, value)


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("a=1&to=john%40example.com&b=x+y", "a=1&to=%3CEMAIL_ADDRESS%3E&b=x+y"),
        ("ssn=536904399&id=536904399", "ssn=%3CUS_SSN%3E&id=536904399"),
        ("card=4111+1111+1111+1111;x=%20", "card=%3CCREDIT_CARD%3E;x=%20"),
        ("john%40example.com", "%3CEMAIL_ADDRESS%3E"),
        ("q=%EF%BC%94111111111111111", "q=%3CCREDIT_CARD%3E"),
        (f'{{"n": {CARD}}}', '{"n": "<CREDIT_CARD>"}'),
        ("payload=%7B%22n%22%3A4111111111111111%7D", "payload=%7B%22n%22%3A%22%3CCREDIT_CARD%3E%22%7D"),
        ("a=b&&=&c", "a=b&&=&c"),
    ],
)
def test_forms_are_masked_value_by_value(body: str, result: str) -> None:
    assert masked(body, "application/x-www-form-urlencoded").decode() == result


def multipart(*parts: tuple[str, bytes]) -> bytes:
    return (
        b"".join(b"--b\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts) + b"--b--\r\n"
    )


MULTIPART = "multipart/form-data; boundary=b"


def test_multipart_text_parts_are_masked_each_as_what_it_is() -> None:
    body = multipart(
        ('Content-Disposition: form-data; name="to"; filename="of john@example.com"', b"john@example.com"),
        ("Content-Type: application/json", f'{{"n": {CARD}}}'.encode()),
    )

    result = masked(body, MULTIPART)

    assert result == multipart(
        ('Content-Disposition: form-data; name="to"; filename="of <EMAIL_ADDRESS>"', b"<EMAIL_ADDRESS>"),
        ("Content-Type: application/json", b'{"n": "<CREDIT_CARD>"}'),
    )


@pytest.mark.parametrize(
    "head",
    ["Content-Type: image/png", "Content-Transfer-Encoding: x-uuencode", "A: b"],
)
def test_a_part_that_is_no_text_is_named_uninspected(head: str) -> None:
    inspected = request(multipart(("A: b", b"john@example.com"), (head, b"\x89PNG\xff\x00")), MULTIPART)

    assert inspected.uninspected == "a part of the body is not text"
    assert b"john" not in inspected.upstream().body


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (multipart(("A: b", b"x"))[:-4], MULTIPART),
        (b"preamble\r\n" + multipart(("A: b", b"x")), MULTIPART),
        (multipart(("A: b", b"x")) + b"epilogue", MULTIPART),
        (multipart(("A: b", b"x")), "multipart/form-data"),
        (multipart(("A: b", b"x")), "multipart/form-data; boundary=b; boundary=c"),
        (multipart(("A: b", b"x")), "multipart/form-data; boundary=é"),
        (multipart(("no field", b"x")), MULTIPART),
        (multipart(("A: b\r\na: c", b"x")), MULTIPART),
        (b"--b\nA: b\n\nx\n--b--\n", MULTIPART),
        (b"--b\r\nA: b\r\n--b--", MULTIPART),
        (b"--bx\r\n\r\n--b--", MULTIPART),
        (b"--b\r\nA: b\r\n\r\nx", MULTIPART),
    ],
)
def test_multipart_that_is_not_well_formed_is_refused(body: bytes, media: str) -> None:
    with pytest.raises(UnreadableBody, match="multipart"):
        request(body, media)


def test_a_part_without_a_head_is_text() -> None:
    assert masked(b"--b\r\n\r\njohn@example.com\r\n--b--", MULTIPART) == b"--b\r\n\r\n<EMAIL_ADDRESS>\r\n--b--"


@pytest.mark.parametrize(
    ("body", "media", "result"),
    [
        ("to john@example.com", "text/plain", b"to <EMAIL_ADDRESS>"),
        ("to john@example.com", "", b"to <EMAIL_ADDRESS>"),
        ("to john@example.com", "image/png", b"to <EMAIL_ADDRESS>"),
        ('{"a": "john\\u0040example.com"}', "image/png", b'{"a": "<EMAIL_ADDRESS>"}'),
        ('{"a": "john\\u0040example.com"', "text/plain", b'{"a": "<EMAIL_ADDRESS>"'),
        ('{"a": 1}\n{"a": "john\\u0040example.com"}\n', "", b'{"a": 1}\n{"a": "<EMAIL_ADDRESS>"}\n'),
        ('{"n": 1}\r\n\r\n{"n": 4111111111111111}', "application/x-ndjson", b'{"n": 1}\r\n\r\n{"n": "<CREDIT_CARD>"}'),
        ("data: john@ex\ndata: ample.com\n\n", "", b"data: <EMAIL_ADDRESS>\ndata: \n\n"),
        ("id: not an event\n{ john@example.com", "text/plain", b"id: not an event\n{ <EMAIL_ADDRESS>"),
        ("data: {\n\njohn@example.com", "text/plain", b"data: {\n\n<EMAIL_ADDRESS>"),
        (
            "é john@example.com".encode("latin-1"),
            "text/plain; charset=ISO-8859-1",
            "é <EMAIL_ADDRESS>".encode("latin-1"),
        ),
        ("é ４111 1111 1111 1111", 'text/plain; charset="latin-1"', "é <CREDIT_CARD>".encode()),
        (
            "“ john@example.com".encode("cp1252"),
            "text/plain; charset=windows-1252",
            "“ <EMAIL_ADDRESS>".encode("cp1252"),
        ),
        ("\ufeffjohn@example.com".encode("utf-16-le"), "text/plain", "\ufeff<EMAIL_ADDRESS>".encode("utf-16-le")),
        ('\ufeff["a@b.co"]'.encode("utf-32-be"), "application/json", '\ufeff["<EMAIL_ADDRESS>"]'.encode("utf-32-be")),
    ],
)
def test_a_body_is_read_as_what_it_is(body: str | bytes, media: str, result: bytes) -> None:
    assert masked(body, media) == result


@pytest.mark.parametrize("media", ["image/png", "", "text/plain", "application/octet-stream"])
def test_what_is_no_text_is_named_uninspected_and_left_alone(media: str) -> None:
    inspected = request(b"\x89PNG\r\n\x1a\n\x00\xff john@example.com", media)

    assert inspected.uninspected == "the body is not text"
    assert inspected.findings == ()
    assert inspected.upstream() is inspected.message
    assert request(b"a\0b", media).uninspected == "the body is not text"


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b'{"a": "\xff"}', "application/json"),
        (b'{"a": "\x00"}', "application/json"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"data: \xff\n\n", "text/event-stream"),
        (b'data: {"a": 1\n\n', "text/event-stream"),
        (b'data: {"a": 1, "a": 2}\n\n', "text/event-stream"),
        (b'{"a": 1}\n{"a"', "application/x-ndjson"),
        (b"\xff", "text/plain; charset=utf-8"),
        (b"abc", "text/plain; charset=utf-7"),
        (b"a\0b\0", "text/plain; charset=utf-16"),
        ("é".encode("utf-16"), "text/plain; charset=ebcdic"),
    ],
)
def test_a_body_that_does_not_decode_is_refused_in_our_own_words(body: bytes, media: str) -> None:
    with pytest.raises(UnreadableBody) as error:
        request(body, media)
    assert "\n" not in str(error.value)
    assert error.value.__cause__ is None


def test_of_two_content_types_none_is_believed() -> None:
    message = Message(headers=(("content-type", "image/png"), ("Content-Type", "text/plain")), body=b'["a\\u0040b.co"]')

    assert TO_UPSTREAM.inspect(message).upstream().body == b'["<EMAIL_ADDRESS>"]'


def test_findings_name_entity_and_place_once_for_each_value() -> None:
    message = Message(
        url="https://api.example.com/users/john%40example.com?card=4111111111111111",
        path="/users/john@example.com",
        headers=(("X-To", "a@b.co, c@d.co"), ("content-type", "application/json")),
        body=b'{"ssn": "536-90-4399"}',
    )

    findings = MASKER.inspect(message).findings

    assert Counter(findings) == {
        Finding("EMAIL_ADDRESS", "url"): 1,
        Finding("CREDIT_CARD", "url"): 1,
        Finding("EMAIL_ADDRESS", "header x-to"): 2,
        Finding("US_SSN", "body"): 1,
    }


def test_upstream_gets_the_same_object_where_the_operator_is_keep_and_the_record_is_masked() -> None:
    message = Message(method="POST", headers=(("X-To", "john@example.com"),), body=b"john@example.com")
    inspected = MASKER.inspect(message)

    assert inspected.upstream() is message
    assert inspected.recorded().body == b"<EMAIL_ADDRESS>"
    assert inspected.recorded().header("x-to") == "<EMAIL_ADDRESS>"


@pytest.mark.parametrize(
    ("table", "sent", "recorded"),
    [
        ({"default": "keep"}, b"john@example.com 536-90-4399", b"<EMAIL_ADDRESS> <US_SSN>"),
        ({"US_SSN": "keep"}, b"<EMAIL_ADDRESS> 536-90-4399", b"<EMAIL_ADDRESS> <US_SSN>"),
        ({"default": "redact"}, b" ", b" "),
        (
            {"US_SSN": OperatorConfig(operator=OperatorName.MASK, keep_last=4)},
            b"<EMAIL_ADDRESS> *******4399",
            b"<EMAIL_ADDRESS> *******4399",
        ),
    ],
)
def test_answers_go_to_the_client_and_into_the_record_by_their_operators(
    table: dict[str, str | OperatorConfig], sent: bytes, recorded: bytes
) -> None:
    masker = Masker(MaskingConfig(response=table), b"a key for tests")
    inspected = masker.inspect(Message(status=200, body=b"john@example.com 536-90-4399"))

    assert inspected.to_client().body == sent
    assert inspected.recorded().body == recorded
    assert (inspected.to_client() is inspected.message) == (sent == inspected.message.body)


def test_a_mask_character_that_json_escapes_is_escaped() -> None:
    quotes = OperatorConfig(operator=OperatorName.MASK, character='"')
    masker = Masker(MaskingConfig(response={"default": quotes}), b"k")
    inner = json.dumps({"a": "a@b.co", "n": int(CARD)})
    body = json.dumps({"a": "a@b.co", "n": int(CARD), "inner": inner}).encode()

    result = json.loads(masker.inspect(Message(status=200, body=body)).to_client().body)

    assert result["a"] == '"' * 6
    assert result["n"] == '"' * 16
    assert json.loads(result["inner"]) == {"a": '"' * 6, "n": '"' * 16}


def test_texts_are_the_decoded_strings_of_the_body() -> None:
    assert request('{"k": "a\\u0040b", "l": ["c", 1, {"m": "d"}]}').texts == ("a@b", "c", "d")
    assert request("plain", "text/plain").texts == ("plain",)
    assert request("a=b+c&d", "application/x-www-form-urlencoded").texts == ("b c",)
    assert request('data: {"t": "ig"}\n\ndata: {"t": "nore"}\n\n', "text/event-stream").texts == ("ignore",)
    assert request(multipart(("A: b", b"x"), ("C: d", b"y")), MULTIPART).texts == ("x", "y")
    assert request(b"").texts == ()
    assert request(b"\xff", "image/png").texts == ()


def test_token_lists_are_emptied_where_their_text_is_masked() -> None:
    tokens = {"content": [{"token": "a@", "top_logprobs": [{"token": "b"}]}, {"token": "b.co"}]}
    choice = {"message": {"content": "a@b.co"}, "logprobs": tokens, "top_logprobs": [{"token": "x"}]}
    body = json.dumps({"choices": [choice], "x": '"logprobs": {'}).encode()
    clean = body.replace(b'"content": "a@b.co"', b'"content": "nothing"')

    result = json.loads(masked(body))

    assert result["choices"][0]["logprobs"] is None
    assert result["choices"][0]["top_logprobs"] == []
    assert result["x"] == '"logprobs": {'
    assert masked(clean) == clean


def test_no_text_of_the_message_is_in_a_representation() -> None:
    assert repr(request('["john@example.com"]')) == "Inspected(1 findings)"


def test_plain_text_is_masked_as_it_may_be_recorded() -> None:
    keeping = Masker(MaskingConfig(response={"default": "keep"}), b"k")

    assert mask_text(MASKER, "to john@example.com, 1\n") == "to <EMAIL_ADDRESS>, 1\n"
    assert mask_text(keeping, "to john@example.com") == "to <EMAIL_ADDRESS>"
    assert mask_text(MASKER, "") == ""


SHARED = "sk-proj-Zx81kfPq0sNf81mWqPz0aa¼john.smith@example.com"


@pytest.mark.parametrize("media", ["text/plain", "application/json"])
def test_two_values_may_share_a_character_that_is_looked_at_as_several(media: str) -> None:
    body = json.dumps({"a": SHARED}, ensure_ascii=False) if media == "application/json" else SHARED
    wanted = "<API_KEY><EMAIL_ADDRESS>"

    assert masked(body, media).decode() == (json.dumps({"a": wanted}) if media == "application/json" else wanted)
    assert mask_text(MASKER, SHARED) == wanted


def test_spans_share_no_character() -> None:
    first, second = find_spans(SHARED)

    assert first.end == second.start


def test_of_a_replacement_that_overlaps_another_the_rest_is_put_in() -> None:
    assert rewrite("abcdefgh", [(0, 4, "X"), (1, 3, "-"), (2, 6, "Y")]) == "XYgh"
