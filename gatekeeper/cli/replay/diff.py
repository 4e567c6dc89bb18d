"""`gatekeeper replay diff`: two sessions side by side."""

import sys
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.options import json_option, settings_option
from gatekeeper.cli.output import print_json
from gatekeeper.cli.replay.chosen import chosen

if TYPE_CHECKING:
    from gatekeeper.replay import Call
    from gatekeeper.replay.diff import Row

DIFFERENT: Final = 1
MARKS: Final = {"same": "=", "changed": "~", "only-a": "-", "only-b": "+"}
COLOURS: Final = {"same": None, "changed": "yellow", "only-a": "red", "only-b": "green"}


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@json_option
@settings_option
def diff(a: str, b: str, *, as_json: bool) -> None:
    """Lay the calls of B beside those of A, each a SESSION or A..B. Exit 1: they differ. Dates and ids don't count."""
    from gatekeeper.replay.diff import Relation, compare

    with chosen(a, "replay diff") as left, chosen(b, "replay diff") as right:
        rows = list(compare(list(left.calls()), list(right.calls())))
    if as_json:
        print_json([_plain(row) for row in rows])
    else:
        for row in rows:
            _print(row)
        same = sum(row.relation is Relation.SAME for row in rows)
        click.echo(f"{len(rows)} calls, {same} the same")
    sys.exit(DIFFERENT if any(row.relation is not Relation.SAME for row in rows) else 0)


def _print(row: "Row") -> None:
    from gatekeeper.cli.visible import visible

    relation = row.relation.value
    places = f"{_place(row.a):>5} {_place(row.b):>5}"
    call = row.b if row.b is not None else row.a
    text = f"{call.request.method} {call.request.url}" if call is not None else ""
    click.echo(click.style(f"{MARKS[relation]} {places}  {visible(text)}", fg=COLOURS[relation]))
    for difference in row.differences:
        click.echo(f"{'':<15}{visible(difference)}")


def _place(call: "Call | None") -> str:
    return f"#{call.number}" if call is not None else ""


def _plain(row: "Row") -> dict[str, object]:
    return {
        "relation": row.relation,
        "a": row.a.entry.seq if row.a is not None else None,
        "b": row.b.entry.seq if row.b is not None else None,
        "differences": row.differences,
    }
