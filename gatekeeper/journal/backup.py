"""Copies a journal beside its running writer, and says of a copy what it is worth: proved by root, never by trust.

A copy holds the log, its sealed segments, the anchors and the public key; never a key that signs or decrypts, and never
`index.db`, which holds what was decrypted.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gatekeeper.journal.anchors import read_head, split_anchors
from gatekeeper.journal.draft import JournalDown
from gatekeeper.journal.files import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    JournalFiles,
    lock_folder,
    make_folder,
    open_for_reading,
    sync_folder,
    write_new,
)
from gatekeeper.journal.note import VerificationKey, read_checkpoint, read_cosigned
from gatekeeper.journal.segments import Segments, segment_files
from gatekeeper.journal.timestamps import FOLDER as TIMESTAMPS

PAGES: Final = 4096
"""Of one step of SQLite's backup."""

type Progress = Callable[[int, int], None]
"""(pages that are copied, pages that there are)"""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy holds: the tree's size and root (hex) by its newest checkpoint."""

    folder: str
    origin: str
    size: int
    root: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a copy stands to checkpoints from elsewhere.

    `proved`: how many it extends; `missing`: entries that the newest of them covers and the copy does not have;
    `forked`: the first one that is over other entries, which no honest copy can have.
    """

    size: int
    root: str
    proved: int
    missing: int
    forked: int | None


def save(folder: Path, target: Path, progress: Progress = lambda _done, _all: None) -> Saved:
    """Copy the journal in `folder` to `target`, which is made by it; raises OSError, ValueError or sqlite3.Error."""
    if target.exists():
        msg = f"{target}: is there already; name a folder that is not"
        raise FileExistsError(msg)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=PRIVATE_FOLDER, parents=True)
    try:
        saved = _save(JournalFiles(folder), JournalFiles(partial), progress)
        sync_folder(partial)
        partial.rename(target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return msgspec.structs.replace(saved, folder=str(target))


def _save(source: JournalFiles, target: JournalFiles, progress: Progress) -> Saved:
    # Before the log, so that no anchor in the copy is over more than the copied log has.
    anchors = source.anchors.read_bytes() if source.anchors.exists() else b""
    write_new(target.vkey, source.vkey.read_bytes())
    _copy_database(source.log, target.log, progress)
    for segment in segment_files(source.folder):
        if segment.start is not None:
            _copy_database(segment.path, target.folder / segment.path.name, progress)
    whole = b"".join(f"{note}\n".encode() for note in split_anchors(anchors)[0])
    write_new(target.anchors, whole)
    for stamp in sorted((source.folder / TIMESTAMPS).glob("*.tsr")):
        (target.folder / TIMESTAMPS).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        write_new(target.folder / TIMESTAMPS / stamp.name, stamp.read_bytes())
    key = VerificationKey.parse(target.vkey.read_text())
    with contextlib.closing(Segments.open(target.folder)) as log:
        write_new(target.head, log.note.encode())
        checkpoint = read_checkpoint(log.note, key)
        saved = Saved(folder="", origin=key.origin, size=checkpoint.size, root=log.root(checkpoint.size).hex())
    for segment in segment_files(target.folder):
        _remove_wal(segment.path)  # left by the reading, and empty
    return saved


def _copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Copy one database as it is at one moment, whatever is written meanwhile."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))
    with (
        contextlib.closing(open_for_reading(source)) as reading,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # the moment
        reading.backup(writing, pages=PAGES, progress=lambda _status, left, all_: progress(all_ - left, all_))
        writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _remove_wal(target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _remove_wal(database: Path) -> None:
    for name in (f"{database.name}-wal", f"{database.name}-shm"):
        database.with_name(name).unlink(missing_ok=True)


def compare(folder: Path, notes: Iterable[str], key: VerificationKey) -> Standing:
    """Compare a copy with checkpoints from elsewhere; a note by another key is none. ValueError, sqlite3.Error."""
    proved, newest, forked = 0, 0, None
    with contextlib.closing(Segments.open(folder)) as log:
        size, root = log.size, log.root(log.size).hex()
        for note in notes:
            try:
                checkpoint = read_cosigned(note, key)
            except ValueError:
                continue
            newest = max(newest, checkpoint.size)
            if log.start < checkpoint.size <= size:
                if log.root(checkpoint.size) == checkpoint.root:
                    proved += 1
                else:
                    forked = checkpoint.size if forked is None else min(forked, checkpoint.size)
    return Standing(size=size, root=root, proved=proved, missing=max(0, newest - size), forked=forked)


def notes_beside(folder: Path) -> Iterator[str]:
    """Give the checkpoints that stand beside a log: its anchors and its head."""
    files = JournalFiles(folder)
    if files.anchors.exists():
        yield from split_anchors(files.anchors.read_bytes())[0]
    if (head := read_head(files)) is not None:
        yield head


def restore(copy: Path, folder: Path) -> None:
    """Put a copy in a journal's place, where no log is; what witnesses more than the copy stays.

    Raises JournalDown where a gateway runs there or a log is there, OSError where it can't be written.
    """
    files = JournalFiles(folder)
    make_folder(folder)
    lock = lock_folder(folder)
    try:
        there = [segment.path for segment in segment_files(folder)]
        if there:
            msg = f"{there[0]}: is there; move the folder away first, it may be evidence"
            raise JournalDown(msg)
        for segment in segment_files(copy):
            shutil.copyfile(segment.path, folder / segment.path.name)
            (folder / segment.path.name).chmod(PRIVATE_FILE)
        for name in (files.vkey, files.head, files.anchors):
            if not name.exists():
                write_new(name, (copy / name.name).read_bytes())
        for stamp in (copy / TIMESTAMPS).glob("*.tsr"):
            (folder / TIMESTAMPS).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            if not (folder / TIMESTAMPS / stamp.name).exists():
                write_new(folder / TIMESTAMPS / stamp.name, stamp.read_bytes())
        sync_folder(folder)
    finally:
        os.close(lock)
