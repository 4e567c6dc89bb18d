"""What a command is about: a session, named by the beginning of its id, or a range of entries."""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NoReturn

import click
import msgspec

from gatekeeper.cli.options import load_settings
from gatekeeper.cli.reading import reading

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.exchange import Seq
    from gatekeeper.journal import Entry, Reader
    from gatekeeper.replay import Call, SessionSummary, Step

NOT_FOUND: Final = 1
WHAT: Final = "SESSION|A..B"
SMALL: Final = 20_000
"""Entries that are verified, and looked through, in about a second; of more, what is shown is looked up and proved."""

_RANGE: Final = re.compile(r"(\d{1,15})\.\.(\d{1,15})")


class Chosen(msgspec.Struct, frozen=True):
    """A session, or the entries from `first` to `last`, both included, whatever they belong to.

    `seqs` are the session's entries by the index's word, where it was asked for them.
    """

    reader: "Reader"
    first: int
    last: int
    summary: "SessionSummary | None" = None
    seqs: "tuple[Seq, ...] | None" = None

    def entries(self) -> "Iterator[Entry]":
        """Give its entries in order, the decisions on what it held included."""
        from gatekeeper.replay import entries_of_session

        if self.seqs is not None:
            return (self.reader.entry(seq) for seq in self.seqs)
        if self.summary is not None:
            return entries_of_session(self.reader, self.summary)
        return self.reader.entries(self.first, min(self.last + 1, self.reader.size))

    def steps(self) -> "Iterator[Step]":
        """Give what happened, step by step."""
        from gatekeeper.replay import steps

        return steps(self.reader, self.entries())

    def calls(self) -> "Iterator[Call]":
        """Give its calls in the order of their requests."""
        from gatekeeper.replay import calls, in_order

        return in_order(calls(self.reader, self.entries()))

    @property
    def name(self) -> str:
        """Name it, for a title."""
        return f"session {self.summary.session}" if self.summary is not None else f"entries {self.first}..{self.last}"

    @property
    def range(self) -> str:
        """Name its entries, for the record of who read them."""
        return f"{self.first}..{min(self.last, self.reader.size - 1)}"


@contextlib.contextmanager
def chosen(what: str, command: str, *, whole: bool = False) -> "Iterator[Chosen]":
    """Open the journal and find what a command is about; that it is read is recorded.

    `whole`: look through all of a journal of any size, and ask no index. Ends the program with 1 where there is no
    such thing.
    """
    from gatekeeper.cli.read_entry import record_read

    config = load_settings()
    with reading(config) as reader:
        found = choose(config, reader, what, whole=whole or is_small(reader))
        record_read(config, f"{command} {what}", found.range)
        yield found


def is_small(reader: "Reader") -> bool:
    """Whether all of a journal is looked through and verified while one waits."""
    return reader.size - reader.start <= SMALL


def choose(config: "Config", reader: "Reader", what: str, *, whole: bool) -> Chosen:
    """Find what a command is about; ends the program with 1 where there is no such thing."""
    if found := _RANGE.fullmatch(what):
        first, last = int(found[1]), int(found[2])
        if first > last:
            msg = f"{what}: the range ends before it begins"
            raise click.UsageError(msg)
        if first >= reader.size:
            say_no(f"{what}: the journal has {reader.size} entries, from {reader.start} on")
        return Chosen(reader, first, last)
    try:
        return _scanned(reader, what) if whole else _looked_up(config, reader, what)
    except LookupError as error:
        say_no(f"{error}; `gatekeeper replay list` has them")


def _scanned(reader: "Reader", what: str) -> Chosen:
    from gatekeeper.replay import find_session, sessions

    summary = find_session(sessions(reader), what)
    return Chosen(reader, summary.first, summary.last, summary)


def _looked_up(config: "Config", reader: "Reader", what: str) -> Chosen:
    from gatekeeper.cli.indexed import indexed
    from gatekeeper.journal.search import seqs_of_session
    from gatekeeper.replay import named_in_index

    with indexed(config, reader) as index:
        summary = named_in_index(index, what)
        seqs = seqs_of_session(index, summary.session)
    return Chosen(reader, summary.first, summary.last, summary, tuple(seqs))


def say_no(text: str) -> NoReturn:
    """End the program: the answer is no."""
    click.echo(f"gatekeeper: {text}", err=True)
    sys.exit(NOT_FOUND)
