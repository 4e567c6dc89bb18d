"""Numbers of people in Australia, Brazil, Canada, India and Singapore.

Patterns see to length and digits, so python-stdnum is asked for the checksum alone, which takes a third of the time.
"""

from typing import Final

from stdnum import verhoeff
from stdnum.au import abn, acn, tfn
from stdnum.in_ import pan

from gatekeeper.masking.detector import Detector
from gatekeeper.masking.detectors.bounds import CODE_END, CODE_START, DIGITS_END, DIGITS_START, NUMBERED_THINGS
from gatekeeper.masking.detectors.digits import digits_of, luhn


def abn_number(match: str) -> int:
    """Check an Australian Business Number."""
    digits = digits_of(match)
    return len(match) if abn.calc_check_digits(digits[2:]) == digits[:2] else 0


def acn_number(match: str) -> int:
    """Check an Australian Company Number."""
    digits = digits_of(match)
    return len(match) if acn.calc_check_digit(digits) == digits[-1] else 0


def tfn_number(match: str) -> int:
    """Check an Australian Tax File Number."""
    return len(match) if tfn.checksum(digits_of(match)) == 0 else 0


_MEDICARE_WEIGHTS: Final = (1, 3, 7, 9, 1, 3, 7, 9)


def medicare_number(match: str) -> int:
    """Check the ninth digit over the first eight of an Australian Medicare number (METeOR 270101)."""
    digits = [int(char) for char in digits_of(match)]
    total = sum(weight * digit for weight, digit in zip(_MEDICARE_WEIGHTS, digits, strict=False))
    return len(match) if total % 10 == digits[8] else 0


def sin_number(match: str) -> int:
    """Check a Canadian Social Insurance Number."""
    return len(match) if luhn(digits_of(match)) else 0


def aadhaar_number(match: str) -> int:
    """Check the Verhoeff digit of an Indian Aadhaar number."""
    digits = digits_of(match)
    return len(match) if verhoeff.checksum(digits) == 0 and digits != digits[::-1] else 0


def pan_number(match: str) -> int:
    """Check the form of an Indian Permanent Account Number."""
    return len(match) if pan.is_valid(match.upper()) else 0


def cpf_number(match: str) -> int:
    """Check both digits of a Brazilian CPF; eleven equal digits are none."""
    digits = [int(digit) for digit in digits_of(match)]
    for size in (9, 10):
        total = sum(digit * weight for digit, weight in zip(digits, range(size + 1, 1, -1), strict=False))
        if total * 10 % 11 % 10 != digits[size]:
            return 0
    return len(match) if len(set(digits)) > 1 else 0


# The check letters by series, and what a later series adds to the sum (Immigration & Checkpoints Authority).
_NRIC_LETTERS: Final = {
    "S": "JZIHGFEDCBA",
    "T": "JZIHGFEDCBA",
    "F": "XWUTRQPNMLK",
    "G": "XWUTRQPNMLK",
    "M": "KLJNPQRTUWX",
}
_NRIC_ADDED: Final = {"T": 4, "G": 4, "M": 3}
_NRIC_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2)


def nric(match: str) -> int:
    """Check the letter at the end of a Singaporean NRIC or FIN."""
    code = match.upper()
    total = sum(weight * int(digit) for weight, digit in zip(_NRIC_WEIGHTS, code[1:8], strict=True))
    rest = (total + _NRIC_ADDED.get(code[0], 0)) % 11
    letters = _NRIC_LETTERS[code[0]]
    place = 10 - rest if code[0] == "M" else rest
    return len(match) if letters[place] == code[8] else 0


WORLD: Final = (
    Detector(
        entity="IN_AADHAAR",
        form="in groups of four",
        pattern=r"(?<![\w+])(?<!\d[ .:-])[2-9]\d{3}([ -])\d{4}\1\d{4}(?!\w)(?![ -]\d)(?!\.\d)",
        gate=r"\b[2-9]\d{3}[ -]\d{4}[ -]\d{4}\b",
        numeric=True,
        validate=aadhaar_number,
        validator="in_aadhaar",
        against=NUMBERED_THINGS,
        priority=5,
        spaced=True,
    ),
    Detector(
        entity="IN_AADHAAR",
        form="after its words",
        pattern=DIGITS_START + r"[2-9]\d{3}[ :-]?\d{4}[ :-]?\d{4}" + DIGITS_END,
        gate=r"\b[2-9]\d{3}[ :-]?\d{4}[ :-]?\d{4}\b",
        numeric=True,
        validate=aadhaar_number,
        validator="in_aadhaar",
        context=r"aadha+r(?: ?(?:numbers?|no\.?|card|#|id))?|uidai|uid|आधार",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="IN_PAN",
        form="five letters, four digits, a letter",
        # the fourth letter says whose it is (Income Tax Department)
        pattern=CODE_START + r"[A-Z]{3}[ABCFGHJLPT][A-Z](?!0000)\d{4}[A-Z]" + CODE_END,
        gate=r"\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]\b",
        coded=True,
        validate=pan_number,
        validator="in_pan",
        against=r"serials?|s/n|models?|skus?|parts?|coupons?|promo|vouchers?|codes?|tracking|orders?",
        priority=5,
    ),
    Detector(
        entity="IN_PAN",
        form="after its words",
        pattern=CODE_START + r"(?i:[A-Z]{5}\d{4}[A-Z])" + CODE_END,
        gate=r"(?i)\b[A-Z]{5}\d{4}[A-Z]\b",
        context=r"pan(?: ?(?:numbers?|no\.?|card|#))?|permanent account(?: number)?|form 16(?: of [a-z .]{2,24})?",
        within=32,
        priority=5,
    ),
    Detector(
        entity="IN_PASSPORT",
        form="a letter and seven digits",
        pattern=CODE_START + r"(?:[A-PR-WYZ] ?[0-9]\d ?\d{5}|[a-pr-wyz]\d{7})" + CODE_END,
        gate=r"\b(?:[A-PR-WYZ] ?\d{2} ?\d{5}|[a-pr-wyz]\d{7})\b",
        context=r"(?:indian )?passports?(?: ?(?:numbers?|no\.?|#))?|pp (?:no\.?|number)|travel document",
        priority=4,
        spaced=True,
        letters=True,
    ),
    Detector(
        entity="SG_NRIC_FIN",
        form="a letter, seven digits, a letter",
        pattern=CODE_START + r"[STFGM]\d{7}[A-Z]" + CODE_END,
        gate=r"\b[STFGM]\d{7}[A-Z]\b",
        coded=True,
        validate=nric,
        validator="sg_nric_fin",
        priority=5,
    ),
    Detector(
        entity="SG_NRIC_FIN",
        form="after its words",
        pattern=CODE_START + r"(?i:[STFGM]\d{7}[A-Z])" + CODE_END,
        gate=r"(?i)\b[STFGM]\d{7}[A-Z]\b",
        context=r"nric|nric/fin|singpass|ic(?:,? (?:numbers?|no\.?))?|fin(?: ?(?:numbers?|no\.?|#))?|identity card|singapore",
        within=40,
        priority=5,
    ),
    Detector(
        entity="BR_CPF",
        form="with dots and a dash",
        pattern=r"(?<!\w)(?<!\d[.-])\d{3}\.\d{3}\.\d{3}-\d{2}" + CODE_END,
        gate=r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b",
        numeric=True,
        validate=cpf_number,
        validator="br_cpf",
        priority=6,
    ),
    Detector(
        entity="BR_CPF",
        form="eleven digits",
        pattern=DIGITS_START + r"\d{11}" + DIGITS_END,
        gate=r"\b\d{11}\b",
        numeric=True,
        validate=cpf_number,
        validator="br_cpf",
        against=NUMBERED_THINGS,
        priority=2,
    ),
    Detector(
        entity="BR_CPF",
        form="after its words",
        pattern=DIGITS_START + r"\d{3}[. ]?\d{3}[. ]?\d{3}[ -]?\d{2}" + DIGITS_END,
        gate=r"\b\d{3}[. ]?\d{3}[. ]?\d{3}[ -]?\d{2}\b",
        numeric=True,
        validate=cpf_number,
        validator="br_cpf",
        context=r"c\.p\.f|cpf(?: ?(?:n(?:º|o|°)\.?|numero|número))?|cadastro de pessoas? físicas?|cadastro de pessoa",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="AU_ABN",
        form="eleven digits",
        pattern=DIGITS_START + r"\d{2} ?\d{3} ?\d{3} ?\d{3}" + DIGITS_END,
        gate=r"\b\d{2} ?\d{3} ?\d{3} ?\d{3}\b",
        numeric=True,
        validate=abn_number,
        validator="au_abn",
        context=r"a\.b\.n|abn(?: ?(?:numbers?|no\.?|#))?|australian business(?: number)?",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="AU_ACN",
        form="nine digits",
        pattern=DIGITS_START + r"\d{3} ?\d{3} ?\d{3}" + DIGITS_END,
        gate=r"\b\d{3} ?\d{3} ?\d{3}\b",
        numeric=True,
        validate=acn_number,
        validator="au_acn",
        context=r"a\.c\.n|acn(?: ?(?:numbers?|no\.?|#))?|australian company(?: number)?",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="AU_TFN",
        form="eight or nine digits",
        pattern=DIGITS_START + r"(?:\d{3} ?\d{3} ?\d{3}|\d{3}-\d{3}-\d{3}|\d{2} ?\d{3} ?\d{3})" + DIGITS_END,
        gate=r"\b\d{2,3}[ -]?\d{3}[ -]?\d{3}\b",
        numeric=True,
        validate=tfn_number,
        validator="au_tfn",
        context=r"t\.f\.n|tfn(?: ?(?:numbers?|no\.?|#))?|tax file(?: (?:number|no\.?))?",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="AU_MEDICARE",
        form="ten or eleven digits",
        pattern=DIGITS_START + r"[2-6]\d{3}[ -]?\d{5}[ /-]?\d(?:[ /-]?\d)?" + DIGITS_END,
        gate=r"\b[2-6]\d{3}[ -]?\d{5}[ /-]?\d",
        numeric=True,
        validate=medicare_number,
        validator="au_medicare",
        context=r"medicare(?: ?(?:card|numbers?|no\.?|#)){0,2}",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="CA_SIN",
        form="nine digits",
        pattern=DIGITS_START + r"[1-79]\d{2}[ -]?\d{3}[ -]?\d{3}" + DIGITS_END,
        gate=r"\b[1-79]\d{2}[ -]?\d{3}[ -]?\d{3}\b",
        numeric=True,
        validate=sin_number,
        validator="ca_sin",
        context=r"s\.i\.n|n\.a\.s|sins?(?: ?(?:numbers?|no\.?|#))?|social insurance(?: (?:numbers?|no\.?))?|nas|numéro nas|"
        r"(?:numéro d.)?assurance sociale",
        priority=7,
        spaced=True,
    ),
)
