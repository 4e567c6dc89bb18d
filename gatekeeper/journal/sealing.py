"""Ends a segment and begins the next: what is carried over, and the files' names (JOURNAL.md, "Files").

A crash between any two steps leaves what `finish` goes on from: the `seal` entry is durable before a file changes its
name, and the next segment is whole before it gets its own.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, override

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.exchange import Clock, Instant
from gatekeeper.journal.admin import still_locked
from gatekeeper.journal.draft import Draft, JournalDown, encode_draft
from gatekeeper.journal.entries import AdminData, DecisionData, GrantData, PreviousData, RevokeData
from gatekeeper.journal.files import JournalFiles, KeyFiles, replace_file, sync_folder
from gatekeeper.journal.grammar import Grammar
from gatekeeper.journal.group import Growth
from gatekeeper.journal.keys import KeyStore
from gatekeeper.journal.leaf import Entry, decode_leaf
from gatekeeper.journal.note import verification_key
from gatekeeper.journal.opening import Opening, opening_draft
from gatekeeper.journal.segments import sealed_name
from gatekeeper.journal.sshsig import parse_sshsig
from gatekeeper.journal.store import LogStore, write_carry

NEAR: Final = 512
"""Entries that may be left for the writer itself to look at: some milliseconds."""

REST: Final = 0.002
"""Seconds that the pass over a segment leaves to others after each slice: it runs beside the traffic."""

SLICE: Final = 256


class OpenState:
    """Follows a segment's entries to know what is open where it ends. Signatures were checked when they were taken."""

    def __init__(self, store: LogStore, origin: str) -> None:
        self._grammar = Grammar(origin)
        self._admin: list[tuple[Instant, AdminData]] = []
        self.at = store.start()
        carried = store.meta().get("carried")
        if carried is not None:
            self._grammar.take_over(carried.encode())

    def follow(self, store: LogStore, stop: int) -> None:
        """Take the entries up to `stop`."""
        for _, raw in store.leaves(self.at, stop):
            self._feed(decode_leaf(raw))
        self.at = max(self.at, stop)

    def carried(self) -> bytes:
        """Give the open state, as the next segment's `meta` has it."""
        return self._grammar.carried()

    def still_locked(self) -> list[Draft]:
        """Give the entries that say in the next segment what is locked; they follow its `open`."""
        return still_locked(self._admin)

    def _feed(self, entry: Entry) -> None:
        self._grammar.feed(entry)
        if isinstance(entry.data, AdminData):
            self._admin.append((entry.time, entry.data))
        if isinstance(entry.data, DecisionData | GrantData | RevokeData):
            key = parse_sshsig(entry.data.signature).key.hex()
            self._grammar.admit(entry, self._grammar.stated(entry.data), key)


class Following(threading.Thread):
    """Brings an `OpenState` near the end of the growing segment, beside the writer and slowly."""

    def __init__(self, path: Path, origin: str) -> None:
        super().__init__(name="journal-seal", daemon=True)
        self._path, self._origin = path, origin
        self.state: OpenState | None = None
        self.failure: Exception | None = None

    @override
    def run(self) -> None:
        """Follow until little is left."""
        try:
            with contextlib.closing(LogStore.at(self._path)) as store:
                state = OpenState(store, self._origin)
                while (left := store.size() - state.at) > NEAR:
                    state.follow(store, state.at + min(left, SLICE))
                    time.sleep(REST)
            self.state = state
        except Exception as error:  # noqa: BLE001 - the writer raises it
            self.failure = error

    def result(self) -> OpenState | None:
        """Give the state once it is near; raises what went wrong."""
        if self.failure is not None:
            raise self.failure
        return self.state


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that has just begun: its database, and the checkpoint over its first entries."""

    store: LogStore
    note: str
    vkey: str


class Seam(msgspec.Struct, frozen=True, kw_only=True):
    """Where one segment ends and the next begins: the last entry of `sealed` is a durable `seal`."""

    files: JournalFiles
    sealed: LogStore
    growth: Growth
    keys: KeyStore
    carried: bytes
    clock: Clock


def begin_segment(seam: Seam, signing: Ed25519PrivateKey, drafts: Sequence[Draft]) -> Next:
    """Begin the next segment, signed by `signing`: `open` and what follows it at once. Both files get their names."""
    files, sealed, growth = seam.files, seam.sealed, seam.growth
    start, origin = growth.frontier.size, growth.origin
    vkey = verification_key(origin, signing).text()
    meta = {
        "format": "1",
        "origin": origin,
        "vkey": vkey,
        "start": str(start),
        "carry": write_carry(growth.frontier.carry()),
        "carried": seam.carried.decode(),
    }
    growth.begin_segment(signing)
    grown = growth.add([encode_draft(draft) for draft in drafts], seam.clock(), seam.keys.key_of)
    remove_database(files.next)
    following = LogStore.to_write(files.next)
    with contextlib.closing(following):
        following.create(meta, grown.group)
        following.empty_wal()
    first = sealed.start()
    if not sealed.empty_wal():
        msg = f"{files.log}: can't be sealed while somebody reads it in one long transaction; end that, and start again"
        raise JournalDown(msg)
    sealed.close()
    if files.log.exists():
        move_database(files.log, files.folder / sealed_name(first))
    files.next.replace(files.log)
    sync_folder(files.folder)
    return Next(store=LogStore.to_write(files.log), note=grown.group.note, vkey=vkey)


def segment_drafts(opening: Opening, growth: Growth, vkey: str, carried: bytes, rest: Sequence[Draft]) -> list[Draft]:
    """Give the drafts that a segment begins with."""
    previous = PreviousData(size=growth.frontier.size, root=growth.frontier.root().hex())
    return [opening_draft(opening, vkey, previous, hashlib.sha256(carried).hexdigest()), *rest]


def put_key_in_force(files: JournalFiles, secrets: KeyFiles, vkey: str) -> None:
    """Let the key that the last seal named take the place of the old one, whose work is done."""
    replace_file(files.vkey, vkey.encode(), durably=True)
    secrets.next.replace(secrets.signing)
    sync_folder(secrets.folder)


def move_database(old: Path, new: Path) -> None:
    """Rename a database together with its WAL and the index of that, which others may have open."""
    old.replace(new)
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            old.with_name(old.name + ending).replace(new.with_name(new.name + ending))


def remove_database(path: Path) -> None:
    """Remove a database with its WAL."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
