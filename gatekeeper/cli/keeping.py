"""`gatekeeper journal erase`, `seal` and `new`: what changes how the record goes on, never what it says."""

import asyncio
import datetime as dt
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.admin_client import AdminClient, SaidNo
from gatekeeper.cli.options import load_settings, settings_option
from gatekeeper.cli.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gatekeeper.config import Config
    from gatekeeper.exchange import Receipt, SessionId
    from gatekeeper.journal import Journal

REPLACED: Final = "replaced"
"""Under this name, with origin and time, the files of a journal go that a new one takes the place of."""


@click.command()
@click.argument("session")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays on record, so without personal data.")
@settings_option
def erase(session: str, reason: str) -> None:
    """Destroy the keys of SESSION, so that nobody can read its bodies again. This can't be undone.

    The entries stay, and with them who called whom, when and with what verdict; verification stays whole.
    """
    from gatekeeper.exchange import SessionId

    seq = erase_session(load_settings(), SessionId(session), reason)
    click.echo(f"session {session} is erased: entry {seq} says so, and its keys are destroyed")


def erase_session(config: "Config", session: "SessionId", reason: str) -> int:
    """Erase a session, through the running gateway or here; gives the entry. Legal holds keep what they cover."""
    from gatekeeper.journal.retention import HoldsUnseen, UnderHold, held_among

    try:
        held = held_among(config.journal.folder, [session])
    except HoldsUnseen as error:
        raise Problem(str(error)) from error
    if held:
        raise SaidNo(str(UnderHold(held[session])))
    return erase_sessions(config, [session], reason)[0]


def erase_sessions(config: "Config", sessions: "Sequence[SessionId]", reason: str) -> list[int]:
    """Erase sessions of which it is known that no hold keeps them; gives the entries."""
    from gatekeeper.gateway.offline import own_name
    from gatekeeper.journal.index import forget

    if not sessions:
        return []
    seqs = done(
        config,
        lambda client: [client.erase(session, reason) for session in sessions],
        lambda journal: [journal.erase(session, own_name(), reason) for session in sessions],
    )
    try:
        forget(config.journal.folder, sessions)
    except (sqlite3.Error, TimeoutError) as error:
        msg = f"the keys are destroyed, but not what index.db has: {error}; remove that file"
        raise Problem(msg) from error
    return seqs


@click.command()
@click.option("--new-key", is_flag=True, help="Go on under a new signing key, which the old one signs for.")
@settings_option
def seal(*, new_key: bool) -> None:
    """End the segment and go on in a new one; the sealed file can be moved away once it is copied."""
    config = load_settings()
    (seq,) = done(config, lambda client: [client.seal(rotate=new_key)], lambda journal: [journal.seal(rotate=new_key)])
    click.echo(f"the segment ends with entry {seq}" + ("; another key signs from here on" if new_key else ""))


@click.command()
@settings_option
def new() -> None:
    """Begin a new journal under the configured origin, where the old one can't be gone on with.

    The old files are moved aside, not changed; the new journal's first entry carries the old one's newest checkpoint.
    """
    config = load_settings()
    place = begin_anew(config)
    click.echo(f"{config.journal.origin} begins; the old journal is in {place}")


def begin_anew(config: "Config") -> Path:
    """Move the old journal aside and begin a new one that names it; raises Problem or JournalDown."""
    import msgspec

    from addons.opening import opening_of
    from gatekeeper.journal import Journal
    from gatekeeper.journal.files import KeyFiles, lock_folder

    folder, secrets = config.journal.folder, KeyFiles(config.keys)
    moved = sorted(folder.parent.glob(f"{folder.name}-{REPLACED}-*"))
    # Where a crash came between the two, the old one has been moved already.
    place = moved[-1] if moved and not _has_notes(folder) else _aside(folder)
    head = _newest_note(folder if _has_notes(folder) else place)
    if head.partition("\n")[0] == config.journal.origin:
        msg = f"journal.origin: is still {config.journal.origin!r}, whose log this one would contradict: set another"
        raise Problem(msg)
    if _has_notes(folder):
        lock = lock_folder(folder)
        try:
            folder.rename(place)
        finally:
            os.close(lock)
    if secrets.signing.exists():
        secrets.signing.rename(secrets.folder / f"journal.key.{place.name}")
    secrets.next.unlink(missing_ok=True)
    opening = msgspec.structs.replace(opening_of(config), old_head=head)

    async def begin() -> None:
        await Journal.open(folder, config.keys, config.journal.origin, opening).close()

    asyncio.run(begin())
    return place


def _aside(folder: Path) -> Path:
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return folder.with_name(f"{folder.name}-{REPLACED}-{stamp}")


def _has_notes(folder: Path) -> bool:
    return (folder / "head").exists() or (folder / "anchors.log").exists()


def _newest_note(folder: Path) -> str:
    """Give the newest checkpoint that stands beside an old log: what it says was there once."""
    from gatekeeper.journal.anchors import split_anchors
    from gatekeeper.journal.files import JournalFiles

    files = JournalFiles(folder)
    notes = [files.head.read_text(encoding="utf-8")] if files.head.exists() else []
    if files.anchors.exists():
        notes += split_anchors(files.anchors.read_bytes())[0][-1:]
    if not notes:
        msg = f"{folder}: there is no journal whose newest checkpoint could be carried over; start the gateway instead"
        raise Problem(msg)
    return max(notes, key=_size_of)


def _size_of(note: str) -> int:
    lines = note.split("\n")
    return int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else -1


def done(
    config: "Config",
    online: "Callable[[AdminClient], list[int]]",
    offline: "Callable[[Journal], Sequence[Awaitable[Receipt]]]",
) -> list[int]:
    """Have the running gateway do it, or do it here where none runs; gives the entries."""
    from gatekeeper.cli.read_entry import is_off
    from gatekeeper.gateway.offline import writing_offline

    try:
        with AdminClient(config.admin_socket) as client:
            return online(client)
    except click.ClickException as error:
        if not is_off(error):
            raise

    async def write() -> list[int]:
        async with writing_offline(config) as journal:
            try:
                return [(await written).seq for written in offline(journal)]
            except LookupError as error:
                raise Problem(str(error.args[0])) from error

    return asyncio.run(write())
