"""`gatekeeper replay list`: the sessions that were recorded."""

from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.indexed import indexed
from gatekeeper.cli.options import Moment, json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_table
from gatekeeper.cli.read_entry import record_read
from gatekeeper.cli.reading import reading
from gatekeeper.cli.replay.chosen import is_small
from gatekeeper.cli.times import show_moment, show_offset

if TYPE_CHECKING:
    from gatekeeper.replay import SessionSummary

SHORT: Final = 12
"""Hex digits of a session's id in a list: enough to name it."""

MOST: Final = 1000
"""Sessions of a large journal that are listed."""

COLUMNS: Final = (
    "SESSION", "SUBJECT", "BEGAN", "TOOK", "CALLS", "HELD", "DENIED", "MASKED", "TOKENS", "MODELS",
)  # fmt: skip


@click.command("list")
@click.option("--subject", metavar="S", help="Of this subject.")
@click.option("--workflow", metavar="W", help="Of this workflow.")
@click.option("--model", metavar="M", help="That used this model.")
@click.option("--from", "start", type=Moment(), metavar="TIME", help="That ended at or after TIME.")
@click.option("--to", "stop", type=Moment(), metavar="TIME", help="That began before TIME.")
@click.option("--held", is_flag=True, help="With held calls.")
@click.option("--denied", is_flag=True, help="With denied calls.")
@json_option
@settings_option
def list_sessions(  # noqa: PLR0913 - an option each
    subject: str | None, workflow: str | None, model: str | None, start: int | None, stop: int | None,
    *, held: bool, denied: bool, as_json: bool,
) -> None:  # fmt: skip
    """List the sessions that were recorded, in order of their first call."""
    from gatekeeper.cli.visible import visible
    from gatekeeper.replay import sessions, sessions_from_index

    def wanted(one: "SessionSummary") -> bool:
        return (
            subject in {None, one.subject}
            and workflow in {None, one.workflow}
            and (model is None or model in one.models)
            and (start is None or one.end >= start)
            and (stop is None or one.start < stop)
            and (one.held > 0 or not held)
            and (one.denied > 0 or not denied)
        )

    config = load_settings()
    with reading(config) as reader:
        record_read(config, "replay list", f"{reader.start}..{reader.size - 1}")
        if is_small(reader):
            found = [one for one in sessions(reader) if wanted(one)]
        else:
            with indexed(config, reader) as index:
                found = [one for one in sessions_from_index(index, MOST) if wanted(one)]
            click.echo(f"of the newest {MOST} sessions, by index.db, which is no evidence", err=True)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("No such session is recorded.")
        return
    rows = [
        (
            one.session[:SHORT],
            visible(one.subject if one.workflow is None else f"{one.subject}/{one.workflow}"),
            show_moment(one.start),
            show_offset(one.end - one.start).removeprefix("+"),
            *(str(count or "-") for count in (one.calls, one.held, one.denied, one.masked, one.tokens)),
            visible(", ".join(one.models)),
        )
        for one in found
    ]
    print_table(COLUMNS, rows)
