"""`gatekeeper replay`: what a session did, in the recorded order and with its timing."""

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from gatekeeper.cli.journal import plain, plain_content, reading, reservations, verdict
from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_pairs, print_table
from gatekeeper.cli.times import show_instant, show_moment, show_offset

if TYPE_CHECKING:
    from gatekeeper.cli.shown import Extent
    from gatekeeper.journal import Reader, Report
    from gatekeeper.replay import SessionSummary, Step

SHORT: Final = 12
"""Hex digits of a session's id in a list: enough to name it."""

NOT_FOUND: Final = 1
NOT_VERIFIED: Final = 1

_RANGE: Final = re.compile(r"(\d{1,15})\.\.(\d{1,15})")


@click.group()
def replay() -> None:
    """See what a session did. Nothing is sent anywhere."""


@replay.command("list")
@json_option
@settings_option
def list_sessions(*, as_json: bool) -> None:
    """List the sessions that were recorded."""
    from gatekeeper.cli.visible import visible
    from gatekeeper.replay import sessions

    with reading(load_settings()) as reader:
        found = sessions(reader)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("No session is recorded yet.")
        return
    columns = ("SESSION", "SUBJECT", "BEGAN", "TOOK", "CALLS", "HELD", "DENIED", "MASKED", "MODELS")
    rows = [
        (
            one.session[:SHORT],
            visible(one.subject if one.workflow is None else f"{one.subject}/{one.workflow}"),
            show_moment(one.start),
            show_offset(one.end - one.start).removeprefix("+"),
            *(str(number or "-") for number in (one.calls, one.held, one.denied, one.masked)),
            visible(", ".join(one.models)),
        )
        for one in found
    ]
    print_table(columns, rows)


@replay.command()
@click.argument("what", metavar="SESSION|A..B")
@click.option("--body", "extent", type=click.Choice(["none", "head", "full"]), default="head", show_default=True)
@json_option
@settings_option
def show(what: str, extent: "Extent", *, as_json: bool) -> None:
    """Show a session, named by the beginning of its id, or the entries from A to B.

    First it says whether the journal verifies; where not, the exit code is 1.
    """
    from gatekeeper.journal import verify_journal

    config = load_settings()
    report = verify_journal(config.journal.folder)
    with reading(config) as reader:
        summary, steps = _find(reader, what)
        if as_json:
            print_json({"verified": report, "session": summary, "steps": [_plain(step, extent) for step in steps]})
        else:
            _print_head(report, summary)
            _print_steps(steps, extent)
    sys.exit(0 if report.ok else NOT_VERIFIED)


def _find(reader: "Reader", what: str) -> "tuple[SessionSummary | None, Iterator[Step]]":
    from gatekeeper.replay import find_session, range_steps, session_steps, sessions

    if found := _RANGE.fullmatch(what):
        first, last = int(found[1]), int(found[2])
        if first > last:
            msg = f"{what}: the range ends before it begins"
            raise click.UsageError(msg)
        if first >= reader.size:
            _say_no(f"{what}: the journal has {reader.size} entries, from 0 on")
        return None, range_steps(reader, first, last)
    try:
        summary = find_session(sessions(reader), what)
    except LookupError as error:
        _say_no(f"{error}; `gatekeeper replay list` has them")
    return summary, session_steps(reader, summary.session)


def _say_no(text: str) -> NoReturn:
    click.echo(f"gatekeeper: {text}", err=True)
    sys.exit(NOT_FOUND)


def _print_head(report: "Report", summary: "SessionSummary | None") -> None:
    from gatekeeper.cli.visible import visible

    pairs = {"journal": verdict(report)}
    if report.ok:
        pairs["journal"] += f": {report.entries} entries"
    pairs |= reservations(report)
    if summary is not None:
        workflow = f", workflow {summary.workflow}" if summary.workflow is not None else ""
        took = show_offset(summary.end - summary.start).removeprefix("+")
        pairs |= {
            "session": summary.session,
            "subject": visible(f"{summary.subject} of {summary.issuer}{workflow}"),
            "began": f"{show_instant(summary.start)}, took {took}, {_calls(summary)}",
        }
    print_pairs(pairs)
    click.echo()


def _calls(summary: "SessionSummary") -> str:
    parts = [f"{summary.calls} call{'s' if summary.calls != 1 else ''}"]
    parts += [
        f"{number} {name}"
        for name, number in (("held", summary.held), ("denied", summary.denied), ("masked", summary.masked))
        if number
    ]
    return ", ".join(parts)


def _print_steps(steps: "Iterator[Step]", extent: "Extent") -> None:
    from gatekeeper.cli.timeline import step_lines

    for step in steps:
        for line in step_lines(step, extent):
            click.echo(line)


def _plain(step: "Step", extent: "Extent") -> dict[str, Any]:
    return plain(step.entry) | {
        "step": step.kind.value,
        "at": step.at,
        "call": step.call,
        "beside": step.beside,
        "content": plain_content(step.content) if extent != "none" else None,
        "damaged": step.damaged,
    }
