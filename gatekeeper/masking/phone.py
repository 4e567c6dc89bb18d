"""Telephone numbers: `phonenumbers` decides, within forms that are clear enough to ask it."""

import re
from typing import Final

import phonenumbers

# Where a number without + may be at home. The order doesn't matter: one that knows it is enough.
_REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "IN", "AU", "BR", "MX", "SG", "ZA", "IE", "CH", "AT")
_DATE: Final = re.compile(r"(?:19|20)\d\d[-./ ]?(?:0[1-9]|1[0-2])[-./ ]?(?:0[1-9]|[12]\d|3[01])(?!\d)")
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}$")


def international(match: str) -> int:
    """Check a number that begins with + and a country code; a shorter part counts where the whole does not."""
    return _longest(match, (None,))


def american(match: str) -> int:
    """Check a number in the North American form, `(415) 555-0132`."""
    return _longest(match, ("US",))


def british(match: str) -> int:
    """Check a number in the British form, `020 7946 0958`."""
    return _longest(match, ("GB",))


def french(match: str) -> int:
    """Check a number in the French form, `01 42 68 53 00`."""
    return _longest(match, ("FR",))


def in_context(match: str) -> int:
    """Check digits that a word says are a telephone number, in any of the regions."""
    if _DATE.match(match) or _ADDRESS.fullmatch(match):
        return 0
    return _longest(match, _REGIONS)


def _longest(match: str, regions: tuple[str | None, ...]) -> int:
    ends = [len(match), *(found.start() for found in reversed(list(re.finditer(r"(?<=\d)[ ./-]", match))))]
    return next((end for end in ends if any(_valid(match[:end], region) for region in regions)), 0)


def _valid(text: str, region: str | None) -> bool:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))
