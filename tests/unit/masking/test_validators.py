import re
from types import ModuleType

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn as reference
from stdnum.au import abn, acn, tfn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.pl import pesel
from stdnum.us import rtn

from gatekeeper.masking.detector import Validator
from gatekeeper.masking.detectors.cards import card, iban_code, routing_number
from gatekeeper.masking.detectors.digits import luhn
from gatekeeper.masking.detectors.entropy import random_looking
from gatekeeper.masking.detectors.europe import nhs_number, pesel_number
from gatekeeper.masking.detectors.network import email
from gatekeeper.masking.detectors.phones import (
    american_number,
    international_number,
    number_after_verb,
    number_in_context,
    trunk_number,
)
from gatekeeper.masking.detectors.world import (
    aadhaar_number,
    abn_number,
    acn_number,
    cpf_number,
    sin_number,
    tfn_number,
)


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
        (international_number, "+1 415 555 0132", 15),
        (international_number, "+1 415 555 0132 12", 15),
        (international_number, "+1 415 555 0132 x12", 19),
        (international_number, "0044 20 7946 0958", 17),
        (international_number, "+999 123 4567", 0),
        (international_number, "+1", 0),
        (international_number, "+1000000", 0),
        (american_number, "(415) 555-0132", 14),
        (american_number, "(111) 111-1111", 0),
        (trunk_number, "020 7946 0958", 13),
        (trunk_number, "000 7946 0958", 0),
        (trunk_number, "01 42 68 53 00", 14),
        (trunk_number, "01-02-2024 000", 0),
        (number_in_context, "030 901820", 10),
        (number_in_context, "555-0132", 8),
        (number_in_context, "2024-05-17 12", 0),
        (number_in_context, "192.168.100.200", 0),
        (number_in_context, "0000000000", 0),
        (number_after_verb, "9999999", 0),
        (number_after_verb, "1718000001000", 13),
        (number_after_verb, "1234567890", 10),
    ],
)
def test_telephone_numbers_are_checked_and_what_follows_is_cut(check: object, match: str, size: int) -> None:
    assert callable(check)
    assert check(match) == size


@pytest.mark.parametrize(
    ("ours", "theirs", "form"),
    [
        (nhs_number, nhs, r"\d{10}"),
        (pesel_number, pesel, r"\d{11}"),
        (routing_number, rtn, r"\d{9}"),
        (abn_number, abn, r"\d{11}"),
        (acn_number, acn, r"\d{9}"),
        (tfn_number, tfn, r"\d{8,9}"),
        (sin_number, sin, r"[1-79]\d{8}"),
        (aadhaar_number, aadhaar, r"[2-9]\d{11}"),
        (cpf_number, cpf, r"\d{11}"),
    ],
)
@given(data=st.data())
@examples(50)
def test_a_checksum_alone_says_what_the_library_says(
    ours: Validator, theirs: ModuleType, form: str, data: st.DataObject
) -> None:
    digits = data.draw(st.from_regex(re.compile(form, re.ASCII), fullmatch=True))

    for last in range(100):  # some of them are valid
        number = f"{digits[:-2]}{last:02}"
        if len(set(number)) > 1:  # equal digits are nobody's here
            assert bool(ours(number)) == theirs.is_valid(number)
