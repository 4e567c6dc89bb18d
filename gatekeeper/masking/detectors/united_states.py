"""Numbers of people in the United States."""

import re
from typing import Final

from gatekeeper.masking.detector import Detector
from gatekeeper.masking.detectors.bounds import CODE_END, CODE_START, DIGITS_END, DIGITS_START
from gatekeeper.masking.detectors.digits import digits_of, luhn

_SSN_WORDS: Final = r"ssns?|s\.s\.n|my social(?: is)?|social.?security(?:.?(?:number|no|num|#))?|social ?(?:number|no|#)|ss#|ssn#|soc.?sec|ssid|seguro social"
_ITIN_WORDS: Final = r"itins?|individual.?taxpayer|tax.?payer|tax.?id|tin"
_NUMBERED_PARTS: Final = r"parts?|apn|parcel|skus?|models?|serial|tickets?|orders?|invoice|catalog|drawing"
_MBI_LETTER: Final = "[AC-HJKMNP-RT-Y]"
_MBI_SMALL: Final = _MBI_LETTER.lower()
_DEA: Final = re.compile(r"[A-Z]{2}(\d)(\d)(\d)(\d)(\d)(\d)(\d)")


def _mbi(letter: str, between: str) -> str:
    """Give the form of a Medicare beneficiary's number (CMS, Understanding the MBI), with what is between its groups."""
    either = f"[0-9{letter[1:]}"
    return rf"[1-9]{letter}{either}\d{between}{letter}{either}\d{between}{letter}{{2}}\d{{2}}"


# The groups in the middle that taxpayers' numbers have (IRS, Internal Revenue Manual 3.21.263).
_ITIN: Final = re.compile(r"9\d\d(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])\d{4}")


def itin_number(match: str) -> int:
    """Check the group that says that it is a taxpayer's number."""
    return len(match) if _ITIN.fullmatch(digits_of(match)) else 0


def dea_number(match: str) -> int:
    """Check the last digit of a DEA registration number (21 CFR 1301; DEA Diversion Control)."""
    digits = [int(char) for char in digits_of(match)[-7:]]
    return len(match) if (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6] else 0


def npi_number(match: str) -> int:
    """Check the Luhn digit, the prefix 80840 included (45 CFR 162.406)."""
    return len(match) if luhn("80840" + digits_of(match)) else 0


_LEAST_DIGITS: Final = 2


def licence_number(match: str) -> int:
    """Tell a licence's number from a word: it has two digits at least."""
    return len(match) if sum(char.isdigit() for char in match) >= _LEAST_DIGITS else 0


_LICENCE_WORDS: Final = (
    r"driv(?:er|ers|er'?s|er’s|ing)[ -]?(?:licen[cs]e|permit|lic)(?: ?(?:numbers?|no\.?|num|#|id))?|"
    r"driver ?licen[cs]e(?: ?(?:numbers?|no\.?|num|#))?|dln|dl ?(?:number|no\.?|#|[:=])|cdls?|lic#|"
    r"lic(?:en[cs]e)? ?(?:numbers?|no\.?|num|\. ?no\.?|#)|dmv[a-z ,]{0,12} licen[cs]e"
)
_PASSPORT_WORDS: Final = (
    r"(?:u\.?s\.? |american |usa )?passports?(?: ?(?:numbers?|no\.?|num|nr\.?|#|id|card|book))?|pasaporte|passeport|"
    r"reisepass|travel document"
)

UNITED_STATES: Final = (
    Detector(
        entity="US_SSN",
        form="with dashes",
        # never issued: area 000, 666, 9xx; group 00; serial 0000 (SSA, POMS RM 10201.035)
        pattern=r"(?<!\w)(?<!\w-)(?<!\d\.)(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?!\w)(?!-\w)",
        gate=r"\b\d{3}-\d{2}-\d{4}\b",
        numeric=True,
        against=_NUMBERED_PARTS,
        priority=7,
    ),
    Detector(
        entity="US_SSN",
        form="after its words",
        pattern=DIGITS_START
        + r"(?!000|666|9)(?:\d{3}[ .](?!00)\d{2}[ .](?!0000)\d{4}|\d{3}-?(?!00)\d{2}-?(?!0000)\d{4})"
        + DIGITS_END,
        gate=r"\b\d{3}[ .-]?\d{2}[ .-]?\d{4}\b",
        numeric=True,
        context=_SSN_WORDS,
        against=r"passports?|account|acct|routing|phone|tel|licen[cs]e|orders?|invoice",
        priority=6,
        spaced=True,
    ),
    Detector(
        entity="US_ITIN",
        form="with dashes or spaces",
        pattern=r"(?<!\w)(?<!\w-)9\d{2}([ -])\d{2}\1\d{4}(?!\w)(?!-\w)",
        gate=r"\b9\d{2}[ -]\d{2}[ -]\d{4}\b",
        numeric=True,
        validate=itin_number,
        validator="us_itin",
        against=_NUMBERED_PARTS,
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="US_ITIN",
        form="after its words",
        pattern=DIGITS_START + r"9\d{2}-?\d{2}-?\d{4}" + DIGITS_END,
        gate=r"\b9\d{2}-?\d{2}-?\d{4}\b",
        numeric=True,
        validate=itin_number,
        validator="us_itin",
        context=_ITIN_WORDS,
        priority=6,
    ),
    Detector(
        entity="US_MBI",
        form="with dashes",
        pattern=CODE_START + _mbi(_MBI_LETTER, "[ -]") + CODE_END,
        gate=rf"\b{_mbi(_MBI_LETTER, '[ -]')}\b",
        numeric=True,
        priority=5,
        spaced=True,
    ),
    Detector(
        entity="US_MBI",
        form="in one piece",
        pattern=CODE_START + _mbi(_MBI_LETTER, "") + CODE_END,
        gate=rf"\b{_mbi(_MBI_LETTER, '')}\b",
        numeric=True,
        priority=5,
    ),
    Detector(
        entity="US_MBI",
        form="in small letters, in one piece",
        pattern=CODE_START + _mbi(_MBI_SMALL, "") + CODE_END,
        gate=rf"\b{_mbi(_MBI_SMALL, '')}\b",
        context=r"mbis?|medicare",
        within=40,
        priority=5,
    ),
    Detector(
        entity="US_MBI",
        form="in small letters",
        pattern=CODE_START + _mbi(_MBI_SMALL, "-") + CODE_END,
        gate=rf"\b{_mbi(_MBI_SMALL, '-')}\b",
        priority=5,
    ),
    Detector(
        entity="MEDICAL_LICENSE",
        form="DEA number",
        pattern=CODE_START + r"[ABCDEFGHJKLMPRSTUX][A-Z9]-?\d{7}" + CODE_END,
        gate=r"\b[ABCDEFGHJKLMPRSTUX][A-Z9]-?\d{7}\b",
        coded=True,
        validate=dea_number,
        validator="dea",
        priority=3,  # after passports of the same form
    ),
    Detector(
        entity="MEDICAL_LICENSE",
        form="DEA number, whatever its check digit",
        pattern=r"(?<!\w)(?i:[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7})" + CODE_END,
        gate=r"(?i)\b[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}\b",
        context=r"dea(?: ?(?:numbers?|no\.?|#|registration|license|certificate))?|medical licen[cs]e(?: ?(?:number|no\.?|#))?",
        within=32,
        priority=4,
    ),
    Detector(
        entity="US_NPI",
        form="ten digits",
        pattern=DIGITS_START + r"[12]\d{3}[ -]?\d{3}[ -]?\d{3}" + DIGITS_END,
        gate=r"\b[12]\d{3}[ -]?\d{3}[ -]?\d{3}\b",
        numeric=True,
        validate=npi_number,
        validator="us_npi",
        context=r"n\.p\.i|npi(?: ?(?:numbers?|no\.?|#))?|national provider(?: id(?:entifier)?)?|provider(?: id(?:entifier)?| number)?",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="US_DRIVER_LICENSE",
        form="the shapes of the states",
        pattern=r"(?<!\w)(?<!\w-)(?:[A-Z][ -]?\d{3,4}[ -]\d{2,5}[ -]\d{2,5}(?:[ -]\d{1,4}){0,2}|\d{3} \d{3} \d{3}|\d{2}-\d{3}-\d{4}|(?=[A-Za-z0-9][A-Za-z0-9*]{0,17}\d)[A-Za-z0-9*]{5,19})"
        + DIGITS_END,
        gate=r"\d",
        shape=r"\b[A-Za-z0-9](?:[ -]?|[A-Za-z0-9*]{0,17})\d",
        validate=licence_number,
        validator="licence_number",
        context=_LICENCE_WORDS,
        against=r"plate|software|windows|product|gpl|mit|bsd|apache|medical|nursing|dea|business|passport|phone|ssn|"
        r"issued|expires?|valid|dob|born|seats?",
        within=32,
        priority=5,
        spaced=True,
        letters=True,
    ),
    Detector(
        entity="US_PASSPORT",
        form="nine digits, or a letter and eight",
        pattern=DIGITS_START + r"(?:[A-Z]\d{8}|\d{9})" + DIGITS_END,
        gate=r"\b(?:[A-Z]\d{8}|\d{9})\b",
        coded=True,
        context=_PASSPORT_WORDS,
        against=r"uk|british|united kingdom|gbr|spanish|indian|india|phone|account|ssn|routing",
        priority=4,
    ),
)
