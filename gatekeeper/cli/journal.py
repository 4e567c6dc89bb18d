"""`gatekeeper journal`: the group, and verify."""

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, override

import click

from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_pairs
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.reading import reservations, verdict

if TYPE_CHECKING:
    from gatekeeper.journal import Report

NOT_VERIFIED: Final = 1
ANCHORS_USELESS: Final = 2


LATER: Final = {
    "list": "lookup.list_entries",
    "show": "lookup.show",
    "search": "lookup.search",
    "tail": "lookup.tail",
    "prove": "proofs.prove",
    "erase": "keeping.erase",
    "seal": "keeping.seal",
    "new": "keeping.new",
    "retention": "retention.retention",
    "legal-hold": "retention.legal_hold",
    "backup": "backup.backup",
    "restore": "backup.restore",
    "checkpoint": "checkpoint.checkpoint",
    "timestamps": "checkpoint.timestamps",
}
"""Commands of other modules, loaded when they are used: name, module of this package and attribute."""


class Commands(click.Group):
    """The group; what stands in `LATER` is part of it."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*LATER, *super().list_commands(ctx)]

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = LATER.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = place.rpartition(".")
        command: click.Command = getattr(importlib.import_module(f"gatekeeper.cli.{module}"), attribute)
        return command


@click.group(cls=Commands)
def journal() -> None:
    """Look things up in the journal, verify it, keep it safe."""


@journal.command()
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(path_type=Path))
@click.option("--vkey", metavar="FILE", type=click.Path(path_type=Path), help="The key, from outside.")
@click.option("--anchors", metavar="FILE", type=click.Path(path_type=Path), help="Checkpoints, from outside.")
@click.option("--proof", metavar="FILE", type=click.Path(path_type=Path), help="Check this proof alone, without a log.")
@click.option("--since", metavar="FILE", type=click.Path(path_type=Path), help="The earlier checkpoint of --proof.")
@json_option
@settings_option
def verify(
    folder: Path | None,
    vkey: Path | None,
    anchors: Path | None,
    proof: Path | None,
    since: Path | None,
    *,
    as_json: bool,
) -> None:
    """Verify the journal in DIR, or the configured one; with --proof, what `journal prove` wrote.

    Exit 0: verified; 1: not; 2: could not be checked, or none of the anchors is of this journal.
    """
    from gatekeeper.journal import verify_journal

    place = folder if folder is not None else load_settings().journal.folder
    key = vkey.read_text(encoding="utf-8", errors="replace") if vkey is not None else None
    if proof is not None:
        _verify_proof(proof, since, key, place)
        return
    try:
        report = verify_journal(place, key, anchors)
    except ValueError as error:
        msg = f"{vkey}: {error}"
        raise Problem(msg) from error
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    sys.exit(_exit_code(report))


def _verify_proof(proof: Path, since: Path | None, vkey: str | None, place: Path) -> None:
    from gatekeeper.cli.proofs import check_proof
    from gatekeeper.cli.visible import visible
    from gatekeeper.journal.note import VerificationKey

    text = vkey if vkey is not None else (place / "journal.vkey").read_text(encoding="utf-8")
    if vkey is None:
        click.echo("the key is the folder's own (another: --vkey FILE)", err=True)
    try:
        said = check_proof(proof, VerificationKey.parse(text.strip()), since)
    except ValueError as error:
        click.echo(click.style("NOT VERIFIED", fg="red", bold=True) + f": {visible(f'{proof}: {error}')}")
        sys.exit(NOT_VERIFIED)
    first, *rest = said.split("\n")
    click.echo(click.style("verified", fg="green", bold=True) + f": {first}")
    for line in rest:
        click.echo(visible(line))


def _print_report(report: "Report") -> None:
    from gatekeeper.cli.visible import visible

    click.echo(verdict(report))
    print_pairs(
        {
            "origin": visible(report.origin),
            "entries": str(report.entries),
            "root": report.root,
            "key": "from outside" if report.key_from_outside else "the folder's own (another: --vkey FILE)",
            "anchors": f"{report.anchors_checked} checked" if report.anchors_checked else "none checked",
        }
        | reservations(report)
    )


def _exit_code(report: "Report") -> int:
    if report.ok:
        return 0
    return ANCHORS_USELESS if report.anchors_useless else NOT_VERIFIED
