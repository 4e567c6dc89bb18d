import msgspec
import pytest

from gatekeeper.config import ConfigError, MaskingConfig
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker, find_spans
from gatekeeper.masking.own import scanner_of

GOOD = {"name": "EMPLOYEE_ID", "pattern": r"E\d{6}", "hits": ["E123455"], "misses": ["E12345", "XE123455", "E1234556"]}


def config(**keys: object) -> MaskingConfig:
    return msgspec.convert(keys, MaskingConfig)


def found(masking: MaskingConfig, text: str) -> list[tuple[str, str]]:
    return [(span.entity, text[span.start : span.end]) for span in find_spans(text, scanner_of(masking))]


def test_a_detector_of_ones_own_finds_and_goes_before_the_others() -> None:
    own = config(detectors=[GOOD, {"name": "TICKET", "pattern": r"\d{3}-\d{2}-\d{4}", "hits": ["536-90-4399"]}])

    assert found(own, "E123455 and 536-90-4399, a@b.example") == [
        ("EMPLOYEE_ID", "E123455"),
        ("TICKET", "536-90-4399"),
        ("EMAIL_ADDRESS", "a@b.example"),
    ]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("staff_number 123455", ["123455"]),
        ("staffNumber: 123455", ["123455"]),
        ("staff number 123456", []),
        ("123455", []),
    ],
)
def test_words_and_validators_count_as_in_the_catalogue(text: str, values: list[str]) -> None:
    own = config(
        detectors=[
            {"name": "STAFF", "pattern": r"\d{6}", "context": ["staff number"], "validator": "luhn",
             "hits": ["staff number 123455"], "misses": ["staff number 123456", "123455"]}
        ]
    )  # fmt: skip
    assert [value for _, value in found(own, text)] == values


@pytest.mark.parametrize(
    ("change", "key", "what"),
    [
        ({"name": "employee"}, "name", "expected capitals"),
        ({"pattern": r"E\d+"}, "pattern", "without a bound"),
        ({"pattern": r"E\d*"}, "pattern", "without a bound"),
        ({"pattern": r"E\d{6,}"}, "pattern", "without a bound"),
        ({"pattern": r"(a{1,9}){1,9}b"}, "pattern", "repeats a group that repeats"),
        ({"pattern": r"(a|a){20}b"}, "pattern", "ways"),
        ({"pattern": r"\w{1,40}\w{1,40}\w{1,40}!"}, "pattern", "64000 ways"),
        ({"pattern": r"(?<=a)E\d{6}"}, "pattern", "not RE2 syntax"),
        ({"pattern": "E("}, "pattern", "not RE2 syntax"),
        ({"pattern": "(E)?"}, "pattern", "matches where there is nothing"),
        ({"validator": "lun"}, "validator", "there are aba_routing,"),
        ({"context": [" "]}, "context[0]", "expected a word"),
        ({"hits": []}, "hits", "at least one"),
        ({"hits": ["E123455", "E12345"]}, "hits[1]", "it finds nothing in 'E12345'"),
        ({"misses": ["E123455"]}, "misses[0]", "it finds something in 'E123455'"),
    ],
)
def test_what_is_wrong_with_one_is_said_by_the_path_of_its_key(change: dict[str, object], key: str, what: str) -> None:
    with pytest.raises(ConfigError) as error:
        scanner_of(config(detectors=[GOOD, GOOD | change]))

    assert str(error.value).startswith(f"masking.detectors[1].{key}: ")
    assert what in str(error.value)


@pytest.mark.parametrize(
    ("text", "there"),
    [("#123456", True), ("é#123456!", True), ("#12345", False), ("ä Ä-12 b", True), ("Ä-12x", False)],
)
def test_patterns_of_other_letters_and_signs_work_too(text: str, there: bool) -> None:  # noqa: FBT001
    own = config(
        detectors=[
            {"name": "TAG", "pattern": r"#\d{6}", "hits": ["#123456"]},
            {"name": "UMLAUT", "pattern": r"Ä-\d{2}", "hits": ["Ä-12"]},
        ]
    )
    assert bool(found(own, text)) == there


def test_detectors_are_switched_on_and_off_by_name() -> None:
    switched = config(enable=["UUID"], disable=["EMAIL_ADDRESS"])

    assert found(switched, "550e8400-e29b-41d4-a716-446655440000 a@b.example") == [
        ("UUID", "550e8400-e29b-41d4-a716-446655440000")
    ]
    for key in ("enable", "disable"):
        with pytest.raises(ConfigError, match=rf"masking.{key}\[0\]: no detector is named 'NOTHING'"):
            scanner_of(config(**{key: ["NOTHING"]}))


@pytest.mark.parametrize(
    ("allow", "text", "values"),
    [
        ({"values": ["a@b.example"]}, "a@b.example, c@b.example", ["c@b.example"]),
        ({"domains": ["b.example"]}, "a@b.example, c@x.B.example, d@bb.example", ["d@bb.example"]),
        ({"domains": ["example"]}, "a@b.example", []),
        ({"values": ["４１１１ 1111 1111 1111"]}, "4111 1111 1111 1111", []),
    ],
)
def test_what_is_on_an_allow_list_is_let_be(allow: dict[str, object], text: str, values: list[str]) -> None:
    assert [value for _, value in found(config(allow=allow), text)] == values


@pytest.mark.parametrize(
    ("field", "let_be"),
    [
        ("usage.owner", ["usage"]),
        ("$.items[*].owner", ["items"]),
        ("items[0].owner", ["items"]),
        ("items[1].owner", []),
        ("**.owner", ["usage", "items"]),
        ("usage", ["usage"]),
        ("owner", []),
    ],
)
def test_fields_of_json_are_let_be_by_path(field: str, let_be: list[str]) -> None:
    masker = Masker(config(allow={"fields": [field]}), b"key")
    body = msgspec.json.encode({"usage": {"owner": "a@b.example"}, "items": [{"owner": "c@d.example"}]})
    answer = Message(status=200, headers=(("content-type", "application/json"),), body=body)

    masked = msgspec.json.decode(masker.inspect(answer).to_client().body)

    clear = {"usage": masked["usage"]["owner"] == "a@b.example", "items": masked["items"][0]["owner"] == "c@d.example"}
    assert [name for name, is_clear in clear.items() if is_clear] == let_be


@pytest.mark.parametrize("path", ["", "$", "a..b", "a[", "[x]"])
def test_a_path_that_says_nothing_is_an_error(path: str) -> None:
    with pytest.raises(ConfigError, match=r"masking.allow.fields\[0\]: .* expected a JSON path"):
        scanner_of(config(allow={"fields": [path]}))
