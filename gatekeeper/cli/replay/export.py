"""`gatekeeper replay export`: recorded calls for other tools."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click

from gatekeeper import VERSION
from gatekeeper.cli.options import settings_option
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.replay.chosen import WHAT, Chosen, chosen


def _har(chosen: Chosen) -> Iterator[str]:
    from gatekeeper.replay.export import har_pieces

    return har_pieces(chosen.calls(), VERSION)


def _jsonl(chosen: Chosen) -> Iterator[str]:
    from gatekeeper.replay.export import json_lines

    return json_lines(chosen.calls())


def _csv(chosen: Chosen) -> Iterator[str]:
    from gatekeeper.replay.export import csv_lines

    return csv_lines(chosen.calls())


def _curl(chosen: Chosen) -> Iterator[str]:
    from gatekeeper.replay.export import curl_lines

    return curl_lines(chosen.calls())


def _otlp(chosen: Chosen) -> Iterator[str]:
    from gatekeeper.replay.export import otlp_pieces

    return otlp_pieces(chosen.calls(), VERSION)


def _cast(chosen: Chosen) -> Iterator[str]:
    from gatekeeper.cli.replay.cast import cast_lines

    return cast_lines(chosen.steps(), chosen.name)


TEXTS: Final[dict[str, Callable[[Chosen], Iterator[str]]]] = {
    "har": _har,
    "jsonl": _jsonl,
    "csv": _csv,
    "curl": _curl,
    "cast": _cast,
    "otlp": _otlp,
}
FLOWS: Final = "mitm"


@click.command()
@click.argument("what", metavar=WHAT)
@click.option("--as", "form", type=click.Choice([*TEXTS, FLOWS]), required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="Else standard output.")
@settings_option
def export(what: str, form: str, out: Path | None) -> None:
    """Write the calls of a session, or of the entries from A to B, for other tools. All of it masked, as recorded.

    har: HTTP Archive 1.2; mitm: flows for mitmweb; jsonl and csv: a line a call; curl: a shell script;
    cast: asciicast 2, what `show` prints in its own time; otlp: OpenTelemetry traces, GenAI conventions.
    """
    if form == FLOWS and out is None and sys.stdout.isatty():
        msg = "flows are no text: name a file with --out FILE"
        raise Problem(msg)
    with chosen(what, f"replay export --as {form}") as found:
        if form == FLOWS:
            _write_flows(found, out)
            return
        pieces = TEXTS[form](found)
        if out is None:
            for piece in pieces:
                click.echo(piece, nl=False)
            return
        with out.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)


def _write_flows(chosen: Chosen, out: Path | None) -> None:
    from gatekeeper.replay.flows import write_flows

    if out is None:
        write_flows(chosen.calls(), sys.stdout.buffer)
        return
    with out.open("wb") as file:
        write_flows(chosen.calls(), file)
