"""What commands share that read the journal: to open it, to give its entries as JSON, to say whether it verifies."""

import base64
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gatekeeper.cli.problem import Problem
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.journal import Entry, Reader, Recorded, Report


@contextlib.contextmanager
def reading(config: "Config") -> "Iterator[Reader]":
    """Open the journal, with its keys where they may be read; a journal that can't be read is a Problem."""
    from gatekeeper.journal import Reader

    keys = config.keys if os.access(config.keys / "keys.db", os.R_OK) else None
    try:
        with Reader(config.journal.folder, keys) as reader:
            yield reader
    except (sqlite3.Error, ValueError) as error:
        msg = f"{config.journal.folder}: can't be read: {error}; `gatekeeper journal verify` says what is wrong"
        raise Problem(msg) from error


def plain(entry: "Entry") -> dict[str, Any]:
    """Give an entry for JSON, its names those of JOURNAL.md."""
    return {
        "seq": entry.seq,
        "time": entry.time,
        "type": entry.kind,
        "exchange": entry.exchange,
        "session": entry.session,
        "leaf_hash": entry.leaf_hash.hex(),
        "data": entry.data,
    }


def plain_content(content: "Recorded | None") -> dict[str, Any] | None:
    """Give a body for JSON: as text where it is text, else in base64."""
    if content is None:
        return None
    try:
        encoding, text = "utf-8", content.data.decode()
    except UnicodeDecodeError:
        encoding, text = "base64", base64.b64encode(content.data).decode()
    return {"media": content.media, "encoding": encoding, "text": text, "timeline": content.timeline}


def verdict(report: "Report") -> str:
    """Say in a line whether the journal verifies."""
    if report.ok:
        return click.style("verified", fg="green", bold=True)
    place = f"entry {report.first_bad}: " if report.first_bad is not None else ""
    return click.style("NOT VERIFIED", fg="red", bold=True) + f": {place}{visible(report.problem or '')}"


def reservations(report: "Report") -> dict[str, str]:
    """Give what a verdict leaves open, such as that the key was the folder's own; empty where nothing is."""
    return {"warning": visible("; ".join(report.warnings))} if report.warnings else {}
