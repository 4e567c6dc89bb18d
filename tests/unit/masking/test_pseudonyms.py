import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn
from streams import FORMATS, Format, chat_calls, chat_calls_joined, cut, events_of

from gatekeeper.config import MaskingConfig, PseudonymConfig, PseudonymScope, RequestMasking
from gatekeeper.exchange import Message
from gatekeeper.masking import Book, Masker, Pseudonyms, stream_masker

KEY = b"a key for tests"
CONFIG = MaskingConfig(request=RequestMasking(upstream="pseudonymize"))
MASKER = Masker(CONFIG, KEY)
ADA = ("https://gatekeeper.local", "ada")
JSON = (("content-type", "application/json"),)
VALUES = {
    "EMAIL_ADDRESS": "john.smith@corp.example.net",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN_CODE": "DE89 3704 0044 0532 0130 00",
    "US_SSN": "536-90-4399",
    "PHONE_NUMBER": "+1 415 867 5309",
    "UK_NHS": "943 476 5919",
    "API_KEY": "AKIAIOSFODNN7EXAMPLE",
}


def book(masker: Masker = MASKER, owner: tuple[str, str] = ADA, session: str = "s") -> Book:
    opened = masker.book(owner, session)
    assert opened is not None
    return opened


def sent(text: str, with_book: Book, masker: Masker = MASKER) -> str:
    """What the provider gets of a prompt."""
    message = Message(method="POST", url="https://a/b", path="/b", headers=JSON, body=json.dumps({"t": text}).encode())
    read: str = json.loads(masker.inspect(message).upstream(with_book).body)["t"]
    return read


def answered(text: str, with_book: Book | None, masker: Masker = MASKER) -> str:
    message = Message(status=200, headers=JSON, body=json.dumps({"t": text}).encode())
    read: str = json.loads(masker.inspect(message).to_client(with_book).body)["t"]
    return read


def recorded(text: str, with_book: Book) -> str:
    message = Message(status=200, headers=JSON, body=json.dumps({"t": text}).encode())
    read: str = json.loads(MASKER.inspect(message).recorded(with_book).body)["t"]
    return read


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_the_provider_never_sees_the_value_and_the_application_reads_it(value: str) -> None:
    opened = book()
    prompt = sent(f"it is {value}, yes", opened)

    assert value not in prompt
    assert answered(f"You said {prompt}", opened) == f"You said it is {value}, yes"
    assert value not in recorded(prompt, opened)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("change", [str.upper, str.lower], ids=["upper", "lower"])
def test_a_token_in_another_case_is_put_back(value: str, change: object) -> None:
    opened = book()
    token = sent(f"it is {value}, yes", opened).removeprefix("it is ").removesuffix(", yes")
    assert callable(change)

    assert answered(f"it is {change(token)}, yes", opened) == f"it is {value}, yes"


def test_a_card_keeps_its_form_and_is_nobody_s() -> None:
    token = sent("4111-1111-1111-1111", book())

    assert luhn.is_valid(token.replace("-", ""))
    assert token.startswith("9999-")
    assert len(token) == 19


def test_the_others_keep_theirs() -> None:
    opened = book()

    assert sent(VALUES["EMAIL_ADDRESS"], opened).endswith("@example.com")
    assert iban.is_valid(sent(VALUES["IBAN_CODE"], opened), check_country=False)
    assert sent(VALUES["US_SSN"], opened).startswith("000-")
    assert " 555 01" in sent(VALUES["PHONE_NUMBER"], opened)
    assert sent(VALUES["API_KEY"], opened).startswith("API_KEY_")


def test_a_card_that_the_model_spaces_in_another_way_is_put_back() -> None:
    opened = book()
    token = sent("4111111111111111", opened)

    assert answered(f"{token[:4]}-{token[4:8]}-{token[8:12]}-{token[12:]}", opened) == "4111111111111111"


def test_the_same_value_has_the_same_token_within_a_session_and_another_one_elsewhere() -> None:
    value = VALUES["EMAIL_ADDRESS"]

    assert sent(value, book()) == sent(value, book())
    assert sent(value, book(session="another")) != sent(value, book())
    assert sent(value, book(owner=(ADA[0], "bob"))) != sent(value, book())
    assert sent(value, book(Masker(CONFIG, b"another key"))) != sent(value, book())


def test_within_a_tenant_all_subjects_share_tokens_and_none_reads_another_s() -> None:
    config = MaskingConfig(
        request=RequestMasking(upstream="pseudonymize"), pseudonyms=PseudonymConfig(scope=PseudonymScope.TENANT)
    )
    masker = Masker(config, KEY)
    value = VALUES["EMAIL_ADDRESS"]
    token = sent(value, book(masker), masker)

    other = book(masker, (ADA[0], "bob"), "another")
    assert answered(token, other, masker) == "<EMAIL_ADDRESS>"
    assert sent(value, other, masker) == token
    assert sent(value, book(masker, ("https://else", "ada")), masker) != token


def test_a_later_exchange_of_the_same_subject_knows_the_tokens_of_an_earlier_one() -> None:
    token = sent(VALUES["EMAIL_ADDRESS"], book())

    assert answered(token, book(session="later")) == VALUES["EMAIL_ADDRESS"]
    assert answered(token, book(owner=(ADA[0], "eve"))) == "<EMAIL_ADDRESS>"


def test_a_reload_forgets_nothing() -> None:
    token = sent(VALUES["EMAIL_ADDRESS"], book())
    renewed = Masker(CONFIG, KEY, MASKER)

    assert answered(token, book(renewed, session="later"), renewed) == VALUES["EMAIL_ADDRESS"]


def test_a_token_that_comes_from_the_application_stays_what_it_is() -> None:
    opened = book()
    token = sent(VALUES["EMAIL_ADDRESS"], opened)

    assert sent(token, opened) == token


def test_what_is_remembered_is_bounded_and_an_exchange_keeps_its_own() -> None:
    shared = Pseudonyms(PseudonymConfig(limit=3), KEY)
    opened = shared.book(ADA, "s")
    tokens = [opened.token("EMAIL_ADDRESS", f"a{number}@b.co") for number in range(10)]

    assert [opened.value(token) for token in tokens] == [f"a{number}@b.co" for number in range(10)]
    assert [shared.book(ADA, "s").value(token) is not None for token in tokens] == [False] * 7 + [True] * 3


def test_a_range_that_is_used_up_gives_tokens_without_a_form() -> None:
    opened = book(Masker(CONFIG, b"used up"))
    numbers = [f"+1 415 {200 + number // 10000:03} {number % 10000:04}" for number in range(0, 300_000, 20)]
    tokens = [opened.token("PHONE_NUMBER", number) for number in numbers]

    assert len(set(tokens)) == len(numbers)
    assert [opened.value(token) for token in tokens] == numbers


def test_values_in_json_within_json_are_put_back_as_json() -> None:
    opened = book()
    arguments = json.dumps({"to": VALUES["EMAIL_ADDRESS"], "inner": json.dumps({"card": VALUES["CREDIT_CARD"]})})

    prompt = sent(arguments, opened)

    assert json.loads(answered(prompt, opened)) == json.loads(arguments)


def test_without_a_book_nothing_is_put_back_and_nothing_is_clear() -> None:
    token = sent(VALUES["EMAIL_ADDRESS"], book())

    assert answered(token, None) == "<EMAIL_ADDRESS>"


def test_neither_book_nor_key_show_what_they_hold() -> None:
    opened = book()
    sent(VALUES["EMAIL_ADDRESS"], opened)

    assert repr(opened) == "Book(‹secret›)"
    assert repr(Pseudonyms(PseudonymConfig(), KEY)) == "Pseudonyms(‹secret›)"


@pytest.mark.parametrize("form", FORMATS, ids=str)
@given(
    parts=st.lists(st.sampled_from(tuple(VALUES.values())), min_size=1, max_size=4),
    places=st.lists(st.integers(0, 300), max_size=12),
    upper=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_a_token_that_is_split_in_a_stream_is_put_back(
    form: Format,
    parts: list[str],
    places: list[int],
    upper: bool,  # noqa: FBT001
) -> None:
    opened = book()
    text = "".join(f"; {value}, " for value in parts)
    prompt = sent(text, opened)
    body = form.make(cut(prompt.upper() if upper else prompt, places))
    masker = stream_masker(MASKER, form.media, opened, asked=form.asked)
    assert masker is not None

    read = b"".join([*masker.feed(body), *masker.finish()])
    record = masker.take_recorded()

    assert form.joined(read) == text
    assert [value for value in parts if value in form.joined(record)] == []


def test_a_token_in_tool_arguments_is_put_back_as_json() -> None:
    opened = book()
    arguments = json.dumps({"to": 'a "quoted" john.smith@corp.example.net', "n": 4111111111111111})
    prompt = sent(arguments, opened)
    body = chat_calls(cut(prompt, range(0, 200, 3)))
    masker = stream_masker(MASKER, "text/event-stream", opened)
    assert masker is not None

    read = b"".join([*masker.feed(body), *masker.finish()])

    assert json.loads(chat_calls_joined(read)) == {
        "to": 'a "quoted" john.smith@corp.example.net',
        "n": "4111111111111111",
    }
    assert events_of(read)[-1] == ("", "[DONE]")
