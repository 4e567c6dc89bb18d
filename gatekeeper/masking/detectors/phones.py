"""Telephone numbers: the plans of `phonenumbers` decide, within forms that are clear enough to ask them."""

import re
from collections.abc import Iterator
from typing import Final

from gatekeeper.masking.detector import Detector, Validator
from gatekeeper.masking.detectors.bounds import COUNTED, DIGITS_END, DIGITS_START, LINKING, NUMBERED_THINGS
from gatekeeper.masking.detectors.digits import digits_of
from gatekeeper.masking.numbering import international, valid_in

# Where a number without + may be at home.
_TRUNK_REGIONS: Final = ("GB", "FR", "DE", "AU", "JP", "NL", "BE", "CH", "AT", "IE", "SE", "ZA", "KR", "NZ", "IN", "TR")
_REGIONS: Final = (
    "US", *_TRUNK_REGIONS, "ES", "IT", "BR", "MX", "SG", "PL", "DK", "NO", "FI", "PT", "CN", "GR", "CZ", "HU", "RO",
    "RU", "IL", "HK", "AR", "CO", "CL",
)  # fmt: skip
_EXTENSION: Final = r"(?:,? ?(?:x|ext\.?|extension|#) ?\d{1,6})?"
_TAIL: Final = re.compile(r"(?i),? ?(?:x|ext\.?|extension|#) ?\d{1,6}\Z")
_MAY_HAVE_TAIL: Final = re.compile("[xX#]")
_TRUNK_ZERO: Final = "(0)"
_CUT: Final = re.compile(r"(?<=\d)[ ./-]")
# A version, which has a digit alone after a dot; a day; from year to year.
_NO_NUMBER: Final = re.compile(
    r"\.\d(?!\d)|(?<!\d)(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)|\A(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d\Z"
)
_DATE: Final = re.compile(
    r"(?:19|20)\d\d[-./ ]?(?:0[1-9]|1[0-2])[-./ ]?(?:0[1-9]|[12]\d|3[01])(?!\d)"
    r"|(?:0?[1-9]|[12]\d|3[01])([-./])(?:0?[1-9]|[12]\d|3[01])\1(?:19|20)\d\d(?!\d)"
)
_ADDRESS: Final = re.compile(r"(?:[01]?\d?\d|2[0-5]\d)(?:\.\d{1,3}){3}$")
_ZIP_CODE: Final = re.compile(r"\d{5}-\d{4}")
_DECIMAL: Final = re.compile(r"(?!0\d)\d+\.\d+$")
_EPOCH: Final = re.compile(r"1[5-9]\d{8}(?:\d{3})?$")
_LEAST: Final = 7
_LEAST_WITH_00: Final = 12
_LEAST_WITH_TRUNK: Final = 9
_LEAST_BARE: Final = 10
_MOST: Final = 15


def _ends(match: str) -> Iterator[tuple[int, str]]:
    """Give where a number could end, the longest first, and it without extension: at that, before it, or after a group."""
    core = _core(match)
    if _closed(core):
        yield len(match), core
        if len(core) < len(match):
            yield len(core), core
    for cut in [cut.start() for cut in _CUT.finditer(core)][::-1]:
        if _closed(core[:cut]):
            yield cut, core[:cut]


def _closed(core: str) -> bool:
    """Tell whether each bracket that opens within a number is closed."""
    last = core.rfind("(")
    return last <= 0 or last < core.rfind(")")


def _core(match: str) -> str:
    """Give a number without its extension."""
    tail = _TAIL.search(match) if _MAY_HAVE_TAIL.search(match) else None
    return match[: tail.start()] if tail else match


_COORDINATES: Final = re.compile(r"\+[0-8]\d[0-5]\d(?:[0-5]\d)?-[01]\d\d[0-5]\d(?:[0-5]\d)?")  # ISO 6709


def international_number(match: str) -> int:
    """Check a number that begins with + or 00 and a country code; one that is in groups need not be in use."""
    if _COORDINATES.fullmatch(match):
        return 0
    for end, core in _ends(match):
        written = core.replace(_TRUNK_ZERO, "")
        digits = digits_of(written)
        known = international(digits.removeprefix("00"))
        plus = core.startswith(("+", "(+"))
        grouped = len(core) > len(digits) + plus
        if not plus and not grouped and len(digits) < _LEAST_WITH_00:
            continue
        if known or (known is False and grouped and plus):
            return end
    return 0


def american_number(match: str) -> int:
    """Take the North American form as it stands, `(415) 555-0132`; ten equal digits are none."""
    return len(match) if len(set(digits_of(_core(match))[-10:])) > 1 else 0


def trunk_number(match: str) -> int:
    """Check a number that begins with 0, in the regions where that is how one is dialled."""
    if _DATE.match(match) or _ZIP_CODE.fullmatch(match) or (match[0] == "(" and ")" not in match):
        return 0
    for end, core in _ends(match):
        digits = digits_of(core)
        if len(digits) >= _LEAST_WITH_TRUNK and valid_in(digits, _TRUNK_REGIONS):
            return end
    return 0


def british_number(match: str) -> int:
    """Check eleven digits that begin with 0, in the British plan."""
    return len(match) if valid_in(match, ("GB",)) else 0


def brazilian_number(match: str) -> int:
    """Check a number in the Brazilian form, `(11) 91234-5678`."""
    return len(match) if valid_in(digits_of(match), ("BR",)) else 0


def number_in_context(match: str) -> int:
    """Take digits that a word says are a telephone number, unless they are a date, an address or a time."""
    return _plausible(match, _LEAST)


def number_after_verb(match: str) -> int:
    """Take digits after a word that may mean something else: in groups, or as many as a whole number has."""
    return _plausible(match, _LEAST_BARE)


def _is_no_number(match: str) -> bool:
    if "." in match and (_ADDRESS.fullmatch(match) or _DECIMAL.fullmatch(match)):
        return True
    return _NO_NUMBER.search(match) is not None


def _plausible(match: str, least_bare: int) -> int:
    if _DATE.match(match) or (not match.isdecimal() and _is_no_number(match)):
        return 0
    for end, core in _ends(match):
        digits = digits_of(core)
        if not _LEAST <= len(digits) <= _MOST or len(set(digits)) == 1:
            continue
        if core.isdecimal():
            in_use = len(digits) > _LEAST or least_bare == _LEAST
            if (in_use and valid_in(digits, _REGIONS)) or (len(digits) >= least_bare and not _EPOCH.fullmatch(digits)):
                return end
        elif len(digits) <= _MOST:
            return end
    return 0


_AGAINST: Final = rf"{NUMBERED_THINGS}|cve|cwe|rfc|iso|ieee|ansi|hours?|traffic|ads?|users|visitors|downloads|card|account|acct|iban|ssn|passport|licen[cs]e|nhs|npi|abn|acn|tfn|medicare|isbn"
_PHONE_WORDS: Final = (
    r"(?:tele)?phones?(?:.?(?:numbers?|no\.?|num|nr\.?|#))?|tel|tlf|telefon(?:nummer)?|teléfonos?|telefono|telefone|"
    r"téléphone|tél|mobile(?:.?(?:numbers?|no\.?|num))?|mobil(?:nummer)?|móvil|movil|celular|cellulare|cell|cellphone|"
    r"cell ?(?:number|no)|handy(?:nummer)?|rufnummer|fax(?:.?(?:numbers?|no\.?))?|whatsapp|sms|hotline|landline|"
    r"helpline|msisdn|contact.?(?:numbers?|no\.?)|ph|telefoon|gsm|portable|numero di telefono|telem[óo]vel|contacto|tl?fno|cel|fono|mob|kom|caller ?id|recapito(?: telefonico)?|telefonu|"
    r"telefonszám|номер|тел|телефон|"
    r"电话|電話(?:番号)?|手机|手機|携帯|联系方式|전화(?:번호)?|휴대폰|핸드폰|연락처|โทร(?:ศัพท์)?|เบอร์"
)
# The parts of names that a verb may stand in: `home_phone_1`, and neither `work_mem` nor `boxOffice`.
_NEUTRAL: Final = (
    r"(?:\d+|numbers?|no|num|nr|values?|text|str(?:ing)?|raw|field|input|primary|secondary|home|work|mobile|cell|office|desk|"
    r"business|personal|private|main|alt(?:ernate)?|other|new|old|user|customer|client|contact|my|his|her|their|our|patient|employee|"
    r"emergency|day|evening|daytime|direct|company|person|phone|telephone|tel|fax|us|me|ext|line|e164|to|from)"
)
_PHONE_VERBS: Final = (
    r"call(?:ed|ing)?|dial(?:led|ing)?|ring|rang|reach(?:ed|able)?|text(?:ed)? (?:me|us|him|her|them)|"
    r"messages? (?:to|from)|contact(?:ed)?|answering|"
    r"registered(?: (?:with|on|number))?|voicemail|desk ?(?:[:(]|phone|line|numbers?|no\.?)|office|home|work|direct|(?:my|his|her|their|our) number|"
    r"(?:mi|mio|meu|mój|mon|meine?|mijn) (?:n[úu]mero|numer|nummer|numéro)|chiamar(?:e|mi)|bel(?:len)?(?: me| mij)?|app(?: me| mij)|"
    r"appel(?:er|ez)|anrufen|llamar|llame|línea|zap|chiamate|appelle(?:-moi)?|llámame|chiama(?:re|mi)?|ligar|ligue"
)


def _row(form: str, pattern: str, gate: str, validate: Validator, validator: str, **more: str | int) -> Detector:
    return Detector(
        entity="PHONE_NUMBER",
        form=form,
        pattern=pattern,
        gate=gate,
        validate=validate,
        validator=validator,
        spaced=True,
        numeric=True,
        **{"priority": 3, "cost": 500, **more},  # type: ignore[arg-type]  # each has the type of its field
    )


_OPEN: Final = r"\((?=[+\d][\d ]{0,6}\))"  # that a bracket opens within a number, and not before all of it
_GROUPED: Final = rf"(?:\+|{_OPEN}\+?)?\d(?:[ ./-]{{0,2}}[()]{{0,2}}[ -]?\d){{6,14}}"

PHONES: Final = (
    _row(
        "international",
        rf"(?<![\w+])(?<!\d\.)(?:{_OPEN})?\+" r"\d(?:[ ./-]{0,2}[()]{0,2}[ ]?\d){6,15}" + _EXTENSION + r"(?!\w)",
        r"\(?\+\d(?:[ ./-]{0,2}[()]{0,2}[ ]?\d){6}",
        international_number,
        "phone_international",
    ),
    _row(
        "international, with 00",
        DIGITS_START + r"(?<!\d )00[1-9](?:[ ./-]{0,2}[()]{0,2}[ ]?\d){6,14}" + _EXTENSION + DIGITS_END,
        r"\b00[1-9](?:[ ./-]{0,2}[()]{0,2}[ ]?\d){6}",
        international_number,
        "phone_international",
        against=NUMBERED_THINGS,
    ),
    _row(
        "North American, in brackets",
        r"(?<![\w+])(?<!\d[.-])(?:(?:1|001)[ .-]?)?\(\d{3}\)[ .-]{0,2}\d{3}[ .-]\d{4}"
        + _EXTENSION
        + r"(?!\w)(?!-\d)(?!\.\d)",
        r"(?:\b(?:1|001)[ .-]?)?\(\d{3}\)[ .-]{0,2}\d{3}[ .-]\d{4}",
        american_number,
        "phone_north_american",
    ),
    _row(
        "North American",
        r"(?<![\w+])(?<!\d[.-])(?<!\d )(?:(?:1|001)[ .-]?)?"
        r"(?:\d{3}-\d{3}-\d{4}|\d{3}\.\d{3}\.\d{4}|\d{3} \d{3}-\d{4})" + _EXTENSION + r"(?!\w)(?!-\d)(?!\.\d)",
        r"\b(?:(?:1|001)[ .-]?)?\d{3}[ .-]\d{3}[ .-]\d{4}",
        american_number,
        "phone_north_american",
        against=NUMBERED_THINGS,
        priority=5,  # before a number of the NHS, which is written with spaces
    ),
    _row(
        "with trunk prefix 0, in groups",
        rf"(?<![\w+])(?<!\d[ ./-])(?<!\d  )(?<!\w-)(?:{_OPEN})?"
        r"0[1-9]\d{0,4}(?:\) ?|[ -]|/| / )\d{2,8}(?:[ -]\d{2,4}){0,3}" + _EXTENSION + DIGITS_END + r"(?![ .-]\d)",
        r"(?:\(|\b)0[1-9]\d{0,4}(?:\) ?|[ -]|/| / )\d{2}",
        trunk_number,
        "phone_trunk",
        against=NUMBERED_THINGS,
    ),
    _row(
        "in five pairs",
        r"(?<![\w+])(?<!\d[ .,-])(?<!\d  )0[1-9](?:(?: \d{2}){4}|(?:\.\d{2}){4}|(?:-\d{2}){4})(?!\w)(?![ .-]\d)",
        r"\b0[1-9](?:[ .-]\d{2}){4}\b",
        trunk_number,
        "phone_trunk",
        against=rf"{NUMBERED_THINGS}|hex",
    ),
    _row(
        "British, in one piece",
        r"(?<![\w+])(?<!\d[ .,-])(?:0[127]\d{9}|\(0[127]\d{3}\)\d{6,7})" + DIGITS_END,
        r"(?:\(|\b)0[127]\d{3}\)?\d{6}",
        lambda match: len(match) if british_number(digits_of(match)) else 0,
        "phone_british",
        against=NUMBERED_THINGS,
    ),
    _row(
        "Brazilian",
        r"(?<![\w+])(?<!\d[ .,-])\(?\d{2}\) ?9?\d{4}[- ]\d{4}" + DIGITS_END,
        r"(?:\(|\b)\d{2}\) ?\d{4,5}[- ]\d{4}\b",
        brazilian_number,
        "phone_brazilian",
    ),
    _row(
        "after its words",
        r"(?<![\w+])(?<!\d[.-])" + _GROUPED + _EXTENSION + DIGITS_END,
        r"(?:[+(]|\b)\+?\d(?:[ ./-]{0,2}[()]{0,2}[ -]?\d){6}",
        number_in_context,
        "phone_in_context",
        context=_PHONE_WORDS,
        priority=5,
        against=_AGAINST,
        named=COUNTED,
        linked=rf"{LINKING}|{_PHONE_WORDS}",
        within=40,
    ),
    _row(
        "after a verb",
        r"(?<![\w+])(?<!\d[.-])" + _GROUPED + _EXTENSION + DIGITS_END + r"(?!\.[a-z])",
        r"(?:[+(]|\b)\+?\d(?:[ ./-]{0,2}[()]{0,2}[ -]?\d){6}",
        number_after_verb,
        "phone_after_verb",
        context=_PHONE_VERBS,
        priority=5,
        against=rf"{_AGAINST}|items?|tasks?|steps?|units?|jobs?|func(?:tion)?|tools?|at block|codes?|in|after|every|for|took|than",
        named=rf"(?:{_NEUTRAL}_)*\*(?:_{_NEUTRAL})*",
        linked=rf"{LINKING}|{_PHONE_WORDS}|{_PHONE_VERBS}",
        within=24,
    ),
    _row(
        "before its word",
        r"(?<![\w+])(?<!\d[.-])(?>" + _GROUPED + r")(?: ?-? ?|\n)\(?(?i:office|fax|mobile|cell|home|work|direct)(?!\w)",
        r"(?i)\d(?: ?-? ?|\n)\(?(?:office|fax|mobile|cell|home|work|direct)\b",
        lambda match: number_after_verb(re.sub(r"[^\d)]+\Z", "", match)),
        "phone_after_verb",
        shape=r"(?:[+(]|\b)\+?\d(?:[ ./-]{0,2}[()]{0,2}[ -]?\d){6}",
        against=NUMBERED_THINGS,
    ),
)
