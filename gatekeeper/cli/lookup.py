"""`gatekeeper journal list`, `show`, `search` and `tail`: what was recorded, by number, by time, by what it was about.

What is shown is read from the log itself, never from the index, and each entry is proved to be in its newest signed
checkpoint; `proof_line` says so, and what that leaves open.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from gatekeeper.cli.indexed import indexed
from gatekeeper.cli.options import Moment, json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_table
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.proved import proof_line, prove
from gatekeeper.cli.read_entry import record_read
from gatekeeper.cli.reading import plain, plain_content, reading
from gatekeeper.cli.times import show_moment
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.exchange import Instant
    from gatekeeper.journal import Entry, Reader, Recorded
    from gatekeeper.journal.search import Found

MOST: Final = 100
"""Entries that are listed where nobody says otherwise."""

SHORT: Final = 8
"""Hex digits of an exchange's id in a list; `show` has all."""

PERIOD: Final = 0.5
"""Seconds between two looks of `tail -f`."""

COLUMNS: Final = ("SEQ", "TIME", "TYPE", "EXCHANGE", "WHAT")
LIMIT: Final = click.IntRange(min=1, max=100_000)
NUMBER: Final = click.IntRange(min=0)


def page_options[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add what leafs through a list."""
    for option in (
        click.option("--limit", type=LIMIT, default=MOST, show_default=True, metavar="N", help="Entries of a page."),
        click.option("--until", type=Moment(), metavar="TIME", help="Before that time."),
        click.option("--since", type=Moment(), metavar="TIME", help="From a time on: 2026-11-25, RFC 3339, 2h (ago)."),
        click.option("--before", type=NUMBER, metavar="SEQ", help="The page that ends before SEQ."),
        click.option("--after", type=NUMBER, metavar="SEQ", help="The page that begins after SEQ."),
    ):
        command = option(command)
    return command


@click.command("list")
@page_options
@json_option
@settings_option
def list_entries(
    after: int | None,
    before: int | None,
    since: "Instant | None",
    until: "Instant | None",
    limit: int,
    *,
    as_json: bool,
) -> None:
    """List entries, a page at a time: the newest where nothing else is said."""
    config = load_settings()
    with reading(config) as reader:
        size = reader.size
        low = max(reader.start, 0 if after is None else after + 1, 0 if since is None else reader.seq_at(since))
        ends = [size, before, None if until is None else reader.seq_at(until)]
        high = min(end for end in ends if end is not None)
        first = low if after is not None or (since is not None and until is None) else max(low, high - limit)
        last = min(first + limit, high)
        record_read(config, "journal list", f"{first}..{last - 1}" if last > first else "")
        entries, start = list(reader.entries(first, last)), reader.start
        proof = prove(reader, config.journal.folder, entries)
    if as_json:
        print_json({"size": size, "proof": proof, "entries": [plain(entry) for entry in entries]})
        sys.exit(0 if proof.proved else 1)
    print_table(COLUMNS, [_row(entry) for entry in entries])
    click.echo(f"{_count(len(entries), 'entry', 'entries')} of {size}; {proof_line(proof)}", err=True)
    if entries and first > start:
        click.echo(f"older: --before {first}", err=True)
    if last < size and entries:
        click.echo(f"newer: --after {last - 1}", err=True)
    sys.exit(0 if proof.proved else 1)


@click.command()
@click.argument("seq", type=NUMBER)
@click.option("--body", is_flag=True, help="The whole body, decrypted; else its first lines.")
@json_option
@settings_option
def show(seq: int, *, body: bool, as_json: bool) -> None:
    """Show one entry, and its masked body where you may read the keys."""
    from gatekeeper.cli.facts import entry_lines

    config = load_settings()
    with reading(config) as reader:
        try:
            entry = reader.entry(seq)
        except LookupError:
            click.echo(f"the journal has no entry {seq}; it has {reader.size}, from {reader.start} on", err=True)
            sys.exit(1)
        record_read(config, "journal show", str(seq))
        content, damaged = _content(reader, entry)
        proof = prove(reader, config.journal.folder, [entry])
    if as_json:
        print_json(plain(entry) | {"proof": proof} | ({"content": plain_content(content)} if body else {}))
        sys.exit(0 if proof.proved else 1)
    for line in entry_lines(entry, content, "full" if body else "head", damaged=damaged):
        click.echo(line)
    click.echo(proof_line(proof), err=True)
    sys.exit(0 if proof.proved else 1)


@click.command()
@click.argument("text", nargs=-1, metavar="[TEXT]...")
@click.option("--subject", metavar="NAME", help="Who called; also: who decided or read.")
@click.option("--workflow", metavar="NAME")
@click.option("--host", metavar="HOST", help="Where to.")
@click.option("--rule", metavar="NAME", help="The rule that decided.")
@click.option("--action", metavar="ACTION", help="allow, deny, hold; of a decision: approve, deny.")
@click.option("--model", metavar="NAME", multiple=True)
@click.option("--tool", metavar="NAME", multiple=True)
@click.option("--finding", metavar="ENTITY", multiple=True, help="What was found: CREDIT_CARD, EMAIL_ADDRESS, …")
@click.option("--session", metavar="ID", help="The beginning of a session's id.")
@click.option("--exchange", metavar="ID", help="The beginning of an exchange's id.")
@click.option("--type", "type_", metavar="TYPE", help="call, refused, decision, config, admin, read, …")
@page_options
@json_option
@settings_option
def search(text: tuple[str, ...], limit: int, *, as_json: bool, type_: str | None, **filters: Any) -> None:
    """Find calls, and entries that belong to none, that match all that is given.

    TEXT: words, all of which stand in one masked body, URL or reason; "in quotes" a phrase, wor* a beginning. In the
    options * stands for any characters.
    """
    from gatekeeper.journal.search import Query
    from gatekeeper.journal.search import search as find

    config = load_settings()
    query = Query(text=" ".join(text), type=type_, **filters)
    with reading(config) as reader:
        asked = " ".join(f"--{name} {value}" for name, value in _given(query))
        record_read(config, f"journal search {query.text} {asked}".strip(), f"0..{reader.size - 1}")
        with indexed(config, reader) as index:
            try:
                found = find(index, query, limit)
            except ValueError as error:
                raise Problem(str(error)) from error
            size, searched = reader.size, reader.has_keys
        elsewhere = sum(one.seq < reader.start for one in found)
        found = [one for one in found if one.seq >= reader.start]
        entries = [reader.entry(one.seq) for one in found]
        hits = [reader.entry(one.hit) for one in found]
        proof = prove(reader, config.journal.folder, [*entries, *hits])
    if as_json:
        rows = [
            plain(entry) | {"hit": one.hit, "snippet": one.snippet} for entry, one in zip(entries, found, strict=True)
        ]
        print_json({"size": size, "bodies_searched": searched, "elsewhere": elsewhere, "proof": proof, "found": rows})
        sys.exit(0 if found and proof.proved else 1)
    _print_found(entries, found)
    click.echo(f"{_count(len(found), 'match', 'matches')} in {size} entries; {proof_line(proof)}", err=True)
    click.echo("what is not here was not found by index.db, which is no evidence", err=True)
    if elsewhere:
        click.echo(f"{elsewhere} more are in segments that were moved away", err=True)
    if not searched:
        click.echo("bodies were not searched: you may not read their keys", err=True)
    if len(found) == limit:
        click.echo(f"there may be more: --before {found[0].seq}, or --limit", err=True)
    sys.exit(0 if found and proof.proved else 1)


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on showing what comes, until Ctrl-C.")
@click.option("-n", "--lines", type=NUMBER, default=10, show_default=True, metavar="N", help="Entries to begin with.")
@json_option
@settings_option
def tail(lines: int, *, follow: bool, as_json: bool) -> None:
    """Show the newest entries, one a line; with --json, one JSON value a line."""
    import msgspec

    config = load_settings()
    with reading(config) as reader:
        end = reader.size
        at = max(reader.start, end - lines)
    record_read(config, "journal tail -f" if follow else "journal tail", f"{at}..")
    while True:
        with reading(config) as reader:
            for entry in reader.entries(at, end):
                line = msgspec.json.encode(plain(entry)).decode() if as_json else "  ".join(_row(entry))
                click.echo(line)
            at, end = max(at, end), reader.size
        sys.stdout.flush()
        if not follow:
            return
        if at == end:
            time.sleep(PERIOD)


def _print_found(entries: "Sequence[Entry]", found: "Sequence[Found]") -> None:
    rows = []
    for entry, one in zip(entries, found, strict=True):
        *start, what = _row(entry)
        about = _about(entry)
        rows.append((*start[:3], about, what if not one.snippet else f"{what}\n{visible(one.snippet)}"))
    if sys.stdout.isatty():
        print_table(("SEQ", "TIME", "TYPE", "SUBJECT", "WHAT"), rows)
        return
    flat = [(*row[:-1], "  ".join(row[-1].split("\n"))) for row in rows]
    print_table(("SEQ", "TIME", "TYPE", "SUBJECT", "WHAT"), flat)


def _about(entry: "Entry") -> str:
    from gatekeeper.journal import RequestData

    return visible(entry.data.subject.sub) if isinstance(entry.data, RequestData) else ""


def _row(entry: "Entry") -> tuple[str, str, str, str, str]:
    from gatekeeper.cli.describe import sentence

    exchange = (entry.exchange or "")[:SHORT]
    return str(entry.seq), show_moment(entry.time), entry.kind, exchange, sentence(entry.data)


def _given(query: Any) -> Iterable[tuple[str, str]]:
    for name in query.__struct_fields__:
        value = getattr(query, name)
        if name != "text" and value not in (None, ()):
            yield name, ",".join(value) if isinstance(value, tuple) else str(value)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _content(reader: "Reader", entry: "Entry") -> "tuple[Recorded | None, bool]":
    try:
        return reader.content(entry), False
    except ValueError:
        return None, True
