"""Tells what was made at random from what people or programs named."""

import math
import re
from collections import Counter
from typing import Final

_LEAST_DIGITS: Final = 2
_LEAST_BITS: Final = 3.0  # a character; English words joined by dashes stay below it, base64 of 24 characters above 4
_LEAST_BITS_HEX: Final = 2.6
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_PLACEHOLDER: Final = re.compile(
    r"(?i)x{4}|\*{3}|\.{3}|your|example|changeme|placeholder|redacted|replace|<|\$|0{6}|1234567890"
)
_NAME: Final = re.compile(
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Z]\w*?[a-z]{4,}|[a-z]+(?:_[a-z0-9]+)+|[A-Z]\w*?(?:Key|Token|Secret)"
)
_FINGERPRINT: Final = re.compile(r"[0-9A-F]{40}")  # of an OpenPGP key (RFC 9580 §5.5.4)
_CASE_CHANGE: Final = re.compile(r"[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]")


_KEY_TYPES: Final = ("ssh-", "ecdsa-")  # `sk-ssh-ed25519@openssh.com` is a kind of key (OpenSSH, PROTOCOL.u2f)


def random_looking(match: str) -> int:
    """Tell a key from words joined by dashes: it has at least two digits, or capitals and small letters."""
    body = match.partition("-")[2] or match
    if body.startswith(_KEY_TYPES):
        return 0
    digits = sum(char.isdigit() for char in body)
    mixed = any(char.isupper() for char in body) and any(char.islower() for char in body)
    return len(match) if digits >= _LEAST_DIGITS or mixed else 0


def bits(text: str) -> float:
    """Give the entropy of a text's characters, in bits a character (Shannon)."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


def high_entropy(match: str) -> int:
    """Tell a random value from a name, a path, a version or a placeholder."""
    value = match.rstrip("=.")
    if _PLACEHOLDER.search(value) or _NAME.fullmatch(value) or sum(char.isdigit() for char in value) < _LEAST_DIGITS:
        return 0
    if _FINGERPRINT.fullmatch(value):
        return 0
    if _HEX.fullmatch(value):
        return len(match.rstrip(".")) if bits(value.lower()) >= _LEAST_BITS_HEX and not value.isdecimal() else 0
    changes = len(_CASE_CHANGE.findall(value))
    return len(match.rstrip(".")) if bits(value) >= _LEAST_BITS and changes >= len(value) // 8 else 0
