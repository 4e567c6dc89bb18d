"""Verification: everything that can be told from the log and a key, without trusting who runs it.

It streams, in slices, from segment to segment, and beside a running writer is fixed at the newest checkpoint. Where the
log is broken it names the first bad entry.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gatekeeper.exchange import Seq
from gatekeeper.journal.anchors import read_head, split_anchors
from gatekeeper.journal.exchanges import GrammarError
from gatekeeper.journal.files import JournalFiles
from gatekeeper.journal.grammar import Run
from gatekeeper.journal.merkle import EMPTY_ROOT, Frontier, widths
from gatekeeper.journal.note import Checkpoint, VerificationKey, read_cosigned
from gatekeeper.journal.schema import Broken, check_meta, check_schema, check_strays, printable
from gatekeeper.journal.segments import SegmentFile, segment_files
from gatekeeper.journal.store import LogStore, read_carry, write_carry
from gatekeeper.journal.walk import Walk, signed


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What verification found.

    `ok` is the answer; `first_bad` names the first bad entry (or the first that a checkpoint without match could
    mean), where entries are to blame; `anchors_useless`: anchors were given and none is of this journal, so nothing
    was compared. `entries` were checked, from `start` on; `size` and `root` are of the tree over all.
    """

    ok: bool
    start: int = 0
    entries: int = 0
    size: int = 0
    root: str = ""
    origin: str = ""
    segments: int = 0
    key_from_outside: bool = False
    anchors_checked: int = 0
    anchors_useless: bool = False
    first_bad: Seq | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """A segment to verify: what its file says of itself, and up to which size."""

    file: SegmentFile
    store: LogStore
    start: int
    size: int
    key: VerificationKey


def verify_journal(folder: Path, vkey: str | None = None, anchors: Path | None = None) -> Report:
    """Verify the journal in `folder` with a verification key from outside, or else the folder's own.

    Never raises for what stands in the folder; raises FileNotFoundError where there is no journal, OSError
    where `anchors` can't be read, and ValueError where `vkey` is no verification key.
    """
    outside = VerificationKey.parse(vkey.strip()) if vkey is not None else None
    given = anchors.read_bytes() if anchors is not None else None
    while True:
        found = segment_files(folder)
        if not found:
            msg = f"{folder}: there is no journal here"
            raise FileNotFoundError(msg)
        with contextlib.suppress(_Renamed):
            return _verified(_Verification(JournalFiles(folder), found), outside, given)


def _verified(verification: "_Verification", outside: VerificationKey | None, given: bytes | None) -> Report:
    with contextlib.ExitStack() as stack:
        try:
            verification.run(outside, given, stack)
        except Broken as broken:
            return verification.report(first_bad=broken.seq, problem=str(broken))
        except (sqlite3.Error, UnicodeDecodeError) as error:
            return verification.report(problem=printable(f"the database can't be read: {error}"))
        except OSError as error:
            return verification.report(problem=printable(str(error)))
        if given is not None and not verification.anchors_checked:
            return verification.report(problem="none of the anchors is of this journal", anchors_useless=True)
        return verification.report()


class _Renamed(Exception):
    """A writer has sealed a segment while the files were being opened."""


class _Verification:
    """One pass over a log."""

    def __init__(self, files: JournalFiles, found: Sequence[SegmentFile]) -> None:
        self._files = files
        self._found = found
        self._warnings: list[str] = []
        self._from_outside = False
        self._walk = Walk("")
        self._start = 0
        self._segments = 0
        self.anchors_checked = 0

    def run(self, outside: VerificationKey | None, anchors: bytes | None, stack: contextlib.ExitStack) -> None:
        """Check everything; raises Broken."""
        self._from_outside = outside is not None
        trusted = outside or self._own_key()
        # Before the sizes are fixed: beside a running writer it is never ahead of them.
        head = self._read_head()
        self._walk = Walk(trusted.origin)
        try:
            parts = [self._part(file, trusted, stack) for file in self._found]
        finally:
            if segment_files(self._files.folder) != list(self._found):
                raise _Renamed
        self._start = parts[0].start
        if trusted not in [part.key for part in parts]:
            msg = "meta names another key, origin, format or segment than this verifier checks"
            raise Broken(msg)
        self._expect(head, anchors or b"", parts)
        try:
            for before, part in zip([None, *parts], parts, strict=False):
                self._check_segment(before, part)
        except Broken as broken:
            stop = parts[-1].size if broken.seq is None else broken.seq
            self._walk.check_begun(leaf for part in parts for leaf in part.store.leaves(part.start, stop))
            raise
        self._walk.check_begun(leaf for part in parts for leaf in part.store.leaves(part.start, part.size))

    def report(
        self, *, first_bad: Seq | None = None, problem: str | None = None, anchors_useless: bool = False
    ) -> Report:
        """Say what was found so far."""
        frontier = self._walk.frontier
        return Report(
            ok=problem is None,
            start=self._start,
            entries=max(0, frontier.size - self._start),
            size=frontier.size,
            root=frontier.root().hex(),
            origin=self._walk.grammar.origin,
            segments=self._segments,
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
            return VerificationKey.parse(self._files.vkey.read_text(encoding="utf-8").strip())
        except (OSError, ValueError) as error:
            msg = f"{self._files.vkey}: {error}"
            raise Broken(printable(msg)) from error

    def _read_head(self) -> str | None:
        head = read_head(self._files)
        if head is None:
            self._warnings.append("head is missing")
        return head

    def _part(self, file: SegmentFile, trusted: VerificationKey, stack: contextlib.ExitStack) -> Part:
        """Open a segment, fix its size, and look at what its file says of itself."""
        store = LogStore.at(file.path)
        stack.callback(store.close)
        newest = store.newest_note()
        check_schema(store.database)
        meta = store.meta()
        start = store.start()
        key = trusted
        if meta.get("vkey") != trusted.text():
            try:
                key = VerificationKey.parse(meta.get("vkey", ""))
            except ValueError as error:
                msg = f"{file.path.name}: meta names another key than this verifier checks: {error}"
                raise Broken(msg) from error
        check_meta(meta, key, start)
        if key.origin != trusted.origin:
            msg = f"{file.path.name}: meta names another origin than the key's"
            raise Broken(msg)
        if file.start is not None and file.start != start:
            msg = f"{file.path.name}: its segment begins at {start}"
            raise Broken(msg)
        if newest is None:
            msg = f"{file.path.name}: there is no checkpoint"
            raise Broken(msg)
        checkpoint = signed(newest[1], key, "the newest checkpoint")
        if checkpoint.size != newest[0] or newest[0] <= start:
            msg = "the newest checkpoint states another size"
            raise Broken(msg)
        self._walk.outside[checkpoint.size].append(("the newest checkpoint", checkpoint.root))
        return Part(file, store, start, checkpoint.size, key)

    def _expect(self, head: str | None, anchors: bytes, parts: Sequence[Part]) -> None:
        """Note which roots the tree must have beside those of its own checkpoints; raises Broken."""
        if head is not None:
            self._expect_note("head", head, parts)
        try:
            notes, torn = split_anchors(anchors)
        except ValueError as error:
            msg = f"the file of anchors {error}"
            raise Broken(msg) from error
        if torn:
            self._warnings.append("the last note of the anchors is torn")
        origin = parts[0].key.origin
        for number, note in enumerate(notes, 1):
            if note.partition("\n")[0] == origin:
                self.anchors_checked += self._expect_note(f"anchor {number}", note, parts)

    def _expect_note(self, name: str, note: str, parts: Sequence[Part]) -> bool:
        """Note what a checkpoint from beside the log says; False where it is of a part that is not here."""
        size = _stated_size(note)
        if size > parts[-1].size:
            self._read(name, note, [part.key for part in parts[-1:]])
            gone = f"{name} is over {size} entries and the log has {parts[-1].size}: entries are gone"
            raise Broken(gone, parts[-1].size)
        if size <= parts[0].start and size:
            self._warnings.append(f"{name} is over entries that are not here")
            return False
        own = [part.key for part in parts if part.start < size <= part.size]
        checkpoint = self._read(name, note, own or [part.key for part in parts])
        if size == 0 and checkpoint.root != EMPTY_ROOT:
            msg = f"{name} is over other entries"
            raise Broken(msg)
        self._walk.outside[size].append((name, checkpoint.root))
        return True

    def _read(self, name: str, note: str, keys: Sequence[VerificationKey]) -> Checkpoint:
        for key in keys:
            with contextlib.suppress(ValueError):
                return read_cosigned(note, key)
        msg = f"{name}: is no checkpoint that is signed by the journal's key"
        raise Broken(msg)

    def _check_segment(self, before: Part | None, part: Part) -> None:
        walk = self._walk
        meta = part.store.meta()
        carried = meta.get("carried")
        if before is None and part.start:
            self._take_over(meta, part)
        elif before is not None:
            self._check_seam(before, meta, part)
        digest = hashlib.sha256(carried.encode()).hexdigest() if carried is not None else None
        walk.segment(part.store, part.start, part.size, part.key, digest)
        if part.file.start is not None and walk.grammar.run is not Run.SEALED:
            msg = f"{part.file.path.name}: is named as a sealed segment and does not end with a seal"
            raise Broken(msg, part.size - 1)
        check_strays(part.store.database, part.start)
        self._segments += 1

    def _take_over(self, meta: dict[str, str], part: Part) -> None:
        """Begin in the middle: with what the oldest segment that is here says it was handed."""
        try:
            carry = read_carry(meta["carry"])
            if [len(row) for row in carry] != widths(part.start):
                msg = "meta.carry has not the hashes of its size"
                raise ValueError(msg)
            self._walk.frontier = Frontier(part.start, carry)
            self._walk.grammar.take_over(meta["carried"].encode())
            if self._walk.grammar.carried() != meta["carried"].encode():
                msg = "meta.carried is not canonical"
                raise ValueError(msg)
        except (ValueError, GrammarError) as error:
            msg = f"{part.file.path.name}: {error}"
            raise Broken(msg, part.start) from error
        self._walk.confirmed = part.start
        self._warnings.append(f"the entries before {part.start} are not here: verify them where they are")

    def _check_seam(self, before: Part, meta: dict[str, str], part: Part) -> None:
        """Compare what a segment says it was handed with what the one before it left."""
        walk = self._walk
        if part.start != before.size or walk.grammar.run is not Run.SEALED:
            msg = f"{part.file.path.name}: does not begin where the segment before it was sealed"
            raise Broken(msg, min(part.start, before.size))
        if part.key.text() != (walk.next_vkey or before.key.text()):
            msg = f"{part.file.path.name}: is signed by another key than its predecessor's seal names"
            raise Broken(msg, part.start)
        handed = write_carry(walk.frontier.carry()), walk.grammar.carried().decode()
        if (meta["carry"], meta["carried"]) != handed:
            msg = f"{part.file.path.name}: carries another state than its predecessor left"
            raise Broken(msg, part.start)


def _stated_size(note: str) -> int:
    """Give the size in a note that is yet to be checked; 0 where it has none."""
    lines = note.split("\n")
    stated = lines[1] if len(lines) > 1 else ""
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) <= len(str(1 << 53)) else 0
