"""What a detector found: its entity and place, never the value."""

from collections.abc import Iterable

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """`entity` is the detector's name; `place` is `body`, `url`, or `header NAME`."""

    entity: str
    place: str


def count_findings(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by entity, as the journal states them."""
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.entity] = counts.get(finding.entity, 0) + 1
    return counts
