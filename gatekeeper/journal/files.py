"""The journal's files: who may read them, and how they are opened so that nobody else can."""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from gatekeeper.journal.draft import JournalDown

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
BUSY_TIMEOUT: Final = 5.0
"""Seconds to wait for a reader's lock."""

PLAIN_LIMIT: Final = 1 << 28
"""Bytes of a body before it is compressed, at most."""

VALUE_LIMIT: Final = PLAIN_LIMIT + (1 << 20)
"""Bytes of any value in the database: of an incompressible body, zstd and AES-GCM make little more than it has."""


class JournalFiles:
    """Names of the files in a journal's folder (JOURNAL.md, "Files")."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "journal.db"
        self.head = folder / "head"
        self.anchors = folder / "anchors.log"
        self.vkey = folder / "journal.vkey"
        self.edge = folder / "edge"
        self.next = folder / ".journal.db.next"


class KeyFiles:
    """Names of the journal's files in the folder of the keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signing = folder / "journal.key"
        self.next = folder / "journal.key.next"
        self.beginning = folder / "beginning"
        self.data = folder / "keys.db"


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, that only their owner can enter; raises JournalDown."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            sync_folder(path.parent)
    except OSError as error:
        msg = f"{folder}: can't be made: {error.strerror}; make it, or name another one"
        raise JournalDown(msg) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: syncing a file does not (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FolderTaken(JournalDown):
    """Another writer holds the folder."""


def lock_folder(folder: Path) -> int:
    """Lock a folder's descriptor for one writer, and give it; raises FolderTaken where another holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        msg = f"{folder}: another gateway writes this journal; stop it, or give this one a folder of its own"
        raise FolderTaken(msg) from error
    return descriptor


def open_database(path: Path, page_size: int = 4096) -> sqlite3.Connection:
    """Open a database for writing; a new one gets pages of so many bytes.

    SQLite gives its WAL the file's own mode, so the file is made first.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT)
    database.execute(f"PRAGMA page_size={page_size}")
    if database.execute("PRAGMA journal_mode=WAL").fetchone() != ("wal",):
        database.close()
        msg = f"{path}: the file system does not let SQLite keep a WAL; put the folder on a local disk"
        raise JournalDown(msg)
    database.execute("PRAGMA synchronous=FULL")
    return database


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a database read-only, beside its writer or in a folder that can't be written."""
    if not path.exists():
        msg = f"{path}: there is no journal here"
        raise FileNotFoundError(msg)
    writable = os.access(path.parent, os.W_OK)
    flags = "mode=ro" if writable or path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?{flags}", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT
    )
    database.execute("PRAGMA query_only=1")
    database.execute("PRAGMA trusted_schema=0")
    # What stands in the file may be anybody's: no value may be larger than one that a writer stores.
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_LIMIT)
    return database


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not be there yet, for its owner only, and sync it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def replace_file(path: Path, content: bytes, *, durably: bool = False) -> None:
    """Write a file under a temporary name and rename it, so that a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if durably:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
    if durably:
        sync_folder(path.parent)


def append_file(path: Path, content: bytes) -> None:
    """Append to a file and sync it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
