"""Opens a journal: begins a new one, or goes on with an old one after checking that nothing of it is gone."""

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import UNSET

from gatekeeper.exchange import Clock, ExchangeId, Instant, SessionId
from gatekeeper.journal.anchors import last_anchor, read_head
from gatekeeper.journal.draft import Content, Draft, JournalDown
from gatekeeper.journal.entries import (
    ChunkData,
    CloseData,
    ErrorData,
    OpenData,
    PreviousData,
    ReleaseData,
    RequestData,
    ResponseData,
    TruncatedData,
)
from gatekeeper.journal.exchanges import truncated
from gatekeeper.journal.files import (
    JournalFiles,
    KeyFiles,
    append_file,
    lock_folder,
    make_folder,
    replace_file,
    sync_folder,
    write_new,
)
from gatekeeper.journal.group import Growth
from gatekeeper.journal.intake import check_draft
from gatekeeper.journal.keys import KeyStore, create_signing_key, load_signing_key
from gatekeeper.journal.leaf import decode_leaf, decode_place
from gatekeeper.journal.merkle import Frontier
from gatekeeper.journal.note import Checkpoint, VerificationKey, read_checkpoint, read_cosigned, verification_key
from gatekeeper.journal.store import LogStore

BEGIN_ANEW: Final = "to begin a new journal, move all files of the old one away and set another journal.origin"

ENDS: Final = frozenset({ResponseData.kind, ErrorData.kind, TruncatedData.kind})
"""The types of entries after which an exchange is not open any more."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What the `open` entry states of this run."""

    version: str
    config_text: str
    signers: str


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A journal whose `open` entry is durable, ready for its writer. `note` is the checkpoint over it, anchored."""

    files: JournalFiles
    lock: int
    store: LogStore
    keys: KeyStore
    growth: Growth
    note: str
    vkey: str
    released: dict[str, ExchangeId]
    warnings: tuple[str, ...]


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A log that was checked: where it goes on, what a crash left open in it, and what looked odd beside it."""

    growth: Growth
    left_open: list[Draft]
    warnings: tuple[str, ...]


def open_files(folder: Path, keys: Path, origin: str, opening: Opening, clock: Clock) -> Opened:
    """Open or begin the journal of `origin`; raises JournalDown, OSError or sqlite3.Error."""
    files, secrets = JournalFiles(folder), KeyFiles(keys)
    make_folder(folder)
    make_folder(keys)
    with contextlib.ExitStack() as undo:
        lock = lock_folder(folder)
        undo.callback(os.close, lock)
        if _is_new(files, secrets):
            opened = _begin(files, secrets, origin, opening, clock, lock, undo)
        else:
            opened = _go_on(files, secrets, origin, opening, clock, lock, undo)
        undo.pop_all()
    return opened


def _is_new(files: JournalFiles, secrets: KeyFiles) -> bool:
    """Whether there is nothing of a journal yet; raises JournalDown where there is a part of one only."""
    parts = (files.log, files.vkey, secrets.signing, secrets.data)
    missing = [path for path in parts if not path.exists()]
    if missing == list(parts) and not files.head.exists() and not files.anchors.exists():
        return True
    if missing:
        there = next(path for path in (*parts, files.head, files.anchors) if path.exists())
        msg = f"{missing[0]}: is missing while {there} is there; restore it from a backup, or, {BEGIN_ANEW}"
        raise JournalDown(msg)
    return False


def _begin(
    files: JournalFiles,
    secrets: KeyFiles,
    origin: str,
    opening: Opening,
    clock: Clock,
    lock: int,
    undo: contextlib.ExitStack,
) -> Opened:
    """Make keys and log. What fails before the first commit leaves nothing behind."""
    with contextlib.ExitStack() as remove:
        for path in (files.log, files.vkey, secrets.signing, secrets.data):
            remove.callback(_remove, path)
        signing = create_signing_key(secrets.signing)
        vkey = verification_key(origin, signing)
        write_new(files.vkey, vkey.text().encode())
        keys = undo.enter_context(contextlib.closing(KeyStore.create(secrets.data)))
        sync_folder(secrets.folder)
        store = undo.enter_context(contextlib.closing(LogStore.for_writing(files)))
        growth = Growth(origin, signing, Frontier(), Instant(0))
        grown = growth.add([_opening_draft(opening, vkey, None)], clock(), keys.key_of)
        store.create({"format": "1", "origin": origin, "vkey": vkey.text(), "start": "0"}, grown.group)
        sync_folder(files.folder)
        remove.pop_all()
    _publish(files, growth, grown.group.note)
    return Opened(
        files=files, lock=lock, store=store, keys=keys, growth=growth, note=grown.group.note, vkey=vkey.text(),
        released={}, warnings=(),
    )  # fmt: skip


def _go_on(
    files: JournalFiles,
    secrets: KeyFiles,
    origin: str,
    opening: Opening,
    clock: Clock,
    lock: int,
    undo: contextlib.ExitStack,
) -> Opened:
    signing = load_signing_key(secrets.signing)
    vkey = verification_key(origin, signing)
    store = undo.enter_context(contextlib.closing(LogStore.for_writing(files)))
    _check_identity(files, store, vkey)
    keys = undo.enter_context(contextlib.closing(KeyStore.open(secrets.data)))
    whole = _check_whole(files, store, vkey, signing)
    growth = whole.growth
    previous = PreviousData(size=growth.frontier.size, root=growth.frontier.root().hex())
    grown = growth.add([_opening_draft(opening, vkey, previous), *whole.left_open], clock(), keys.key_of)
    store.commit(grown.group)
    _publish(files, growth, grown.group.note)
    return Opened(
        files=files, lock=lock, store=store, keys=keys, growth=growth, note=grown.group.note, vkey=vkey.text(),
        released=_released(store), warnings=whole.warnings,
    )  # fmt: skip


def _publish(files: JournalFiles, growth: Growth, note: str) -> None:
    replace_file(files.head, note.encode())
    append_file(files.anchors, f"{note}\n".encode())
    growth.keep_newest()


def _remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _check_identity(files: JournalFiles, store: LogStore, vkey: VerificationKey) -> None:
    """Compare the log with the origin and key that would go on with it; raises JournalDown."""
    if store.is_empty():
        msg = f"{files.log}: holds no journal; restore it from a backup, or, {BEGIN_ANEW}"
        raise JournalDown(msg)
    meta = store.meta()
    if meta.get("origin") != vkey.origin:
        msg = f"{files.log}: is of another origin than journal.origin; set that to the one in {files.vkey}"
        raise JournalDown(msg)
    if meta.get("vkey") != vkey.text() or files.vkey.read_bytes() != vkey.text().encode():
        msg = f"{files.vkey}: is not the key that signs here; restore journal.key and journal.vkey from a backup"
        raise JournalDown(msg)
    if meta.get("format") != "1" or meta.get("start") != "0":
        msg = f"{files.log}: is of a format, or a segment, that this version does not write"
        raise JournalDown(msg)


def _check_whole(files: JournalFiles, store: LogStore, vkey: VerificationKey, signing: Ed25519PrivateKey) -> Whole:
    """Check that nothing of the log is gone or changed at its edge; raises JournalDown."""
    size = store.size()
    warnings: tuple[str, ...] = ()
    try:
        frontier = store.frontier(size)
        newest = store.newest_note()
        if newest is None or read_checkpoint(newest[1], vkey) != Checkpoint(vkey.origin, size, frontier.root()):
            msg = "its newest checkpoint is not over its entries"
            raise ValueError(msg)
        head, anchor = read_head(files), last_anchor(files)
        if head is None:
            warnings = ("head is missing; it is written again",)
        elif _check_prefix(store, read_checkpoint(head, vkey), size, "head") < size:
            warnings = ("head is older than the log, as after a crash; it is written again",)
        if anchor is not None:
            _check_prefix(store, read_cosigned(anchor, vkey), size, "the last anchor")
        last = store.last_entry()
        left_open = _left_open(store, size)
    except ValueError as error:
        msg = f"{files.log}: is damaged or rolled back: {error}; restore the folder from a backup, or, {BEGIN_ANEW}"
        raise JournalDown(msg) from error
    growth = Growth(vkey.origin, signing, frontier, last.time)
    growth.resume(size)
    return Whole(growth=growth, left_open=left_open, warnings=warnings)


def _check_prefix(store: LogStore, checkpoint: Checkpoint, size: int, name: str) -> int:
    """Give the size of a checkpoint that the log extends; raises ValueError for another."""
    gone = checkpoint.size - size
    if gone > 0:
        msg = f"{name} is over {checkpoint.size} entries and the log has {size}: the last {gone} are gone"
        raise ValueError(msg)
    if store.frontier(checkpoint.size).root() != checkpoint.root:
        msg = f"{name} is over other entries than the log has"
        raise ValueError(msg)
    return checkpoint.size


def _released(store: LogStore) -> dict[str, ExchangeId]:
    """Give each approval that was ever released, and the exchange that used it."""
    entries = map(decode_leaf, store.released())
    return {
        entry.data.approval: entry.exchange
        for entry in entries
        if isinstance(entry.data, ReleaseData) and isinstance(entry.data.approval, str) and entry.exchange is not None
    }


def _opening_draft(opening: Opening, vkey: VerificationKey, previous: PreviousData | None) -> Draft:
    text = opening.config_text.encode()
    data = OpenData(
        version=opening.version,
        config=hashlib.sha256(text).hexdigest(),
        vkey=vkey.text(),
        signers=opening.signers,
        previous=UNSET if previous is None else previous,
    )
    draft = Draft(data=data, content=Content(media="application/toml", data=text))
    try:
        check_draft(draft)
    except ValueError as error:
        msg = "allowed_signers does not fit into one entry of the journal (64 KiB); take out who decides no more"
        raise JournalDown(msg) from error
    return draft


def _left_open(store: LogStore, size: int) -> list[Draft]:
    """Give what ends the exchanges that the last run left open, where it did not end with `close`."""
    if isinstance(store.last_entry().data, CloseData):
        return []
    left: dict[ExchangeId, tuple[SessionId, int]] = {}
    for _, raw in store.leaves(store.last_opening(), size):
        kind, exchange, session = decode_place(raw)
        if exchange is None or session is None:
            continue
        if kind == RequestData.kind:
            left[exchange] = session, 0
        elif kind == ChunkData.kind and exchange in left:
            left[exchange] = session, left[exchange][1] + 1
        elif kind in ENDS:
            left.pop(exchange, None)
    return [truncated(exchange, session, chunks) for exchange, (session, chunks) in left.items()]
