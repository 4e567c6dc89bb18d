"""`gatekeeper journal checkpoint` and `timestamps`: what can be shown to others, and what others have stamped."""

import contextlib
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.admin_client import AdminClient
from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_table
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.times import show_instant
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.journal.anchoring import AnchorState


@click.command()
@click.option("--push", is_flag=True, help="Have a running gateway anchor it now and take it to [[journal.anchors]].")
@json_option
@settings_option
def checkpoint(*, push: bool, as_json: bool) -> None:
    """Print the newest signed checkpoint: give it to whoever should be able to prove later what is recorded now."""
    config = load_settings()
    anchors: tuple[AnchorState, ...] = ()
    if push:
        with AdminClient(config.admin_socket) as client:
            pushed = client.checkpoint()
        note, anchors = pushed.note, pushed.anchors
    else:
        note = newest_note(config)
    if as_json:
        _, size, root, *_ = note.split("\n")
        print_json({"note": note, "size": int(size), "root": root, "anchors": anchors})
    else:
        click.echo(note, nl=False)
        for state in anchors:
            click.echo(f"{visible(state.name)}: {visible(state.problem or 'taken')}", err=True)
    sys.exit(1 if any(state.problem or state.waiting for state in anchors) else 0)


@click.command()
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(path_type=Path))
@click.option("--roots", metavar="FILE", type=click.Path(path_type=Path), help="The authority's root certificates.")
@json_option
@settings_option
def timestamps(folder: Path | None, roots: Path | None, *, as_json: bool) -> None:
    """Verify the time-stamps (RFC 3161) of checkpoints that the journal in DIR keeps, or the configured one.

    Each says that the entries under its checkpoint were there at its time. Whether the log still extends those
    checkpoints is for `gatekeeper journal verify --anchors`. Exit 1 where one is not good, or there is none.
    """
    from gatekeeper.journal.anchors import split_anchors
    from gatekeeper.journal.timestamps import check_stamps

    if folder is None or roots is None:
        config = load_settings()
        folder = folder or config.journal.folder
        known = {one.label: Path(one.roots) for one in config.journal.anchors if one.rfc3161}
    else:
        known = {}
    try:
        notes, _ = split_anchors((folder / "anchors.log").read_bytes())
    except ValueError as error:
        msg = f"{folder / 'anchors.log'}: {error}"
        raise Problem(msg) from error
    by_size = {int(note.split("\n", 2)[1]): note for note in notes}
    found = list(check_stamps(folder, by_size, roots if roots is not None else known))
    if as_json:
        print_json(found)
    elif found:
        rows = [
            (
                str(one.size),
                visible(one.name),
                "" if one.time is None else show_instant(one.time),
                one.problem or "good",
            )
            for one in found
        ]
        print_table(("ENTRIES", "AUTHORITY", "STAMPED", "VERDICT"), rows)
    else:
        click.echo(f"{folder}: keeps no time-stamps", err=True)
    sys.exit(0 if found and not any(one.problem for one in found) else 1)


def newest_note(config: "Config") -> str:
    """Read the newest checkpoint of the configured journal."""
    from gatekeeper.journal import Reader

    try:
        with contextlib.closing(Reader(config.journal.folder, None)) as reader:
            return reader.note
    except (sqlite3.Error, ValueError) as error:
        msg = f"{config.journal.folder}: can't be read: {error}; `gatekeeper journal verify` says what is wrong"
        raise Problem(msg) from error
