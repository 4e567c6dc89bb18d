"""Verification: everything that can be told from the log and a key, without trusting who runs it.

It streams, in slices, and beside a running writer is fixed at the newest checkpoint. Where the log is
broken it names the first bad entry.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import UNSET

from gatekeeper.exchange import Seq
from gatekeeper.journal.anchors import read_head, split_anchors
from gatekeeper.journal.entries import Body, DecisionData, GrantData, OpenData, RevokeData
from gatekeeper.journal.exchanges import GrammarError
from gatekeeper.journal.files import JournalFiles
from gatekeeper.journal.grammar import Grammar
from gatekeeper.journal.leaf import LEAF_LIMIT, Entry, decode_leaf, is_canonical
from gatekeeper.journal.merkle import HASH_SIZE, TILE_WIDTH, Frontier, Hash
from gatekeeper.journal.note import Checkpoint, VerificationKey, read_checkpoint, read_cosigned
from gatekeeper.journal.schema import Broken, check_meta, check_schema, check_strays, printable
from gatekeeper.journal.signature import check_decision
from gatekeeper.journal.statement import DecisionRefused
from gatekeeper.journal.store import LogStore


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What verification found.

    `ok` is the answer; `first_bad` names the first bad entry (or the first that a checkpoint without match could
    mean), where entries are to blame; `anchors_useless`: anchors were given and none is of this journal, so nothing
    was compared. `entries` were checked, `size` and `root` are of the tree over them.
    """

    ok: bool
    entries: int = 0
    size: int = 0
    root: str = ""
    origin: str = ""
    key_from_outside: bool = False
    anchors_checked: int = 0
    anchors_useless: bool = False
    first_bad: Seq | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()


def verify_journal(folder: Path, vkey: str | None = None, anchors: Path | None = None) -> Report:
    """Verify the journal in `folder` with a verification key from outside, or else the folder's own.

    Never raises for what stands in the folder; raises FileNotFoundError where there is no journal, OSError
    where `anchors` can't be read, and ValueError where `vkey` is no verification key.
    """
    files = JournalFiles(folder)
    outside = VerificationKey.parse(vkey.strip()) if vkey is not None else None
    given = anchors.read_bytes() if anchors is not None else None
    try:
        store = LogStore.for_reading(files)
    except sqlite3.Error as error:
        return Report(ok=False, problem=f"the database can't be opened: {error}")
    verification = _Verification(files, store)
    try:
        verification.run(outside, given)
    except Broken as broken:
        return verification.report(first_bad=broken.seq, problem=str(broken))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return verification.report(problem=printable(f"the database can't be read: {error}"))
    except OSError as error:
        return verification.report(problem=printable(str(error)))
    finally:
        store.close()
    if given is not None and not verification.anchors_checked:
        return verification.report(problem="none of the anchors is of this journal", anchors_useless=True)
    return verification.report()


class _Verification:
    """One pass over a log."""

    def __init__(self, files: JournalFiles, store: LogStore) -> None:
        self._files = files
        self._store = store
        self._warnings: list[str] = []
        self._origin = ""
        self._key_text = ""
        self._from_outside = False
        self._frontier = Frontier()
        self._confirmed = 0
        self._outside_notes: dict[int, list[tuple[str, Hash]]] = {}
        self.anchors_checked = 0

    def run(self, outside: VerificationKey | None, anchors: bytes | None) -> None:
        """Check everything; raises Broken."""
        self._from_outside = outside is not None
        key = outside or self._own_key()
        self._origin, self._key_text = key.origin, key.text()
        # Before the size is fixed: beside a running writer they are never ahead of it.
        head = self._read_head(key)
        size = self._fix_size()
        check_schema(self._store.database)
        check_meta(self._store.meta(), key)
        if head is not None:
            self._expect("head", head, size)
        self._expect_anchors(anchors or b"", key, size)
        self._walk(size, key)
        check_strays(self._store.database)

    def report(
        self, *, first_bad: Seq | None = None, problem: str | None = None, anchors_useless: bool = False
    ) -> Report:
        """Say what was found so far."""
        return Report(
            ok=problem is None,
            entries=self._frontier.size,
            size=self._frontier.size,
            root=self._frontier.root().hex(),
            origin=self._origin,
            key_from_outside=self._from_outside,
            anchors_checked=self.anchors_checked,
            anchors_useless=anchors_useless,
            first_bad=first_bad,
            problem=problem,
            warnings=tuple(self._warnings),
        )

    def _own_key(self) -> VerificationKey:
        self._warnings.append("the key was the folder's own: a journal replaced as a whole can't be told")
        try:
            return VerificationKey.parse(self._files.vkey.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            msg = "journal.vkey is missing, or is no verification key; give the key from outside"
            raise Broken(msg) from error

    def _read_head(self, key: VerificationKey) -> Checkpoint | None:
        try:
            head = read_head(self._files)
        except ValueError as error:
            msg = "head is no note"
            raise Broken(msg) from error
        if head is None:
            self._warnings.append("head is missing")
            return None
        return _signed(read_checkpoint, head, key, "head")

    def _fix_size(self) -> int:
        sealed = next(self._files.folder.glob("journal-*.db"), None)
        if sealed is not None:
            msg = f"{sealed.name}: segments are not known to this version"
            raise Broken(msg)
        newest = self._store.newest_note()
        if newest is None or newest[0] < 1:
            msg = "there is no checkpoint"
            raise Broken(msg)
        return newest[0]

    def _expect_anchors(self, anchors: bytes, key: VerificationKey, size: int) -> None:
        try:
            notes, torn = split_anchors(anchors)
        except ValueError as error:
            msg = f"the file of anchors {error}"
            raise Broken(msg) from error
        if torn:
            self._warnings.append("the last of the anchors is torn and was left out")
        for note in notes:
            if note.startswith(f"{key.origin}\n"):
                self._expect("an anchor", _signed(read_cosigned, note, key, "an anchor"), size)
                self.anchors_checked += 1

    def _expect(self, name: str, checkpoint: Checkpoint, size: int) -> None:
        """Have a note from beside the log compared when the walk comes to its size."""
        if checkpoint.size > size:
            msg = f"{name} is over {checkpoint.size} entries and the log has {size}: entries are gone"
            raise Broken(msg, size)
        self._outside_notes.setdefault(checkpoint.size, []).append((name, checkpoint.root))

    def _walk(self, size: int, key: VerificationKey) -> None:
        grammar, last = Grammar(key.origin), 0
        for start in range(0, size, TILE_WIDTH):
            stop = min(start + TILE_WIDTH, size)
            tile = self._store.tile_row(0, start // TILE_WIDTH) if stop - start == TILE_WIDTH else None
            due = self._due(start, stop, key)
            for seq, raw in self._leaves(start, stop):
                entry = _entry(seq, raw)
                if tile is not None and tile[(seq - start) * HASH_SIZE :][:HASH_SIZE] != entry.leaf_hash:
                    msg = "its leaf is not the one that its tile holds"
                    raise Broken(msg, seq)
                if entry.time < last:
                    msg = "its time is before that of the entry before it"
                    raise Broken(msg, seq)
                last = entry.time
                self._check_opening(entry)
                self._check_body(entry)
                _check_order(grammar, entry)
                self._grow(entry)
                self._compare(due.get(self._frontier.size, []))

    def _leaves(self, start: int, stop: int) -> Iterator[tuple[int, object]]:
        expected = start
        for seq, raw in self._store.leaves(start, stop):
            if seq != expected:
                break
            yield seq, raw
            expected += 1
        if expected != stop:
            msg = f"entry {expected} is missing"
            raise Broken(msg, expected)

    def _due(self, start: int, stop: int, key: VerificationKey) -> dict[int, list[tuple[str, Hash]]]:
        """Give the roots that the tree must have at sizes in (start, stop], and who says so."""
        due = {
            size: self._outside_notes.pop(size) for size in range(start + 1, stop + 1) if size in self._outside_notes
        }
        for size, note in self._store.notes(start + 1, stop + 1):
            name = f"the checkpoint at {size}"
            checkpoint = _signed(read_checkpoint, note, key, name)
            if checkpoint.size != size:
                msg = f"{name} states another size"
                raise Broken(msg, self._confirmed)
            due.setdefault(size, []).append((name, checkpoint.root))
        return due

    def _check_opening(self, entry: Entry) -> None:
        if not isinstance(entry.data, OpenData):
            return
        stated = entry.data.previous
        if entry.seq == 0:
            agrees = stated is UNSET
        else:
            agrees = stated is not UNSET and (stated.size, stated.root) == (entry.seq, self._frontier.root().hex())
        if not agrees:
            msg = "its open entry states another tree than the one before it"
            raise Broken(msg, entry.seq)
        if entry.data.vkey != self._key_text:
            msg = "its open entry states another key"
            raise Broken(msg, entry.seq)

    def _check_body(self, entry: Entry) -> None:
        body: Body | None = getattr(entry.data, "body", None)
        stored = [(part, hashlib.sha256(data).hexdigest()) for part, data in self._store.parts(entry.seq)]
        if stored != list(enumerate(body.parts if body is not None else ())) or (body is not None and not body.parts):
            msg = "its stored body is not the one that its leaf states"
            raise Broken(msg, entry.seq)

    def _grow(self, entry: Entry) -> None:
        for level, n, joined in self._frontier.append(entry.leaf_hash):
            if self._store.tile_row(level, n) != joined:
                msg = f"tile {level}/{n} is missing, or is not that of the entries below it"
                raise Broken(msg, n << 8 * (level + 1))

    def _compare(self, due: list[tuple[str, Hash]]) -> None:
        for name, root in due:
            if root != self._frontier.root():
                msg = f"{name} is over other entries: one of {self._confirmed} to {self._frontier.size - 1} was changed"
                raise Broken(msg, self._confirmed)
        if due:
            self._confirmed = self._frontier.size


def _entry(seq: int, raw: object) -> Entry:
    try:
        if not isinstance(raw, bytes) or len(raw) >= LEAF_LIMIT or not is_canonical(raw):
            msg = "its leaf is not canonical JSON of less than 64 KiB"
            raise ValueError(msg)
        entry = decode_leaf(raw)
    except ValueError as error:
        raise Broken(str(error), seq) from error
    if entry.seq != seq:
        msg = "its leaf states another seq"
        raise Broken(msg, seq)
    return entry


def _check_order(grammar: Grammar, entry: Entry) -> None:
    try:
        grammar.feed(entry)
        if isinstance(entry.data, DecisionData | GrantData | RevokeData):
            stated = grammar.stated(entry.data)
            grammar.admit(entry, stated, check_decision(grammar.signers, entry.data, entry.time))
    except (GrammarError, DecisionRefused) as error:
        msg = f"its {entry.kind} {error}"
        raise Broken(msg, entry.seq) from error


def _signed(
    read: Callable[[str, VerificationKey], Checkpoint], note: object, key: VerificationKey, name: str
) -> Checkpoint:
    try:
        return read(note if isinstance(note, str) else "", key)
    except ValueError as error:
        msg = f"{name}: {error}"
        raise Broken(msg) from error
