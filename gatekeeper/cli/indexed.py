"""The index, brought up to date before it is asked; with a progress bar on a terminal where that takes a while."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.journal import Reader
    from gatekeeper.journal.index import Index


@contextlib.contextmanager
def indexed(config: "Config", reader: "Reader") -> "Iterator[Index]":
    """Open `index.db` and let it take in what is new; where it can't be written, one in memory does."""
    from gatekeeper.journal.index import Index
    from gatekeeper.journal.indexing import SLICE

    path = config.journal.folder / "index.db"
    try:
        index = Index.open(path)
    except OSError as error:
        click.echo(f"{path}: can't be written ({error.strerror}), so an index is made for this question only", err=True)
        index = Index.in_memory()
    with contextlib.closing(index):
        behind = reader.size - index.next
        if behind > 5 * SLICE and sys.stderr.isatty():
            _with_progress(index, reader)
        else:
            if behind > 5 * SLICE:
                click.echo(f"the index takes in {behind} entries…", err=True)
            _quietly(index, reader)
        yield index


def _quietly(index: "Index", reader: "Reader") -> None:
    from gatekeeper.journal.indexing import bring_up_to_date

    bring_up_to_date(index, reader)


def _with_progress(index: "Index", reader: "Reader") -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from gatekeeper.journal.indexing import bring_up_to_date

    columns = (TextColumn("indexing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("indexing", total=reader.size)
        bring_up_to_date(index, reader, lambda done, all_: progress.update(task, completed=done, total=all_))
