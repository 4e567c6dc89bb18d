"""Validators: how much of a match counts, from its start; 0 where it is nothing."""

import re
from typing import Final

from stdnum import iban
from stdnum.gb import nhs

_SEPARATED: Final = re.compile(r"[ -]")
# How long a country's IBAN is (SWIFT, IBAN Registry).
_IBAN_COUNTRIES: Final = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_IBAN_LENGTHS: Final = {country: size for size, countries in _IBAN_COUNTRIES.items() for country in countries.split()}

# Issuer ranges by leading digits, with the lengths they come in (ISO/IEC 7812, as the networks publish them).
_LONG: Final = frozenset({16, 17, 18, 19})
_ISSUERS: Final = (
    ("4", frozenset({13, 16, 19})),  # Visa
    ("222[1-9]|22[3-9]|2[3-6]|27[01]|2720|5[1-5]", frozenset({16})),  # Mastercard
    ("3[47]", frozenset({15})),  # American Express
    ("6011|64[4-9]|65", _LONG),  # Discover
    ("30[0-5]|309|3[689]", frozenset({14, 15}) | _LONG),  # Diners Club
    ("35(?:2[89]|[3-8])", _LONG),  # JCB
    ("62|81", _LONG),  # UnionPay
    ("220[0-4]", _LONG),  # Mir
    ("60|82", frozenset({16})),  # RuPay
    ("9792", frozenset({16})),  # Troy
    ("50|5[6-8]|6304|6390|6759|676[1-3]", frozenset({12, 13, 14, 15}) | _LONG),  # Maestro
)
_ISSUER: Final = re.compile("|".join(f"({prefix})" for prefix, _ in _ISSUERS))
_LEAST_GROUP: Final = 3  # `41 11 11 …` is a list of numbers, `4111 1111 …` a card
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")  # the sum of the digits of twice a digit


def card(match: str) -> int:
    """Find the longest card number at the start, ending where a group ends."""
    groups = _SEPARATED.split(match)
    short = next((n for n, group in enumerate(groups) if len(group) < _LEAST_GROUP), len(groups))
    for count in range(min(short + 1, len(groups)), 0, -1):
        if _is_card("".join(groups[:count])):
            return sum(map(len, groups[:count])) + count - 1
    return 0


def _is_card(digits: str) -> bool:
    if (issuer := _ISSUER.match(digits)) is None:
        return False
    _, lengths = _ISSUERS[(issuer.lastindex or 0) - 1]
    return len(digits) in lengths and luhn(digits)


def luhn(digits: str) -> bool:
    """Check the last digit (ISO/IEC 7812-1 annex B); a tenth of what python-stdnum's takes."""
    return not (sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10


def iban_code(match: str) -> int:
    """Find the IBAN at the start; what follows in capitals may be words."""
    ends = [n + 1 for n, char in enumerate(match) if char.isalnum()]
    length = _IBAN_LENGTHS.get(match[:2], 0)
    if not 0 < length <= len(ends):
        return 0
    end = ends[length - 1]
    return end if not match[end : end + 1].isalnum() and iban.is_valid(match[:end]) else 0


def nhs_number(match: str) -> int:
    """Check the modulo 11 digit; ten equal digits are no number."""
    digits = re.sub(r"\D", "", match)
    return len(match) if len(set(digits)) > 1 and nhs.is_valid(digits) else 0


# A file's ending or a unit's, where a top-level domain would stand: `icon@2x.png`, `getty@tty1.service`.
_NO_DOMAIN: Final = re.compile(
    r"(?i)\.(?:png|jpe?g|gif|webp|svg|ico|css|js|mjs|jsx|tsx?|json|html?|xml|ya?ml|toml|txt|pdf|map|lock|log|"
    r"service|timer|socket|mount|slice|scope|target)$"
)
_NO_PERSON: Final = re.compile(r"(?i)(?:git|hg|svn)@")


def email(match: str) -> int:
    """Leave out what has the form of an address and is none: remotes of repositories, files, units."""
    return 0 if _NO_PERSON.match(match) or _NO_DOMAIN.search(match) else len(match)


_LEAST_DIGITS: Final = 2


def random_looking(match: str) -> int:
    """Tell a key from words joined by dashes: it has at least two digits, or capitals and small letters."""
    body = match.partition("-")[2] or match
    digits = sum(char.isdigit() for char in body)
    mixed = any(char.isupper() for char in body) and any(char.islower() for char in body)
    return len(match) if digits >= _LEAST_DIGITS or mixed else 0
