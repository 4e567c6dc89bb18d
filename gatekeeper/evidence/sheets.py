"""The bundle's tables: CSV that a spreadsheet opens, UTF-8 with BOM, times in UTC, formulas neutralised."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self, TextIO

from gatekeeper.replay.export.cells import BOM, csv_line

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "population": (
        "seq", "end_seq", "time", "exchange", "session", "issuer", "subject", "workflow", "method", "url", "host",
        "dialect", "model", "action", "rule", "outcome", "status", "answered_by", "findings_request",
        "findings_answer", "uninspected", "approval", "took_us",
    ),
    "approvals": (
        "approval", "hold_seq", "time", "subject", "rule", "of", "required", "excluded_owners", "outcome",
        "outcome_seq", "waited_us", "decided_by", "decisions", "break_glass", "grant", "reasons",
    ),
    "denials": ("seq", "time", "kind", "reason", "rule", "subject", "peer", "method", "target", "count"),
    "masking": ("entity", "in_requests", "in_answers", "calls"),
    "identities": (
        "issuer", "subject", "workflow", "groups", "first", "last", "calls", "denied", "held", "tokens", "hosts",
    ),
    "config_changes": ("seq", "time", "event", "config", "version", "by"),
    "key_events": ("seq", "time", "event", "by", "detail"),
    "clock": ("seq", "time", "event", "since_last_us"),
    "gaps": ("from_seq", "to_seq", "from", "to", "kind", "seconds"),
    "reconciliation": ("source", "what", "outside", "recorded", "difference"),
    "access": ("seq", "time", "by", "range", "command"),
    "exceptions": ("kind", "seq", "time", "subject", "owner", "what"),
}  # fmt: skip
"""Name of a sheet: its columns. Every sheet is written, also where it has no rows."""


class Sheets:
    """All sheets, open for writing; rows go out as they come."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, TextIO] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for name, columns in COLUMNS.items():
            file = (folder / f"{name}.csv").open("w", encoding="utf-8", newline="")
            file.write(BOM + csv_line(columns))
            self._files[name] = file
        self.rows: dict[str, int] = dict.fromkeys(COLUMNS, 0)

    def write(self, sheet: str, cells: Sequence[str]) -> None:
        """Add a row; raises ValueError for another number of cells than the sheet has columns."""
        if len(cells) != len(COLUMNS[sheet]):
            msg = f"{sheet} has {len(COLUMNS[sheet])} columns, not {len(cells)}"
            raise ValueError(msg)
        self._files[sheet].write(csv_line(cells))
        self.rows[sheet] += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()
