"""The table of detectors. Names follow Presidio, so that teams can move their rules over."""

from typing import Final

from gatekeeper.masking import phone
from gatekeeper.masking.api_keys import API_KEYS
from gatekeeper.masking.detector import Detector
from gatekeeper.masking.validators import card, email, iban_code, nhs_number

# Words end where a letter or digit does: `user_ssn` and `ssn:` count, `lessness` does not.
_SSN_WORDS: Final = r"ssns?|social.?security(?:.?(?:number|no|num))?|ss#|soc.?sec"
_PHONE_WORDS: Final = (
    r"(?:tele)?phones?(?:.?(?:number|no|num))?|tel|telefon|telefono|mobile|mobil|cell|cellphone|fax|whatsapp|sms|"
    r"call|dial|ring|hotline|msisdn|contact.?(?:number|no)"
)
_NHS_WORDS: Final = r"nhs(?:.?(?:number|no|num|id))?|national.?health"

_DIGITS_ALONE: Final = r"(?<![\w+])(?<!\d[.,-])"
_DIGITS_END: Final = r"(?!\w)(?!-\w)(?!\.\d)"

DETECTORS: Final = (
    Detector(
        entity="EMAIL_ADDRESS",
        # RFC 5321 §4.5.3.1 bounds the lengths; what quoting would allow nobody uses
        pattern=r"(?<!\w)\w[\w.+%'-]{0,63}@(?:\w(?:[\w-]{0,61}\w)?\.){1,8}[^\W\d_]{2,24}(?!\w)",
        prefilter=r"[^\s@]@[^\s@]+\.[^\s@]",
        validate=email,
    ),
    Detector(
        entity="CREDIT_CARD",
        pattern=r"(?<![\w+])(?<!\d\.)\d(?:[ -]?\d){11,18}(?!\w)(?!\.[1-9])",
        # not within a decimal fraction, of which an embedding has thousands
        prefilter=r"(?:^|[^\w.+]|(?:^|[^\d])\.)\d(?:[ -]?\d){11}",
        validate=card,
        priority=3,
        spaced=True,
    ),
    Detector(
        entity="IBAN_CODE",
        pattern=r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,38}(?!\w)",
        prefilter=r"[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11}",
        validate=iban_code,
        priority=3,
        spaced=True,
    ),
    Detector(
        entity="US_SSN",
        # never issued: area 000, 666, 9xx; group 00; serial 0000 (SSA, POMS RM 10201.035)
        pattern=r"(?<!\w)(?<!\w-)(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?!\w)(?!-\w)",
        prefilter=r"\d{3}-\d{2}-\d{4}",
        priority=2,
    ),
    Detector(
        entity="US_SSN",
        pattern=_DIGITS_ALONE + r"(?!000|666|9)\d{3}[ .]?(?!00)\d{2}[ .]?(?!0000)\d{4}" + _DIGITS_END,
        prefilter=r"(?i)ssn|social.?security|ss#|soc.?sec",
        context=_SSN_WORDS,
        priority=2,
        spaced=True,
    ),
    Detector(
        entity="UK_NHS",
        pattern=r"(?<!\w)(?<!\d[ -])(?:\d{3} \d{3} \d{4}|\d{3}-\d{3}-\d{4})(?!\w)(?![ -]\d)",
        prefilter=r"\d{3}[ -]\d{3}[ -]\d{4}",
        validate=nhs_number,
        spaced=True,
    ),
    Detector(
        entity="UK_NHS",
        pattern=_DIGITS_ALONE + r"\d{3}[ -]?\d{3}[ -]?\d{4}" + _DIGITS_END,
        prefilter=r"(?i)nhs|national.?health",
        context=_NHS_WORDS,
        validate=nhs_number,
        priority=4,
        spaced=True,
    ),
    Detector(
        entity="PHONE_NUMBER",
        pattern=r"(?<![\w+])(?<!\d\.)\+\d(?:[ ./-]{0,2}[()]?[ ]?\d){6,14}(?!\w)",
        prefilter=r"\+\d(?:[ ./-]{0,2}[()]?[ ]?\d){6}",
        validate=phone.international,
        priority=1,
        cost=2_000,
        spaced=True,
    ),
    Detector(
        entity="PHONE_NUMBER",
        pattern=r"(?<![\w+])(?<!\d[.-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[.-]\d{4}" + _DIGITS_END,
        prefilter=r"[2-9]\d{2}(?:\) ?|[.-])[2-9]\d{2}[.-]\d{4}",
        validate=phone.american,
        priority=1,
        cost=2_000,
        spaced=True,
    ),
    Detector(
        entity="PHONE_NUMBER",
        pattern=r"(?<![\w+])(?<!\d[ .-])\(?0(?:\d{2}\)? \d{4} \d{4}|\d{3}\)? \d{3} \d{4}|\d{4}\)? \d{3} ?\d{3})"
        + _DIGITS_END,
        prefilter=r"0\d{2,4}\)? \d{3,4} ?\d{3,4}",
        validate=phone.british,
        priority=1,
        cost=2_000,
        spaced=True,
    ),
    Detector(
        entity="PHONE_NUMBER",
        pattern=r"(?<![\w+])(?<!\d[ .-])0[1-9](?:(?: \d{2}){4}|(?:\.\d{2}){4}|(?:-\d{2}){4})" + _DIGITS_END,
        prefilter=r"0[1-9](?:[ .-]\d{2}){4}",
        validate=phone.french,
        priority=1,
        cost=2_000,
        spaced=True,
    ),
    Detector(
        entity="PHONE_NUMBER",
        pattern=_DIGITS_ALONE + r"\(?\d(?:[ ./-]{0,2}[()]?[ ]?\d){6,14}" + _DIGITS_END,
        prefilter=r"(?i)phone|\btel|mobil|\bcell|\bfax|whatsapp|\bsms|\bcall\b|\bdial|\bring\b|hotline|msisdn|contact.?n",
        context=_PHONE_WORDS,
        validate=phone.in_context,
        priority=1,
        cost=10_000,
        spaced=True,
    ),
    *API_KEYS,
)
"""Every row is tried; names may repeat."""

DETECTOR_NAMES: Final = tuple(dict.fromkeys(detector.entity for detector in DETECTORS))
