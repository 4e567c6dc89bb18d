"""Counts from outside, such as a provider's usage export or an egress counter, to lay beside the log's own."""

import csv
from pathlib import Path
from typing import Final

COLUMNS: Final = ("source", "what", "count")

type OutsideCount = tuple[str, str, int]
"""(source, what, count); `what` is a host, `host:port`, or `all`."""


def read_outside(path: Path) -> tuple[OutsideCount, ...]:
    """Read a CSV file with the columns `source,what,count`; raises ValueError that names the line."""
    counts: list[OutsideCount] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            msg = f"{path}: line 1: expected the columns {','.join(COLUMNS)}"
            raise ValueError(msg)
        for number, row in enumerate(rows, 2):
            count = row["count"] or ""
            if not (count.isascii() and count.isdigit()) or not row["source"] or not row["what"]:
                msg = f"{path}: line {number}: expected a source, a host or `all`, and a whole number"
                raise ValueError(msg)
            counts.append((row["source"], row["what"], int(count)))
    return tuple(counts)
