"""Tokens and private keys."""

import base64
import binascii
from typing import Final

import msgspec

from gatekeeper.masking.detector import Detector

_SEGMENT: Final = "[A-Za-z0-9_-]"


def jwt(match: str) -> int:
    """Check that the first part is a JOSE header (RFC 7515 §4, RFC 7516 §4): a JSON object with `alg`."""
    first = match.partition(".")[0]
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error):
        return 0
    return len(match) if isinstance(header, dict) and ("alg" in header or "enc" in header) else 0


PRIVATE_KEY_LIMIT: Final = 12_000
"""Characters of a private key in PEM; 8192 bits of RSA take 6,400."""

TOKENS: Final = (
    Detector(
        entity="JWT",
        form="three or five parts",
        pattern=rf"(?<![A-Za-z0-9_.-])eyJ{_SEGMENT}{{8,2000}}\.{_SEGMENT}{{0,4000}}\.{_SEGMENT}{{0,2000}}"
        rf"(?:\.{_SEGMENT}{{1,4000}}\.{_SEGMENT}{{1,100}})?(?![A-Za-z0-9_-])",
        gate=rf"\beyJ{_SEGMENT}{{8,100}}",
        validate=jwt,
        validator="jwt",
        cost=1_000,
        priority=8,
    ),
    Detector(
        entity="PRIVATE_KEY",
        form="PEM or PGP armour",
        pattern=r"-{4,5} ?BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
        rf"(?:[A-Za-z0-9+/=\s\\:,.()@<>_-]{{0,{PRIVATE_KEY_LIMIT}}}?-{{4,5}} ?END [A-Z0-9 ]{{0,30}}PRIVATE KEY(?: BLOCK)? ?-{{4,5}}"
        rf"|[\s\\nr]{{0,8}}[A-Za-z0-9+/]{{24}}[A-Za-z0-9+/=\s\\]{{0,{PRIVATE_KEY_LIMIT}}})",
        gate=r"-----? ?BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY",
        priority=9,
        spaced=True,
    ),
)
