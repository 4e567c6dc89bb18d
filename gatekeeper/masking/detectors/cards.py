"""Payment cards and bank accounts."""

import re
import string
from typing import Final

from stdnum.us import rtn

from gatekeeper.masking.detector import Detector
from gatekeeper.masking.detectors.bounds import COUNTED, DIGITS_END, DIGITS_START, LINKING
from gatekeeper.masking.detectors.digits import digits_of, luhn

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
    ("35", _LONG),  # JCB: 3528 to 3589; made-up ones use all of 35
    ("62|81", _LONG),  # UnionPay
    ("1800|2131", frozenset({15})),  # JCB, the older range
    ("220[0-4]", _LONG),  # Mir
    ("60|82", frozenset({16})),  # RuPay
    ("9792", frozenset({16})),  # Troy
    ("50|5[6-8]|0604|6304|6390|6759|676[1-3]", frozenset({12, 13, 14, 15}) | _LONG),  # Maestro
)
_ISSUER: Final = re.compile("|".join(f"({prefix})" for prefix, _ in _ISSUERS))
_LEAST_GROUP: Final = 3  # `41 11 11 …` is a list of numbers, `4111 1111 …` a card
_FIRST_GROUPS: Final = frozenset({4, 6, 8})  # the issuer's digits: `350-5543057-3407060` is an order


def card(match: str) -> int:
    """Find the longest card number at the start, ending where a group ends."""
    groups = _SEPARATED.split(match)
    if len(groups) > 1 and len(groups[0]) not in _FIRST_GROUPS:
        return 0
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


def iban_code(match: str) -> int:
    """Find the IBAN at the start; what follows in capitals may be words."""
    match = match.upper()
    if (length := _IBAN_LENGTHS.get(match[:2], 0)) == 0:
        return 0
    ends = range(1, len(match) + 1) if match.isalnum() else [n + 1 for n, char in enumerate(match) if char.isalnum()]
    # what is not as long as its country's are but has the right check digits was meant as one
    whole = [ends[length - 1]] if length <= len(ends) else []
    return next((end for end in (*whole, len(match)) if not match[end : end + 1].isalnum() and _mod97(match[:end])), 0)


def _mod97(text: str) -> bool:
    """Check the digits of an IBAN (ISO 13616-1 §6); a tenth of what python-stdnum takes."""
    letters = text if text.isalnum() else text.replace(" ", "").replace("-", "")
    return int((letters[4:] + letters[:4]).translate(_NUMBERED)) % 97 == 1


_NUMBERED: Final = str.maketrans({letter: str(10 + n) for n, letter in enumerate(string.ascii_uppercase)})


def routing_number(match: str) -> int:
    """Check the digit at the end of a routing number (ABA Routing Number Policy)."""
    digits = match.replace("-", "")
    return len(match) if rtn.calc_check_digit(digits[:-1]) == digits[-1] else 0


def account_number(match: str) -> int:
    """Leave out what is ten equal digits, or a time in seconds or milliseconds."""
    digits = digits_of(match)
    return 0 if len(set(digits)) == 1 or _EPOCH.fullmatch(digits) else len(match)


_EPOCH: Final = re.compile(r"1[67]\d{8}(?:\d{3})?")
_ACCOUNT_WORDS: Final = (
    r"(?:bank|checking|savings?|debit|deposit|current|wire|payroll) ?(?:account|acct|a/c)s?|"
    r"(?:account|acct|a/c|acc) ?(?:numbers?|no\.?|num|nr\.?|#)|(?:bank|checking|savings?) ?(?:number|no\.?|#)|"
    r"accounts?#?|acct|a/c|kontonummer|numero de cuenta|numéro de compte|cuenta bancaria"
)

# What has numbers as long as a card's. No card's number stands right behind their names; behind `order` alone it may.
_COUNTED_THINGS: Final = (
    r"(?:order|invoice|ticket|serial|shipment|parcel|consignment|batch|lot|build|job|trace|span|request|booking|claim|case)"
    r" ?(?:ids?|numbers?|no\.?|nr\.?|num|#)|awb|waybill|bestellnummer|rechnungsnummer|auftragsnummer|sendungsnummer|"
    r"订单号|注文番号"
)

CARDS: Final = (
    Detector(
        entity="CREDIT_CARD",
        form="digits in groups or not",
        pattern=r"(?<![\w+])(?<!\d\.)\d(?:[ -]?\d){11,18}(?!\w)(?!\.[1-9])",
        gate=r"\d(?:[ -]?\d){11}",
        numeric=True,
        validate=card,
        validator="card",
        against=r"eans?|upc|gtin|isbn|imei|iccid|barcodes?|tracking|timestamps?|epoch|skus?|snowflake|"
        rf"{_COUNTED_THINGS}",
        priority=9,
        spaced=True,
    ),
    Detector(
        entity="CREDIT_CARD",
        form="in four groups, set wider apart",
        pattern=r"(?<![\w+])(?<!\d[.-])(?:\d{4}( - |  |\.)\d{4}\1\d{4}\1\d{4}(?:\1\d{2,3})?|\d{4}\.\d{6}\.\d{5})(?!\w)(?!\.\d)",
        gate=r"\b\d{4}(?: - |  |\.)(?:\d{4}(?: - |  |\.)\d{4}|\d{6}\.\d{5})",
        shape=r"\b\d{4}(?: - |  |\.)(?:\d{4}(?: - |  |\.)\d{4}|\d{6}\.\d{5})",
        numeric=True,
        validate=lambda match: len(match) if _is_card(digits_of(match)) else 0,
        validator="card_in_groups",
        priority=9,
        spaced=True,
    ),
    Detector(
        entity="IBAN_CODE",
        form="country and check digits",
        pattern=r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,38}(?!\w)",
        gate=r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11}",
        coded=True,
        validate=iban_code,
        validator="iban",
        priority=9,
        spaced=True,
    ),
    Detector(
        entity="IBAN_CODE",
        form="in small letters",
        pattern=r"(?<!\w)[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,38}(?!\w)",
        gate=r"\b[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11}",
        validate=iban_code,
        validator="iban",
        context=r"iban|bank|account|konto|sepa|transfer|mandate|wire|debit|refund|payout|payee",
        priority=9,
        spaced=True,
        letters=True,
    ),
    Detector(
        entity="ABA_ROUTING_NUMBER",
        form="nine digits",
        pattern=DIGITS_START + r"[0-3678]\d{3}(?:-\d{4}-\d|\d{5})" + DIGITS_END,
        gate=r"\b[0-3678]\d{3}-?\d{4}-?\d\b",
        numeric=True,
        validate=routing_number,
        validator="aba_routing",
        context=r"(?:bank ?)?routing(?: ?(?:transit)? ?(?:numbers?|no\.?|num|code|#))?|aba|rtn|abarouting|bankrouting|"
        r"transit (?:number|no\.?)",
        priority=6,
    ),
    Detector(
        entity="US_BANK_NUMBER",
        form="8 to 17 digits",
        pattern=DIGITS_START + r"\d{8,17}" + DIGITS_END,
        gate=r"\b\d{8}",
        numeric=True,
        validate=account_number,
        validator="account_number",
        context=_ACCOUNT_WORDS,
        named=COUNTED,
        linked=rf"{LINKING}|{_ACCOUNT_WORDS}",
        against=r"aws|azure|gcp|subscription|followers|growth|manager|ids?|created|updated|expires?|since|time|timestamp|order|invoice|ref|"
        r"phone|tel|call|card|balance|passport|routing|licen[cs]e|ssn|abn|acn|tfn|npi|nhs|medicare",
        within=40,
        priority=4,
    ),
    Detector(
        entity="US_BANK_NUMBER",
        form="digits in groups",
        pattern=DIGITS_START + r"\d{3,6}(?:[ -]\d{3,6}){1,3}" + DIGITS_END,
        gate=r"\b\d{3,6}[ -]\d{3}",
        numeric=True,
        validate=account_number,
        validator="account_number",
        context=r"(?:account|acct|a/c|acc) ?(?:numbers?|no\.?|num|#)|(?:bank|checking|savings?) ?(?:account|acct)",
        against=r"ids?|order|invoice|phone|tel|call|card|passport|routing|sort ?code",
        within=24,
        priority=4,
        spaced=True,
    ),
)
