"""Reads a journal, beside its writer or long after, for people and for replay. It verifies nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from gatekeeper.exchange import DigestKey, Instant, Seq, SessionId
from gatekeeper.journal.bodies import CONTENT, TIMELINE, open_part
from gatekeeper.journal.entries import Body
from gatekeeper.journal.keys import KeyReader
from gatekeeper.journal.leaf import Entry, decode_leaf
from gatekeeper.journal.merkle import Frontier, Hash
from gatekeeper.journal.proofs import prove_consistency, prove_inclusion
from gatekeeper.journal.segments import Segments

type Timeline = tuple[tuple[int, int], ...]


class Recorded(msgspec.Struct, frozen=True):
    """A body, decrypted: masked bytes, their media type, and for chunks their [µs since the request, bytes so far]."""

    media: str
    data: bytes
    timeline: Timeline | None


class Reader:
    """Entries and bodies of a journal; without `keys`, entries only. Raises FileNotFoundError where there is none."""

    def __init__(self, folder: Path, keys: Path | None) -> None:
        self._log = Segments.open(folder)
        self._keys = KeyReader(keys / "keys.db") if keys is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """The number of entries that the newest checkpoint covers; it grows with the log."""
        newest = self._log.newest.newest_note()
        return newest[0] if newest else 0

    @property
    def has_keys(self) -> bool:
        """Whether bodies can be read, as far as their keys are still there."""
        return self._keys is not None

    @property
    def start(self) -> Seq:
        """The first entry that is here: older segments may have been moved away."""
        return Seq(self._log.start)

    @property
    def note(self) -> str:
        """The newest checkpoint's note; empty where there is none."""
        newest = self._log.newest.newest_note()
        return newest[1] if newest else ""

    @property
    def log(self) -> Segments:
        """The segments, for who reads the tree or leaves themselves."""
        return self._log

    @property
    def digest_key(self) -> DigestKey | None:
        """The installation's digest key; None where the keys can't be read."""
        return self._keys.digest_key() if self._keys is not None else None

    def notes(self) -> Iterator[tuple[int, str]]:
        """Give size and note of all checkpoints that are kept, oldest first."""
        return self._log.notes()

    def frontier(self, size: int) -> Frontier:
        """Give the right edge of the tree over the first `size` entries, in O(log n); ValueError if tiles are gone."""
        return self._log.frontier(size)

    def inclusion(self, seq: int, size: int) -> tuple[Hash, ...]:
        """Give the audit path of an entry in the tree of `size`, lowest first, in O(log n) (RFC 9162 §2.1.3)."""
        return prove_inclusion(seq, size, self._log.subtree)

    def consistency(self, old: int, size: int) -> tuple[Hash, ...]:
        """Give the proof that the tree of `old` entries is the beginning of that of `size` (RFC 9162 §2.1.4)."""
        return prove_consistency(old, size, self._log.subtree)

    def parts(self, seq: int) -> list[tuple[int, bytes]]:
        """Give the stored parts of an entry's body, as they are."""
        return self._log.store_of(seq).parts(seq)

    def seq_at(self, time: Instant) -> Seq:
        """Give the first entry at `time` or later, or the size."""
        return self._log.first_since(time)

    def entries(self, start: int, stop: int) -> Iterator[Entry]:
        """Give the entries in [start, stop), in order; raises ValueError for one that can't be read."""
        return (decode_leaf(raw) for _, raw in self._log.leaves(start, stop))

    def entry(self, seq: int) -> Entry:
        """Give one entry; raises LookupError where there is none."""
        raw = self._log.store_of(seq).leaf(seq)
        if raw is None:
            msg = f"the journal has no entry {seq}"
            raise LookupError(msg)
        return decode_leaf(raw)

    def content(self, entry: Entry) -> Recorded | None:
        """Give an entry's body; None where it has none or its key is gone. Raises ValueError where it is damaged."""
        body: Body | None = getattr(entry.data, "body", None)
        key = self._keys.get(body.key) if body is not None and self._keys is not None else None
        if body is None or key is None:
            return None
        parts = {
            part: open_part(entry.seq, part, stored, key)
            for part, stored in self._log.store_of(entry.seq).parts(entry.seq)
        }
        timeline = msgspec.json.decode(parts[TIMELINE], type=Timeline) if TIMELINE in parts else None
        return Recorded(body.media, parts.get(CONTENT, b""), timeline)

    def readable(self) -> set[SessionId]:
        """Give the sessions whose keys are still there; none without keys."""
        return self._keys.sessions() if self._keys is not None else set()

    def sessions(self) -> Iterator[tuple[SessionId, Seq, Seq]]:
        """Give each session with the seqs of its first and last entry, in order of their first."""
        found: dict[SessionId, tuple[Seq, Seq]] = {}
        for entry in self.entries(self.start, self.size):
            if entry.session is not None:
                first = found[entry.session][0] if entry.session in found else entry.seq
                found[entry.session] = first, entry.seq
        return ((session, *seqs) for session, seqs in found.items())

    def close(self) -> None:
        """Close the journal."""
        self._log.close()
        if self._keys is not None:
            self._keys.close()
