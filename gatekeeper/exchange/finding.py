"""What a detector found: its entity and place, never the value."""

from collections import Counter
from collections.abc import Iterable

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """`entity` is the detector's name; `place` is `body`, `url`, or `header NAME`."""

    entity: str
    place: str


def count_findings(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by entity, as the journal states them."""
    return dict(Counter(finding.entity for finding in findings))
