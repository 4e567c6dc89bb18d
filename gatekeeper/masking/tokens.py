"""The forms of pseudonyms: like what they stand for, in ranges that are reserved, so that they are nobody's."""

import re
from collections.abc import Callable
from typing import Final

from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from gatekeeper.masking.detector import Detector

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 §6, in lower case: models keep it
_NUMBER: Final = re.compile(r"[\d.:a-fA-F]*[.:][\d.:a-fA-F]*[.:][\d.:a-fA-F]*")

PSEUDONYM: Final = "PSEUDONYM"
"""The entity of stand-ins that have no form but their name."""


class Digits:
    """Digits and letters drawn from a keyed hash of 64 bytes."""

    __slots__ = ("_left",)

    def __init__(self, seed: bytes) -> None:
        self._left = int.from_bytes(seed)

    def below(self, bound: int) -> int:
        """Draw a number."""
        self._left, drawn = divmod(self._left, bound)
        return drawn

    def decimal(self, count: int) -> str:
        """Draw decimal digits."""
        return f"{self.below(10**count):0{count}}"

    def letters(self, count: int) -> str:
        """Draw letters."""
        return "".join(_LETTERS[self.below(len(_LETTERS))] for _ in range(count))


def token_key(token: str) -> str:
    """Give what two spellings of one stand-in share: letters and digits, in lower case; of an address all of it."""
    text = token.strip().casefold()
    return text if _NUMBER.fullmatch(text) else "".join(filter(str.isalnum, text))


def token_like(entity: str, value: str, digits: Digits) -> str | None:
    """Give a stand-in that has the form of a value; None where there is no reserved range of that form."""
    form = _FORMS.get(entity)
    return form(value, digits) if form else None


def generic_token(entity: str, digits: Digits) -> str:
    """Give a stand-in of no form: a word that says what it stands for."""
    return f"{entity}_{digits.letters(10)}"


def _spaced_like(value: str, digits: str) -> str | None:
    """Put digits where those of the value stand."""
    if sum(map(str.isdecimal, value)) != len(digits):
        return None
    drawn = iter(digits)
    return "".join(next(drawn) if char.isdecimal() else char for char in value)


def _email(_: str, digits: Digits) -> str:
    """RFC 2606 §3 reserves the domain."""
    return f"u{digits.letters(11)}@example.com"


def _card(value: str, digits: Digits) -> str | None:
    """ISO/IEC 7812-1: 9, then a country's number; 999 is none (ISO 3166-1)."""
    length = sum(map(str.isdecimal, value))
    if length < _CARD_LEAST:
        return None
    number = "9999" + digits.decimal(length - 5)
    return _spaced_like(value, number + luhn.calc_check_digit(number))


_CARD_LEAST: Final = 12


def _phone(value: str, digits: Digits) -> str:
    """555-0100 to 555-0199 are for fiction in each area (ATIS, NANP 555 line number assignment guidelines)."""
    area = f"{2 + digits.below(8)}{digits.below(9)}{digits.decimal(1)}"
    area = area if area[1:] != "11" else f"{area[0]}12"
    number = f"{area}55501{digits.decimal(2)}"
    national = _spaced_like(value, number) or _spaced_like(value, "1" + number)
    return national or f"+1 {area}-555-{number[6:]}"


def _ssn(value: str, digits: Digits) -> str | None:
    """Area 000 was never issued (SSA, POMS RM 10201.035)."""
    return _spaced_like(value, f"000{1 + digits.below(99):02}{1 + digits.below(9999):04}")


def _iban(value: str, digits: Digits) -> str | None:
    """ISO 13616 check digits over a bank that is 0000 or XXXX."""
    compact = "".join(filter(str.isalnum, value)).upper()
    country, account = compact[:2], compact[4:]
    drawn = "".join(
        ("0" if char.isdecimal() else "X") if place < _BANK else (digits.decimal(1) if char.isdecimal() else "X")
        for place, char in enumerate(account)
    )
    check = mod_97_10.calc_check_digits(drawn + country)
    whole = iter(f"{country}{check}{drawn}")
    return "".join(next(whole) if char.isalnum() else char for char in value)


_BANK: Final = 4


def _ip(value: str, digits: Digits) -> str:
    """RFC 1112 §4 reserves 240.0.0.0/4, RFC 3849 2001:db8::/32."""
    if ":" in value:
        return "2001:db8:" + ":".join(f"{1 + digits.below(0xFFFF):x}" for _ in range(6))
    return f"240.{digits.below(256)}.{digits.below(256)}.{1 + digits.below(254)}"


def _mac(value: str, digits: Digits) -> str | None:
    """IEEE 802-2014 §8.4: a first octet of 02 is administered locally."""
    drawn = iter(f"02{digits.below(1 << 40):010x}")
    if sum(map(str.isalnum, value)) != _MAC_DIGITS:
        return None
    return "".join(next(drawn) if char.isalnum() else char for char in value)


_MAC_DIGITS: Final = 12

_FORMS: Final[dict[str, Callable[[str, Digits], str | None]]] = {
    "EMAIL_ADDRESS": _email,
    "CREDIT_CARD": _card,
    "PHONE_NUMBER": _phone,
    "US_SSN": _ssn,
    "IBAN_CODE": _iban,
    "IP_ADDRESS": _ip,
    "MAC_ADDRESS": _mac,
}


def token_detectors(entities: tuple[str, ...]) -> tuple[Detector, ...]:
    """Give the rows that find stand-ins in answers, where the value's own detectors would not."""
    named = "|".join(sorted(set(entities) - _FORMS.keys(), key=len, reverse=True))
    return (
        Detector(
            entity="CREDIT_CARD",
            form="stand-in",
            pattern=r"(?<![\w+])(?<!\d\.)9(?:[ -]?9){3}(?:[ -]?\d){8,15}(?!\w)(?!\.\d)",
            gate=r"9[ -]?9[ -]?9[ -]?9(?:[ -]?\d){8}",
            validate=lambda text: len(text) if luhn.is_valid(_alone(text)) else 0,
            priority=4,
            spaced=True,
        ),
        Detector(
            entity="PHONE_NUMBER",
            form="stand-in",
            pattern=r"(?<![\w+])(?:\+?1[ .-]?)?\(?[2-9]\d{2}\)?[ .-]{0,2}555[ .-]?01\d{2}(?!\w)(?!-\w)",
            gate=r"555[ .-]?01\d{2}",
            shape=r"(?:\+?1[ .-]?)?\(?[2-9]\d{2}\)?[ .-]{0,2}555[ .-]?01\d{2}",
            priority=1,
            spaced=True,
        ),
        Detector(
            entity="US_SSN",
            form="stand-in",
            pattern=r"(?<!\w)(?<!\w-)000[ .-]?\d{2}[ .-]?\d{4}(?!\w)(?!-\w)",
            gate=r"000[ .-]?\d{2}[ .-]?\d{4}",
            spaced=True,
        ),
        Detector(
            entity="IBAN_CODE",
            form="stand-in",
            pattern=r"(?i)(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[0X]){4}(?:[ -]?[A-Z0-9]){7,26}(?!\w)",
            gate=r"(?i)[A-Z]{2}\d{2}(?:[ -]?[0X]){4}(?:[ -]?[A-Z0-9]){7}",
            validate=lambda text: len(text) if mod_97_10.is_valid(_alone(text[4:] + text[:4])) else 0,
            spaced=True,
        ),
        Detector(
            entity="IP_ADDRESS",
            form="stand-in",
            pattern=r"(?<![\w.])240(?:\.\d{1,3}){3}(?!\w)(?!\.\d)",
            gate=r"240\.\d{1,3}\.\d{1,3}\.\d{1,3}",
        ),
        Detector(
            entity="IP_ADDRESS",
            form="stand-in",
            pattern=r"(?i)(?<![\w:.])2001:db8(?::[0-9a-f]{1,4}){6}(?![\w:])",
            gate=r"(?i)2001:db8(?::[0-9a-f]{1,4}){6}",
        ),
        Detector(
            entity="MAC_ADDRESS",
            form="stand-in",
            pattern=r"(?i)(?<![\w:-])02(?:[:-][0-9a-f]{2}){5}(?!\w)(?![:-]\w)",
            gate=r"(?i)02(?:[:-][0-9a-f]{2}){5}",
        ),
        Detector(
            entity=PSEUDONYM,
            form="stand-in",
            pattern=rf"(?i)(?<!\w)(?:{named})_[a-z2-7]{{10}}(?!\w)",
            gate=rf"(?i)(?:{named})_[a-z2-7]{{10}}",
            priority=-1,
        ),
    )


def _alone(text: str) -> str:
    return "".join(filter(str.isalnum, text)).upper()
