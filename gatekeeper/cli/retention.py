"""`gatekeeper journal retention` and `legal-hold`: what is erased once its period is over, and what is kept from it."""

import re
import sys
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.keeping import erase_sessions
from gatekeeper.cli.options import Duration, json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_table
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.read_entry import record_event
from gatekeeper.cli.reading import reading
from gatekeeper.cli.times import show_moment
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.journal import Scalars
    from gatekeeper.journal.retention import Due, LegalHold

SECOND: Final = 1_000_000
DAY: Final = 86_400
SHORT: Final = 12
_RANGE: Final = re.compile(r"(\d{1,15})\.\.(\d{1,15})")


@click.command()
@click.option("--older-than", type=Duration(), metavar="PERIOD", help="Instead of journal.retention: 90d.")
@click.option("--yes", is_flag=True, help="Erase them; else they are only listed.")
@json_option
@settings_option
def retention(older_than: float | None, *, yes: bool, as_json: bool) -> None:
    """Erase the sessions whose period is over: their bodies can't be read any more, their entries stay.

    A session is due when its last entry is older than the period. What is under a legal hold is kept.
    """
    from gatekeeper.exchange import Instant, now
    from gatekeeper.journal.retention import survey

    config = load_settings()
    period = older_than if older_than is not None else float(config.journal.retention)
    if period <= 0:
        msg = "journal.retention: is 0, so everything is kept; set a period, or name one with --older-than 90d"
        raise Problem(msg)
    _holds(config)  # which must all be in sight
    with reading(config) as reader:
        if not reader.has_keys:
            msg = f"{config.keys / 'keys.db'}: can't be read, so nothing can be erased from here"
            raise Problem(msg)
        before = Instant(now() - round(period * SECOND))
        found = survey(reader.entries(reader.start, reader.size))
        due = list(found.due(before, reader.readable()))
    free = [one for one in due if not one.held]
    erased = erase_sessions(config, [one.session for one in free], f"retention of {_period(period)}") if yes else []
    if as_json:
        print_json({"due": due, "erased": erased, "dry_run": not yes})
        return
    _print(due, erased=bool(yes))
    kept = len(due) - len(free)
    said = f"erased {len(erased)} sessions" if yes else f"{len(free)} sessions are due; --yes erases them"
    click.echo(said + (f"; {kept} are under a legal hold and stay" if kept else ""), err=True)


@click.group("legal-hold")
def legal_hold() -> None:
    """Keep sessions from being erased, whatever their period; each hold and its end are entries of the log."""


@legal_hold.command("list")
@json_option
@settings_option
def list_holds(*, as_json: bool) -> None:
    """List the holds in force."""
    found = _holds(load_settings())
    if as_json:
        print_json(found)
        return
    rows = [(str(one.id), show_moment(one.time), visible(one.by), _scope(one), visible(one.why)) for one in found]
    print_table(("ID", "SINCE", "BY", "WHAT", "WHY"), rows)


@legal_hold.command()
@click.option("--session", metavar="ID", help="One session.")
@click.option("--subject", metavar="NAME", help="All sessions of a subject, later ones too.")
@click.option("--range", "range_", metavar="A..B", help="All sessions with an entry from A to B.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays on record, so without personal data.")
@settings_option
def add(session: str | None, subject: str | None, range_: str | None, reason: str) -> None:
    """Put what is named under a hold."""
    given = [value for value in (session, subject, range_) if value is not None]
    if len(given) != 1:
        msg = "name exactly one of --session, --subject and --range"
        raise click.UsageError(msg)
    detail: Scalars = {"why": reason}
    if session is not None:
        detail["session"] = session
    if subject is not None:
        detail["subject"] = subject
    if range_ is not None:
        found = _RANGE.fullmatch(range_)
        if found is None or int(found[1]) > int(found[2]):
            msg = f"{range_}: expected A..B, from the first entry to the last"
            raise click.UsageError(msg)
        detail |= {"first": int(found[1]), "last": int(found[2])}
    config = load_settings()
    _record(config, "legal-hold", detail)
    click.echo(f"hold {_holds(config)[-1].id} is in force")


@legal_hold.command()
@click.argument("hold", metavar="ID", type=click.IntRange(min=0))
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays on record.")
@settings_option
def remove(hold: int, reason: str) -> None:
    """Lift a hold."""
    config = load_settings()
    if hold not in {one.id for one in _holds(config)}:
        click.echo(f"gatekeeper: no hold {hold} is in force; `gatekeeper journal legal-hold list` has them", err=True)
        sys.exit(1)
    _record(config, "legal-hold-lifted", {"hold": hold, "why": reason})
    click.echo(f"hold {hold} is lifted")


def _holds(config: "Config") -> "list[LegalHold]":
    from gatekeeper.journal.retention import HoldsUnseen, holds_of

    with reading(config) as reader:
        try:
            return list(holds_of(reader).values())
        except HoldsUnseen as error:
            raise Problem(str(error)) from error


def _record(config: "Config", event: str, detail: "Scalars") -> None:
    from gatekeeper.gateway.journal_api import Event
    from gatekeeper.journal import AdminEvent

    why = record_event(config, Event(AdminEvent(event), detail))
    if why is not None:
        msg = f"it can't be put on record, so nothing has changed: {why}"
        raise Problem(msg)


def _print(due: "list[Due]", *, erased: bool) -> None:
    rows = [
        (
            one.session[:SHORT],
            visible(one.subject),
            show_moment(one.ended),
            f"{one.first}..{one.last}",
            f"kept: hold {', '.join(map(str, one.held))}" if one.held else "erased" if erased else "due",
        )
        for one in due
    ]
    print_table(("SESSION", "SUBJECT", "LAST HEARD OF", "ENTRIES", "WHAT"), rows)


def _scope(hold: "LegalHold") -> str:
    if hold.session is not None:
        return f"session {visible(hold.session[:SHORT])}"
    if hold.subject is not None:
        return f"subject {visible(hold.subject)}"
    return f"entries {hold.first}..{hold.last}"


def _period(seconds: float) -> str:
    return f"{seconds / DAY:g}d" if seconds >= DAY else f"{seconds:g}s"
