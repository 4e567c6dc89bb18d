"""Addresses of Bitcoin and Ethereum, each with its checksum."""

from typing import Final

from stdnum import bitcoin

from gatekeeper.masking.detector import Detector
from gatekeeper.masking.keccak import keccak256

_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_LENGTHS: Final = (42, 62)  # of version 0: 20 or 32 bytes
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANT: Final = 1
_BECH32M_CONSTANT: Final = 0x2BC830A3


def base58_address(match: str) -> int:
    """Check the double SHA-256 at the end of a base58 address."""
    return len(match) if bitcoin.is_valid(match) else 0


def segwit_address(match: str) -> int:
    """Check a bech32 address (BIP 173, version 0) or a bech32m one (BIP 350, from version 1 on)."""
    address = match.lower()
    if match not in {address, match.upper()}:
        return 0
    human, _, rest = address.rpartition("1")
    data = [_BECH32.find(char) for char in rest]
    if min(data, default=-1) < 0:
        return 0
    values = [ord(char) >> 5 for char in human] + [0] + [ord(char) & 31 for char in human] + data
    constant = _BECH32M_CONSTANT if data[0] else _BECH32_CONSTANT
    if _polymod(values) != constant or (not data[0] and len(match) not in _BECH32_LENGTHS):
        return 0
    return len(match)


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


_HALF: Final = 8


def ethereum_address(match: str) -> int:
    """Check the case of the letters (EIP-55); one written in one case has no checksum."""
    digits = match[2:]
    if len(set(digits.lower())) == 1:
        return 0
    if digits in {digits.lower(), digits.upper()}:
        return len(match)
    digest = keccak256(digits.lower().encode()).hex()
    right = "".join(
        char.upper() if int(nibble, 16) >= _HALF else char for char, nibble in zip(digits.lower(), digest, strict=False)
    )
    return len(match) if digits == right else 0


_BASE58: Final = "[1-9A-HJ-NP-Za-km-z]"

CRYPTO: Final = (
    Detector(
        entity="CRYPTO",
        form="Bitcoin, base58",
        pattern=rf"(?<![A-Za-z0-9])[13]{_BASE58}{{25,34}}(?![A-Za-z0-9])",
        gate=rf"\b[13]{_BASE58}{{25,34}}\b",
        validate=base58_address,
        validator="base58check",
        cost=2_000,
        priority=6,
    ),
    Detector(
        entity="CRYPTO",
        form="Bitcoin, bech32 or bech32m",
        pattern=r"(?<![A-Za-z0-9])(?i:bc1[02-9ac-hj-np-z]{11,71})(?![A-Za-z0-9])",
        gate=r"(?i)\bbc1[02-9ac-hj-np-z]{11}",
        validate=segwit_address,
        validator="bech32",
        cost=5_000,
        priority=6,
    ),
    Detector(
        entity="CRYPTO",
        form="Ethereum",
        pattern=r"(?<![A-Za-z0-9])0x[0-9a-fA-F]{40}(?![A-Za-z0-9])",
        gate=r"\b0x[0-9a-fA-F]{40}\b",
        validate=ethereum_address,
        validator="eip55",
        cost=30_000,
        priority=6,
    ),
)
