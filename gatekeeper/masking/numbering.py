"""The numbering plans of `phonenumbers`, each compiled once: a hundredth of what its own parse and check take."""

import functools
import re
from typing import Final

import msgspec
import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

_TYPES: Final = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip
_LONGEST_CODE: Final = 3


class Plan(msgspec.Struct, frozen=True):
    """What numbers a region has: which are in use, how long they may be, and what is dialled before one at home."""

    numbers: re.Pattern[str]
    lengths: frozenset[int]
    trunk: str

    def valid(self, number: str) -> bool:
        """Tell whether a national number, with or without trunk prefix, is in use."""
        if self.numbers.fullmatch(number):
            return True
        trunk = self.trunk
        return bool(trunk) and number.startswith(trunk) and self.numbers.fullmatch(number, len(trunk)) is not None


@functools.cache
def plan_of(region: str) -> Plan:
    """Compile the plan of a region by its code, or of a country code that no region has."""
    metadata = PhoneMetadata.metadata_for_region(region) or PhoneMetadata.metadata_for_nongeo_region(int(region))
    if metadata is None:
        msg = f"phonenumbers has no plan of {region}"
        raise LookupError(msg)
    kinds = [getattr(metadata, kind) for kind in _TYPES]
    used = [kind for kind in kinds if kind is not None and kind.national_number_pattern]
    return Plan(
        re.compile("|".join(f"(?:{kind.national_number_pattern})" for kind in used)),
        frozenset(length for kind in used for length in kind.possible_length),
        metadata.national_prefix or "",
    )


def valid_in(number: str, regions: tuple[str, ...]) -> bool:
    """Tell whether the digits are a number in use in one of the regions."""
    return _plans(regions).fullmatch(number) is not None


@functools.cache
def _plans(regions: tuple[str, ...]) -> re.Pattern[str]:
    """Compile the plans of regions into one pattern, with and without what is dialled before a number at home."""
    plans = map(plan_of, regions)
    return re.compile("|".join(f"(?:{re.escape(plan.trunk)})?(?:{plan.numbers.pattern})" for plan in plans))


@functools.lru_cache(maxsize=1 << 14)
def international(digits: str) -> bool | None:
    """Tell of what follows +: a number in use (True), one that could be (False), or none (None)."""
    for length in range(1, min(_LONGEST_CODE, len(digits)) + 1):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length]))
        if regions is None:
            continue
        number = digits[length:]
        plans = [
            plan_of(str(int(digits[:length])) if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else region)
            for region in regions
        ]
        if any(plan.valid(number) for plan in plans):
            return True
        lengths = plans[0].lengths
        return False if len(number) in lengths or len(number.removeprefix("0")) in lengths else None
    return None
