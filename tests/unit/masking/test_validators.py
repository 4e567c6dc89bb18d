import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn as reference

from gatekeeper.masking import phone
from gatekeeper.masking.validators import card, email, iban_code, luhn, nhs_number, random_looking


@given(st.text(alphabet="0123456789", min_size=1, max_size=25))
def test_luhn_is_what_the_library_says(digits: str) -> None:
    assert luhn(digits) == reference.is_valid(digits)


@pytest.mark.parametrize(
    ("match", "size"),
    [
        ("4111111111111111", 16),
        ("4111 1111 1111 1111 123", 19),
        ("4111-1111-1111-1111", 19),
        ("4111 1111 1111 1111 12 34", 19),
        ("4111 1111 1111 1112", 0),
        ("41 11 11 11 11 11 11 11", 0),
        ("9999999999999995", 0),
        ("41111111111111", 0),
        ("3782 822463 10005", 17),
        ("2720 9900 0000 0007", 19),
    ],
)
def test_the_longest_card_number_at_the_start_counts(match: str, size: int) -> None:
    assert card(match) == size


@pytest.mark.parametrize(
    ("match", "size"),
    [
        ("GB82WEST12345698765432", 22),
        ("GB82 WEST 1234 5698 7654 32 AND MORE", 27),
        ("GB82WEST12345698765432X", 0),
        ("GB82WEST123456987654", 0),
        ("GB83WEST12345698765432", 0),
        ("XX82WEST12345698765432", 0),
    ],
)
def test_the_iban_at_the_start_counts(match: str, size: int) -> None:
    assert iban_code(match) == size


@pytest.mark.parametrize(
    ("match", "valid"), [("943 476 5919", True), ("9434765918", False), ("0000000000", False), ("1111111111", False)]
)
def test_nhs_numbers_are_checked(match: str, valid: bool) -> None:  # noqa: FBT001
    assert nhs_number(match) == (len(match) if valid else 0)


@pytest.mark.parametrize(
    ("match", "valid"),
    [
        ("a@b.co", True),
        ("git@github.com", False),
        ("Git@github.com", False),
        ("a@2x.PNG", False),
        ("a@b.service", False),
    ],
)
def test_remotes_files_and_units_are_no_addresses(match: str, valid: bool) -> None:  # noqa: FBT001
    assert email(match) == (len(match) if valid else 0)


@pytest.mark.parametrize(
    ("match", "valid"),
    [("sk-abcdefghijklm12", True), ("sk-abcDEF", True), ("sk-one-two-three", False), ("sk-one-two-3", False)],
)
def test_words_are_told_from_keys(match: str, valid: bool) -> None:  # noqa: FBT001
    assert random_looking(match) == (len(match) if valid else 0)


@pytest.mark.parametrize(
    ("check", "match", "size"),
    [
        (phone.international, "+1 415 555 0132", 15),
        (phone.international, "+1 415 555 0132 12", 15),
        (phone.international, "+999 123 4567", 0),
        (phone.international, "+1", 0),
        (phone.american, "(415) 555-0132", 14),
        (phone.american, "(111) 555-0132", 0),
        (phone.british, "020 7946 0958", 13),
        (phone.british, "000 7946 0958", 0),
        (phone.french, "01 42 68 53 00", 14),
        (phone.in_context, "030 901820", 10),
        (phone.in_context, "2024-05-17 12", 0),
        (phone.in_context, "192.168.100.200", 0),
        (phone.in_context, "0000000000", 0),
    ],
)
def test_telephone_numbers_are_checked_and_what_follows_is_cut(check: object, match: str, size: int) -> None:
    assert callable(check)
    assert check(match) == size
