"""Counts what is recorded, for metrics: kinds, verdicts, reasons, detectors. No name, host or text is a key here."""

from bisect import bisect_left
from collections import Counter
from typing import Final

from gatekeeper.journal.draft import Draft
from gatekeeper.journal.entries import (
    DecisionData,
    ErrorData,
    RefusedData,
    RequestData,
    ResponseData,
    TruncatedData,
)

BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Seconds of a commit: upper bounds."""


class Tally:
    """What was handed in since the start, and how long commits took."""

    def __init__(self) -> None:
        self.entries: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.responses: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.findings: Counter[tuple[str, str]] = Counter()
        self.decisions = 0
        self.body_bytes = 0
        self.commits = [0] * (len(BUCKETS) + 1)
        self.commit_seconds = 0.0

    def count(self, draft: Draft) -> None:
        """Count one entry."""
        data = draft.data
        self.entries[data.kind] += 1
        if draft.content is not None:
            self.body_bytes += len(draft.content.data)
        match data:
            case RequestData():
                self.requests[data.verdict.action] += 1
                self._found("request", data.findings)
            case ResponseData():
                self.responses[data.by, f"{data.status // 100}xx"] += 1
                self._found("response", data.findings)
            case RefusedData():
                self.refused[data.reason] += data.count
            case ErrorData() | TruncatedData():
                self.errors[data.reason, data.side] += 1
            case DecisionData():
                self.decisions += 1
            case _:
                pass

    def committed(self, seconds: float) -> None:
        """Count one commit; as the writer says it."""
        self.commits[bisect_left(BUCKETS, seconds)] += 1
        self.commit_seconds += seconds

    def _found(self, side: str, findings: dict[str, int]) -> None:
        for entity, count in findings.items():
            self.findings[side, entity] += count
