"""`gatekeeper journal backup` and `restore`: a copy beside a running gateway, and back in its place, proved by root."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_pairs
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.read_entry import record_event

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.journal import Report, Scalars
    from gatekeeper.journal.backup import Progress, Standing

FOLDER = click.Path(path_type=Path)
NO_KEYS = "it holds no keys: keep data/keys apart, or its bodies can't be read and the log can't go on"


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@json_option
@settings_option
def backup(folder: Path, *, as_json: bool) -> None:
    """Copy the journal to DIR, which must not be there yet; beside a running gateway too.

    The copy holds the log and its anchors, and none of the keys.
    """
    from gatekeeper.journal.backup import save

    config = load_settings()
    with _readable(config.journal.folder), _progress("copying") as progress:
        saved = save(config.journal.folder, folder, progress)
    why = _record(config, "backup", {"folder": str(folder), "size": saved.size, "root": saved.root})
    if as_json:
        print_json({"saved": saved, "recorded": why is None})
    else:
        print_pairs({"copied": _entries(saved.size), "root": saved.root, "to": saved.folder, "note": NO_KEYS})
    _say_not_recorded(why, "backup")


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--check", is_flag=True, help="Verify the copy and compare it with the journal in place; change nothing.")
@click.option("--anchors", metavar="FILE", type=FOLDER, help="Checkpoints from outside that the copy must extend.")
@click.option("--vkey", metavar="FILE", type=FOLDER, help="The key, from outside.")
@json_option
@settings_option
def restore(folder: Path, *, check: bool, anchors: Path | None, vkey: Path | None, as_json: bool) -> None:
    """Put the copy in DIR in the place of a journal that is lost, or only check it.

    First the copy is verified, and compared with the checkpoints that are left in place and those from outside: it must
    be a beginning of what they cover. Exit 1 where it is not good, or was put back although entries are missing in it.
    """
    from gatekeeper.journal import verify_journal
    from gatekeeper.journal.backup import restore as put_back

    config = load_settings()
    text = vkey.read_text(encoding="utf-8", errors="replace") if vkey is not None else None
    with _readable(folder):
        report = verify_journal(folder, text)
        standing = _compare(config, folder, anchors, text)
    good = report.ok and standing.forked is None
    why = None
    if good and not check:
        put_back(folder, config.journal.folder)
        why = _restored(config, standing)
    if as_json:
        print_json({"report": report, "standing": standing, "restored": good and not check, "recorded": why is None})
    else:
        _print(config, report, standing, restored=good and not check)
    if good and not check:
        _say_not_recorded(why, "restore")
    sys.exit(0 if good and (check or not standing.missing) else 1)


def _compare(config: "Config", folder: Path, anchors: Path | None, vkey: str | None) -> "Standing":
    from gatekeeper.journal.anchors import split_anchors
    from gatekeeper.journal.backup import compare, notes_beside
    from gatekeeper.journal.note import VerificationKey

    key = VerificationKey.parse(vkey if vkey is not None else (folder / "journal.vkey").read_text())
    notes = [*notes_beside(folder), *notes_beside(config.journal.folder)]
    if anchors is not None:
        notes += split_anchors(anchors.read_bytes())[0]
    return compare(folder, notes, key)


def _restored(config: "Config", standing: "Standing") -> str | None:
    """Record it, where the log may go on."""
    if standing.missing:
        return f"the log lacks {standing.missing} entries that checkpoints cover, so no gateway goes on with it"
    if not (config.keys / "keys.db").exists():
        return f"{config.keys / 'keys.db'} is missing: restore the keys from their own backup"
    return _record(config, "restore", {"size": standing.size, "root": standing.root})


def _record(config: "Config", event: str, detail: "Scalars") -> str | None:
    from gatekeeper.gateway.journal_api import Event
    from gatekeeper.journal import AdminEvent

    return record_event(config, Event(AdminEvent(event), detail))


def _say_not_recorded(why: str | None, what: str) -> None:
    if why is not None:
        click.echo(f"this {what} is not on record: {why}", err=True)


def _print(config: "Config", report: "Report", standing: "Standing", *, restored: bool) -> None:
    from gatekeeper.cli.reading import reservations, verdict

    pairs = {"copy": verdict(report), "entries": str(standing.size), "root": standing.root}
    if standing.forked is not None:
        pairs["checkpoints"] = (
            f"the one over {standing.forked} entries is over OTHER entries: this copy is not of that log"
        )
    else:
        pairs["checkpoints"] = f"extends {standing.proved} of those in place, beside it and from outside"
    if standing.missing:
        pairs["missing"] = f"{_entries(standing.missing)} that a checkpoint covers, not in this copy"
    if not (config.keys / "keys.db").exists():
        pairs["keys"] = (
            f"{config.keys / 'keys.db'} is missing: bodies can't be read until it is restored from its own backup"
        )
    if restored:
        pairs["restored"] = str(config.journal.folder)
    if restored and standing.missing:
        pairs["then"] = "a gateway won't go on with it: `gatekeeper journal new` begins a log that carries the old head"
    print_pairs(pairs | reservations(report))


def _entries(number: int) -> str:
    return f"{number} entr{'y' if number == 1 else 'ies'}"


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        msg = f"{folder}: can't be read: {error}; `gatekeeper journal verify` says what is wrong"
        raise Problem(msg) from error


@contextmanager
def _progress(what: str) -> "Iterator[Progress]":
    """Show a bar on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    with Progress(TextColumn(what), BarColumn(), TaskProgressColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, all_: bar.update(task, completed=done, total=all_)
