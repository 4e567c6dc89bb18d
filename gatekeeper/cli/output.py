"""How results are printed: rich on a terminal, plain when piped, JSON where asked for."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final

import click
import msgspec

GAP: Final = "  "


def print_json(value: object) -> None:
    """Print one JSON value, indented."""
    encoded = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    click.echo(encoded.decode())


def print_pairs(pairs: Mapping[str, str]) -> None:
    """Print names and what they stand for, one each line."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"{click.style(name.ljust(width), dim=True)}{GAP}{value}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their columns' names: fitted to a terminal, whole where piped."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        click.echo(GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
