"""Dates: of birth, after the words that say so; others only where they are asked for."""

import re
from typing import Final

from gatekeeper.masking.detector import Detector

_MONTHS: Final = (
    r"(?:stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia|"
    r"jan(?:uary|uar|vier|eiro|uari)?|enero|gennaio|feb(?:ruary|ruar|rero|braio|ruari)?|février|fevereiro|"
    r"mar(?:ch|s|zo|ço|ec)?|märz|maart|apr(?:il|ile)?|avril|abril|may|mai|mayo|maggio|maio|mei|"
    r"june?|juni|juin|junio|giugno|junho|july?|juli|juillet|julio|luglio|julho|aug(?:ust|ustus)?|août|agosto|"
    r"sept?(?:ember|embre|iembre)?|settembre|setembro|oct(?:ober|obre|ubre)?|okt(?:ober)?|ottobre|outubro|"
    r"nov(?:ember|embre|iembre|embro)?|dec(?:ember)?|dez(?:ember|embro)?|décembre|diciembre|dicembre)\.?"
)
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_ORDINAL: Final = r"(?:st|nd|rd|th|er|\.|º)?"
_NUMERIC: Final = (
    r"(?:\d{4}([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"
    r"|\d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2}))"
)
_EAST_ASIAN: Final = r"\d{4} ?(?:年 ?\d{1,2} ?月 ?\d{1,2} ?日|년 ?\d{1,2} ?월 ?\d{1,2} ?일)"
_TIME: Final = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?(?i:am|pm))?(?:Z|[+-]\d{2}:?\d{2})?)?"
_WRITTEN: Final = (
    rf"(?i:{_DAY}{_ORDINAL}(?: of| de)? ?[ -]?{_MONTHS}(?: de| del)?,? ?[ -]?'?\d{{2,4}}"
    rf"|{_MONTHS} {_DAY}{_ORDINAL},? '?\d{{2,4}}|\d{{4}}[ -]{_MONTHS}[ -]{_DAY})"
)
_BORN: Final = (
    r"born(?: on| in)?|d\.?o\.?b\.?|date ?of ?birth|birth ?(?:date|day|dt)|dateofbirth|bdate|b-?day|birth ?[:=]|geb(?:oren|\.)?(?: am)?|"
    r"geburts(?:datum|tag)|né(?:\(?e\)?)? le|date de naissance|naissance|fecha de nacimiento|nacid[oa](?: el)?|"
    r"data di nascita|nat[oa] il|data de nascimento|nascid[oa](?: em)?|geboortedatum|nascimento|nací(?: el)?|doğum tarihim|urodzon[ya]|data ur(?:odzenia|\.)?|ur\.(?: dnia)?|"
    r"fecha ?nac(?:imiento)?|fecha de nac|f\. ?nac|nació(?: el)?|data ?nasc(?:ita|imento)|data de nasc|nasc\.|nasci em|nat[oa]/[oa] il|"
    r"nat[oa] a [a-z' ]{2,32}(?: \([a-z]{2}\))? il|birth ?time|née? à [a-z]{2,20} le|anniversaire(?: est)?(?: le)?|födelsedatum|fødselsdato|"
    r"datum narození|дата рождения|doğum tarihi|出生(?:日期|年月日?)|生年月日|生日|誕生日|생년월일|생일"
)
_GROUPS: Final = re.compile(r"\d+")
_MONTHS_A_YEAR: Final = 12
_DAYS_A_MONTH: Final = 31
_YEAR_DIGITS: Final = 4
_FIRST_YEAR: Final = 1850
_LAST_YEAR: Final = 2100


def calendar_date(match: str) -> int:
    """Check that a date in digits names a day and a month; one with the month's name does."""
    numbers = _GROUPS.findall(match.partition("T")[0])[:3]
    if len(numbers) < 3 or any(char.isalpha() for char in match.partition("T")[0]):  # noqa: PLR2004 - day, month, year
        return len(match)
    if any(len(number) == _YEAR_DIGITS and not _FIRST_YEAR <= int(number) <= _LAST_YEAR for number in numbers):
        return 0
    day, month = (numbers[2], numbers[1]) if len(numbers[0]) == _YEAR_DIGITS else (numbers[0], numbers[1])
    low, high = sorted((int(day), int(month)))
    return len(match) if 1 <= low <= _MONTHS_A_YEAR and high <= _DAYS_A_MONTH else 0


_GATE_NUMERIC: Final = r"\b\d{1,4}[-/.]\d{1,2}[-/.]\d"
_GATE_SPACED: Final = r"\b\d{1,4}[-/. ?]{1,3}\d{1,2}[-/. ?]{1,3}\d"
_SPACED: Final = r"(?:\d{1,2} \d{1,2} \d{4}|\d{4} \d{2} \d{2})"
_SHAPE_WRITTEN: Final = r"(?i)\b(?:\d{1,4}[^\d]{1,8}[a-z]|[a-z][a-z?]{2,10}\.? \d)"

DATES: Final = (
    Detector(
        entity="DATE_OF_BIRTH",
        form="in digits",
        pattern=rf"(?<![\w.])(?<!\d[-/])(?:{_NUMERIC}{_TIME}|{_SPACED}|{_EAST_ASIAN})(?!\w)(?![-/]\d)",
        gate=_GATE_SPACED,
        validate=calendar_date,
        validator="calendar_date",
        context=_BORN,
        against=r"default|min|max|ausgabe|seiten|created|updated|modified|changed|admi(?:tted|ssion)|signature|signed|expir(?:es|y|ation|ed)|"
        r"issued?|valid|covered|visit|registered|joined|hired|due|seen",
        priority=6,
        spaced=True,
    ),
    Detector(
        entity="DATE_OF_BIRTH",
        form="with the month's name",
        pattern=r"(?<![\w.])" + _WRITTEN + r"(?!\w)",
        gate=r"\d",
        shape=_SHAPE_WRITTEN,
        context=_BORN,
        priority=6,
        spaced=True,
        letters=True,
    ),
    Detector(
        entity="DATE_OF_BIRTH",
        form="eight digits",
        pattern=r"(?<!\w)(?<!\d\.)(?:(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])(?:19|20)\d\d)(?!\w)",
        gate=r"\b\d{8}\b",
        numeric=True,
        context=_BORN,
        within=24,
        priority=5,
    ),
    Detector(
        entity="DATE_TIME",
        form="in digits",
        pattern=r"(?<![\w.])(?<!\d[-/])" + _NUMERIC + _TIME + r"(?!\w)(?![-/]\d)",
        gate=_GATE_NUMERIC,
        validate=calendar_date,
        validator="calendar_date",
        priority=2,
        spaced=True,
        default=False,
    ),
    Detector(
        entity="DATE_TIME",
        form="with the month's name",
        pattern=r"(?<![\w.])" + _WRITTEN + r"(?!\w)",
        gate=r"\d",
        shape=_SHAPE_WRITTEN,
        priority=2,
        spaced=True,
        letters=True,
        default=False,
    ),
)
