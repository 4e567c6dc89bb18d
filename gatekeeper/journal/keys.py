"""The journal's secrets, apart from the log: the signing key, and `keys.db` with data keys and the digest key."""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NewType, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatekeeper.exchange import DigestKey, SessionId
from gatekeeper.journal.codec import DICTIONARY, Codec, shipped_dictionary
from gatekeeper.journal.draft import JournalDown
from gatekeeper.journal.files import open_database, open_for_reading, write_new

KeyId = NewType("KeyId", str)
"""SHA-256 hex of a data key: the commitment that stands in a body."""

DataKey = NewType("DataKey", bytes)
"""32 random bytes for AES-256-GCM."""


def key_id(key: bytes) -> KeyId:
    """Commit to a data key."""
    return KeyId(hashlib.sha256(key).hexdigest())


class SessionKey:
    """A data key, ready for use: its id is its commitment."""

    def __init__(self, key: DataKey, codec: Codec) -> None:
        self.id = key_id(key)
        self.cipher = AESGCM(key)
        self.codec = codec


KEY_SIZE: Final = 32
KEPT_FOR_EVER: Final = ""
"""The `session` of the key for what belongs to no session: configurations. It is never erased."""

MOST_KNOWN: Final = 10_000
"""Keys in memory; others are read again."""

_SCHEMA: Final = (
    "CREATE TABLE data_key (id TEXT PRIMARY KEY, session TEXT NOT NULL UNIQUE, key BLOB NOT NULL) STRICT",
    "CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
)


class KeyStore:
    """`keys.db`, open for writing. A key is durable before anything encrypted under it is."""

    def __init__(self, database: sqlite3.Connection, digest_key: DigestKey) -> None:
        self._database = database
        self._known: dict[str, SessionKey] = {}
        self.digest_key = digest_key
        self._codec = Codec(read_dictionaries(database))

    @classmethod
    def make(cls, path: Path) -> Self:
        """Open the store, or make it where there is none: that of an older origin is gone on with."""
        return cls.open(path) if path.exists() else cls.create(path)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the store, with the digest key and the key that is kept for ever."""
        database = open_database(path)
        database.execute("PRAGMA secure_delete=1")
        digest_key = DigestKey(secrets.token_bytes(KEY_SIZE))
        database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            database.execute(statement)
        database.execute("INSERT INTO secret VALUES ('digest', ?)", [digest_key])
        database.execute("INSERT INTO secret VALUES (?, ?)", [DICTIONARY, shipped_dictionary()])
        database.execute("COMMIT")
        made = cls(database, digest_key)
        made.provide({KEPT_FOR_EVER})
        return made

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store; raises JournalDown where it is not what `create` has made."""
        database = open_database(path)
        try:
            database.execute("PRAGMA secure_delete=1")
            row = database.execute("SELECT value FROM secret WHERE name = 'digest'").fetchone()
            made = cls(database, DigestKey(row[0] if row else b""))
            made.key_of(KEPT_FOR_EVER)
        except (sqlite3.Error, LookupError) as error:
            database.close()
            msg = f"{path}: does not hold the keys of this journal; bring it back from a backup"
            raise JournalDown(msg) from error
        return made

    def provide(self, sessions: set[str]) -> None:
        """Make the keys of sessions that have none yet, durably, in one transaction."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        missing = [session for session in sessions if self._find(session) is None]
        if not missing:
            return
        made = {session: DataKey(secrets.token_bytes(KEY_SIZE)) for session in missing}
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(
            "INSERT INTO data_key VALUES (?, ?, ?)", [(key_id(key), session, key) for session, key in made.items()]
        )
        self._database.execute("COMMIT")
        self._known.update({session: SessionKey(key, self._codec) for session, key in made.items()})

    def key_of(self, session: SessionId | str) -> SessionKey:
        """Give the key of a session that `provide` has made; raises LookupError."""
        key = self._find(session)
        if key is None:
            msg = f"no key for session {session!r}"
            raise LookupError(msg)
        return key

    def keys_of(self, session: str) -> tuple[KeyId, ...]:
        """Give the ids of a session's keys."""
        rows = self._database.execute("SELECT id FROM data_key WHERE session = ?", [session])
        return tuple(KeyId(id_) for (id_,) in rows)

    def destroy(self, ids: Iterable[KeyId]) -> None:
        """Destroy keys so that no copy is left in a file: cells are overwritten (`secure_delete`), the WAL is emptied.

        Raises TimeoutError where somebody reads the keys for so long that the WAL can't be emptied.
        """
        wanted = [[id_] for id_ in ids]
        if not wanted:
            return
        self._known.clear()
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("DELETE FROM data_key WHERE id = ?", wanted)
        self._database.execute("COMMIT")
        if not self.empty_wal():
            msg = (
                "the keys are deleted, but a reader keeps the WAL of keys.db from being emptied; end it and start again"
            )
            raise TimeoutError(msg)

    @property
    def erased_upto(self) -> int:
        """The number of entries whose `erase` entries are known to have been followed."""
        row = self._database.execute("SELECT value FROM secret WHERE name = 'erased-upto'").fetchone()
        return int.from_bytes(row[0]) if row else 0

    @erased_upto.setter
    def erased_upto(self, size: int) -> None:
        self._database.execute("INSERT OR REPLACE INTO secret VALUES ('erased-upto', ?)", [size.to_bytes(8)])

    def empty_wal(self) -> bool:
        """Take the WAL into the file and truncate it; False where a reader has kept it from that."""
        (busy, *_) = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def _find(self, session: str) -> SessionKey | None:
        if session not in self._known:
            row = self._database.execute("SELECT key FROM data_key WHERE session = ?", [session]).fetchone()
            if row is None:
                return None
            self._known[session] = SessionKey(DataKey(row[0]), self._codec)
        return self._known[session]


class KeyReader:
    """`keys.db`, read only, for who shows what was recorded."""

    def __init__(self, path: Path) -> None:
        self._database = open_for_reading(path)
        self._codec = Codec(read_dictionaries(self._database))

    def get(self, id_: str) -> SessionKey | None:
        """Give a data key, or None where it is not there (any more)."""
        row = self._database.execute("SELECT key FROM data_key WHERE id = ?", [id_]).fetchone()
        return SessionKey(DataKey(row[0]), self._codec) if row else None

    def digest_key(self) -> DigestKey | None:
        """Give the installation's digest key."""
        row = self._database.execute("SELECT value FROM secret WHERE name = 'digest'").fetchone()
        return DigestKey(row[0]) if row else None

    def sessions(self) -> set[SessionId]:
        """Give the sessions whose bodies can still be read."""
        rows = self._database.execute("SELECT DISTINCT session FROM data_key WHERE session <> ?", [KEPT_FOR_EVER])
        return {SessionId(session) for (session,) in rows}

    def close(self) -> None:
        """Close the store."""
        self._database.close()


def read_dictionaries(database: sqlite3.Connection) -> list[bytes]:
    """Give the dictionaries of a store, the one in force first; one of an older version has none."""
    rows = database.execute("SELECT value FROM secret WHERE name LIKE 'dictionary-%' ORDER BY name DESC")
    return [value for (value,) in rows]


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read the signing key; raises JournalDown."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        msg = f"{path}: the journal's signing key can't be read; bring it back from a backup"
        raise JournalDown(msg) from error
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"{path}: is no Ed25519 key"
        raise JournalDown(msg)
    return key


def create_signing_key(path: Path) -> Ed25519PrivateKey:
    """Make the signing key; raises FileExistsError where there is one."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_new(path, pem)
    return key
