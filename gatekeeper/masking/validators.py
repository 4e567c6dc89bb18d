"""The validators by name, for detectors of one's own. Each says how much of a match counts, from its start."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gatekeeper.masking.catalogue import DETECTORS
from gatekeeper.masking.detector import Validator
from gatekeeper.masking.detectors.digits import digits_of, luhn
from gatekeeper.masking.detectors.entropy import high_entropy, random_looking


def luhn_digits(match: str) -> int:
    """Check the Luhn digit over the digits of a match, whatever stands between them."""
    digits = digits_of(match)
    return len(match) if digits and luhn(digits) else 0


VALIDATORS: Final[Mapping[str, Validator]] = MappingProxyType(
    {detector.validator: detector.validate for detector in DETECTORS if detector.validate and detector.validator}
    | {"luhn": luhn_digits, "high_entropy": high_entropy, "random_looking": random_looking}
)
