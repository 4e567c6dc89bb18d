"""The table of detectors. Names follow Presidio, so that teams can move their rules over."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from gatekeeper.exchange import canonical_json
from gatekeeper.masking.detector import Detector
from gatekeeper.masking.detectors.api_keys import API_KEYS
from gatekeeper.masking.detectors.cards import CARDS
from gatekeeper.masking.detectors.crypto import CRYPTO
from gatekeeper.masking.detectors.dates import DATES
from gatekeeper.masking.detectors.europe import EUROPE
from gatekeeper.masking.detectors.network import NETWORK
from gatekeeper.masking.detectors.phones import PHONES
from gatekeeper.masking.detectors.tokens import TOKENS
from gatekeeper.masking.detectors.united_states import UNITED_STATES
from gatekeeper.masking.detectors.unspaced import apart
from gatekeeper.masking.detectors.world import WORLD

_ROWS: Final = (
    *CARDS, *UNITED_STATES, *EUROPE, *WORLD, *PHONES, *NETWORK, *CRYPTO, *DATES, *TOKENS, *API_KEYS,
)  # fmt: skip
DETECTORS: Final = tuple(msgspec.structs.replace(row, pattern=apart(row.pattern)) for row in _ROWS)
"""Every row is tried; names may repeat."""

DETECTOR_NAMES: Final = tuple(dict.fromkeys(detector.entity for detector in DETECTORS))
DEFAULT_DETECTORS: Final = tuple(detector for detector in DETECTORS if detector.default)


def catalogue_digest(detectors: Sequence[Detector] = DETECTORS) -> str:
    """Name a table of detectors by what it finds: SHA-256 hex over all that its rows say."""
    told = [[getattr(row, name) for name in row.__struct_fields__ if name != "validate"] for row in detectors]
    return hashlib.sha256(canonical_json(told)).hexdigest()
