"""Numbers of people in Europe."""

import re
from typing import Final

from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.gb import nhs
from stdnum.it import codicefiscale
from stdnum.pl import pesel

from gatekeeper.masking.detector import Detector
from gatekeeper.masking.detectors.bounds import CODE_END, CODE_START, DIGITS_END, DIGITS_START, NUMBERED_THINGS
from gatekeeper.masking.detectors.digits import digits_of


def nhs_number(match: str) -> int:
    """Check the modulo 11 digit; ten equal digits are no number."""
    digits = digits_of(match)
    return len(match) if nhs.checksum(digits) == 0 and len(set(digits)) > 1 else 0


def nif(match: str) -> int:
    """Check the letter of a Spanish identity number."""
    return len(match) if dni.is_valid(match) else 0


def nie_number(match: str) -> int:
    """Check the letter of a Spanish foreigner's number."""
    return len(match) if nie.is_valid(match) else 0


def fiscal_code(match: str) -> int:
    """Check the letter at the end of an Italian fiscal code."""
    return len(match) if codicefiscale.is_valid(match) else 0


def german_tax_id(match: str) -> int:
    """Check repeats and the last digit of a German tax identification number."""
    return len(match) if idnr.is_valid(match) else 0


def pesel_number(match: str) -> int:
    """Check date and last digit of a Polish PESEL."""
    return len(match) if pesel.calc_check_digit(match[:-1]) == match[-1] and pesel.is_valid(match) else 0


# Never issued: D, F, I, Q, U, V in either place, O in the second, and some pairs (HMRC, NIM39110).
_NINO: Final = r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
_NINO_WORDS: Final = r"national insurance(?: ?(?:numbers?|no\.?|#))?|ni ?(?:numbers?|no\.?|#)|nino"

EUROPE: Final = (
    Detector(
        entity="UK_NHS",
        form="3-3-4 digits",
        pattern=r"(?<!\w)(?<!\d[ -])(?<!\+\d[ -])(?:\d{3} \d{3} \d{4}|\d{3}-\d{3}-\d{4})(?!\w)(?![ -]\d)",
        gate=r"\b\d{3}[ -]\d{3}[ -]\d{4}\b",
        numeric=True,
        validate=nhs_number,
        validator="uk_nhs",
        against=rf"(?:tele)?phone|tel|mobile|cell|fax|call|sms|whatsapp|{NUMBERED_THINGS}",
        priority=4,
        spaced=True,
    ),
    Detector(
        entity="UK_NHS",
        form="after its words",
        pattern=DIGITS_START + r"\d{3}[ -]?\d{3}[ -]?\d{4}" + DIGITS_END,
        gate=r"\b\d{3}[ -]?\d{3}[ -]?\d{4}\b",
        numeric=True,
        validate=nhs_number,
        validator="uk_nhs",
        context=r"nhs(?:.?(?:numbers?|no\.?|num|id|#))?|national.?health(?: service)?|health (?:services )?authority",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="UK_NINO",
        form="two letters, six digits, a letter",
        pattern=CODE_START + _NINO + r"(?:\d{6}| ?\d{2} \d{2} \d{2} ?|-\d{2}-\d{2}-\d{2}-| \d{6} )[A-D]" + CODE_END,
        gate=r"\b[A-Z]{2}[ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[A-D]\b",
        coded=True,
        priority=6,
        spaced=True,
    ),
    Detector(
        entity="UK_NINO",
        form="a made-up one, ZZ … T",
        pattern=CODE_START + r"ZZ(?:\d{6}| ?\d{2} \d{2} \d{2} | \d{6} )T" + CODE_END,
        gate=r"\bZZ ?\d{2} ?\d{2} ?\d{2} ?T\b",
        coded=True,
        priority=6,
        spaced=True,
    ),
    Detector(
        entity="UK_NINO",
        form="after its words",
        pattern=CODE_START + r"(?i:[A-Z]{2}[ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[A-D])" + CODE_END,
        gate=r"(?i)\b[A-Z]{2}[ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[A-D]\b",
        context=_NINO_WORDS,
        priority=6,
        spaced=True,
        letters=True,
    ),
    Detector(
        entity="UK_PASSPORT",
        form="nine digits, or two letters and seven",
        pattern=DIGITS_START + r"(?:[A-Z]{2}\d{7}|\d{9})" + DIGITS_END,
        gate=r"\b(?:[A-Z]{2}\d{7}|\d{9})\b",
        coded=True,
        context=r"(?:uk|u\.k\.|british|gbr|united kingdom),?[ -]passport(?: ?(?:numbers?|no\.?|#))?|passport (?:numbers? |no\.? )?\(?(?:uk|u\.k\.|gbr|british)|"
        r"british (?:citizen|subject|national)[a-z .'-]{0,32} passport(?: ?(?:numbers?|no\.?|#))?|hm passport|hmpo",
        priority=5,
    ),
    Detector(
        entity="UK_PASSPORT",
        form="two letters and seven digits",
        pattern=CODE_START + r"[A-Z]{2}\d{7}" + CODE_END,
        gate=r"\b[A-Z]{2}\d{7}\b",
        coded=True,
        context=r"passports?(?: ?(?:numbers?|no\.?|#))?|travel document",
        priority=4,
    ),
    Detector(
        entity="ES_NIF",
        form="eight digits and a letter",
        pattern=CODE_START + r"(?<!\d\.)(?:\d{8}|\d{2}\.\d{3}\.\d{3})-?[A-HJ-NP-TV-Z](?!\w)(?!-\w)",
        gate=r"\b(?:\d{8}|\d{2}\.\d{3}\.\d{3})-?[A-HJ-NP-TV-Z]\b",
        numeric=True,
        validate=lambda match: nif(match.replace(".", "")) and len(match),
        validator="es_nif",
        priority=5,
    ),
    Detector(
        entity="ES_NIF",
        form="after its words",
        pattern=CODE_START + r"(?<!\d\.)(?i:\d{1,2}\.?\d{3}\.?\d{3}[ -]?[A-Z])(?!\w)",
        gate=r"(?i)\b\d{1,2}\.?\d{3}\.?\d{3}[ -]?[A-Z]\b",
        shape=r"\b\d{1,2}\.?\d{3}\.?\d{3}",
        numeric=True,
        validate=lambda match: nif(re.sub(r"[ .-]", "", match).rjust(9, "0")) and len(match),
        validator="es_nif",
        context=r"nifs?|dni|documento nacional de identidad|identificación|n\.i\.f\.|d\.n\.i\.",
        priority=5,
        spaced=True,
    ),
    Detector(
        entity="ES_NIE",
        form="X, Y or Z, seven digits and a letter",
        pattern=CODE_START + r"[XYZ][ -]?\d{7}[ -]?[A-HJ-NP-TV-Z](?!\w)(?!-\w)",
        gate=r"\b[XYZ][ -]?\d{7}[ -]?[A-HJ-NP-TV-Z]\b",
        coded=True,
        validate=nie_number,
        validator="es_nie",
        priority=5,
        spaced=True,
    ),
    Detector(
        entity="ES_NIE",
        form="in small letters",
        pattern=CODE_START + r"[xyz]-?\d{7}-?[a-hj-np-tv-z](?!\w)(?!-\w)",
        gate=r"\b[xyz]-?\d{7}-?[a-hj-np-tv-z]\b",
        validate=nie_number,
        validator="es_nie",
        context=r"nies?|n\.i\.e\.?|extranjer[oa]s?",
        priority=5,
    ),
    Detector(
        entity="ES_PASSPORT",
        form="three letters and six digits",
        pattern=CODE_START + r"(?!INV|ORD|TKT|REF)[A-Z]{3}\d{6}[A-Z]?" + CODE_END,
        gate=r"\b[A-Z]{3}\d{6}[A-Z]?\b",
        coded=True,
        context=r"pasaportes?|(?:spanish )?passports?(?: ?(?:numbers?|no\.?|#))?",
        against=r"booking|orders?|invoice|tickets?|flight|ref(?:erence)?",
        priority=4,
    ),
    Detector(
        entity="IT_FISCAL_CODE",
        form="in groups",
        pattern=CODE_START
        + r"[A-Z]{3}[ -][A-Z]{3}[ -][0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[ -][A-Z][0-9LMNP-V]{3}[A-Z]"
        + CODE_END,
        gate=r"\b[A-Z]{3}[ -][A-Z]{3}[ -][0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[ -][A-Z][0-9LMNP-V]{3}[A-Z]\b",
        validate=lambda match: fiscal_code(re.sub("[ -]", "", match)) and len(match),
        validator="it_fiscal_code",
        priority=6,
        spaced=True,
    ),
    Detector(
        entity="IT_FISCAL_CODE",
        form="16 letters and digits",
        pattern=CODE_START
        + r"(?i:[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])"
        + CODE_END,
        gate=r"(?i)\b[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]\b",
        validate=fiscal_code,
        validator="it_fiscal_code",
        priority=6,
    ),
    Detector(
        entity="DE_TAX_ID",
        form="eleven digits",
        pattern=DIGITS_START + r"[1-9](?:\d{10}|\d \d{3} \d{3} \d{3})" + DIGITS_END,
        gate=r"\b[1-9](?:\d{10}|\d \d{3} \d{3} \d{3})\b",
        numeric=True,
        validate=german_tax_id,
        validator="de_tax_id",
        context=r"steuer(?:liche )?[ -]?(?:id(?:ent(?:ifikations)?)?(?:nr|nummer)?|identifikation|nummer|idnr)\.?|idnr\.?|"
        r"steueridentifikationsnummer|steuerid|tax ?(?:id(?:entification)?)(?: ?(?:numbers?|no\.?))?|tin|bzst|"
        r"(?:persönliche )?identifikationsnummer(?: \(§ 139b ao\))?",
        priority=7,
        spaced=True,
    ),
    Detector(
        entity="PL_PESEL",
        form="eleven digits",
        pattern=DIGITS_START + r"\d{11}" + DIGITS_END,
        gate=r"\b\d{11}\b",
        numeric=True,
        validate=pesel_number,
        validator="pl_pesel",
        context=r"pesel(?:u|em)?(?: ?(?:numbers?|no\.?|nr\.?))?|numer ewidencyjny|polish (?:national )?id",
        priority=7,
    ),
)
