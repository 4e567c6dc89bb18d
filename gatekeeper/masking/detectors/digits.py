"""The digits of a number as it is written, and the check digit that most have."""

from typing import Final

_OTHERS: Final = bytes(code for code in range(256) if not chr(code).isdecimal())
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")  # the sum of the digits of twice a digit


def digits_of(match: str) -> str:
    """Give the ASCII digits of a match, without what stands between them."""
    return match if match.isdecimal() else match.encode().translate(None, _OTHERS).decode()


def luhn(digits: str) -> bool:
    """Check the last digit (ISO/IEC 7812-1 annex B); a tenth of what python-stdnum's takes."""
    codes = digits.encode()
    return not (sum(codes[::-2]) + sum(codes[-2::-2].translate(_DOUBLED)) - ord("0") * len(codes)) % 10
