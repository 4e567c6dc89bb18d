"""Cells of a table that a spreadsheet opens: what it would take for a formula is neutralised."""

import csv
import io
from collections.abc import Sequence
from typing import Final

BOM: Final = "\ufeff"
"""Tells spreadsheets that a file is UTF-8."""

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""OWASP, CSV injection: what a spreadsheet may run. Full-width forms count too."""

_WIDE: Final = ("\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_line(cells: Sequence[str]) -> str:
    """Write a row (RFC 4180, but for its line end), each cell quoted; formulas get a leading `'`."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow([neutral(cell) for cell in cells])
    return out.getvalue()


def neutral(cell: str) -> str:
    """Put `'` before what a spreadsheet would take for a formula, blanks before it included."""
    return f"'{cell}" if cell.lstrip(" \u00a0").startswith((*_FORMULA_STARTS, *_WIDE)) else cell
