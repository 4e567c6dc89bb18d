"""Opens a journal: begins a new one, or goes on with an old one after checking that nothing of it is gone."""

import contextlib
import os
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.exchange import Clock, Instant
from gatekeeper.journal.draft import JournalDown, encode_draft
from gatekeeper.journal.entries import EraseData, OpenData, PreviousData, SealData
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
from gatekeeper.journal.keys import KeyId, KeyStore, create_signing_key, load_signing_key
from gatekeeper.journal.leaf import decode_leaf, decode_place
from gatekeeper.journal.merkle import Frontier
from gatekeeper.journal.note import VerificationKey, verification_key
from gatekeeper.journal.opening import Opening, opening_draft
from gatekeeper.journal.recovery import WAY_OUT, Whole, check_whole
from gatekeeper.journal.sealing import OpenState, Seam, begin_segment, put_key_in_force, remove_database, segment_drafts
from gatekeeper.journal.segments import Segments, segment_files
from gatekeeper.journal.store import LogStore


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A journal whose `open` entry is durable, ready for its writer. `note` is the checkpoint over it, anchored."""

    files: JournalFiles
    secrets: KeyFiles
    lock: int
    store: LogStore
    keys: KeyStore
    growth: Growth
    note: str
    vkey: str
    opening: Opening
    warnings: tuple[str, ...]


def open_files(folder: Path, keys: Path, origin: str, opening: Opening, clock: Clock) -> Opened:
    """Open or begin the journal of `origin`; raises JournalDown, OSError or sqlite3.Error.

    Where `opening` has an old head, a new origin is begun, beside the data keys of the old one.
    """
    start = _Start(JournalFiles(folder), KeyFiles(keys), origin, opening, clock)
    make_folder(folder)
    make_folder(keys)
    with contextlib.ExitStack() as undo:
        lock = lock_folder(folder)
        undo.callback(os.close, lock)
        opened = start.begin(lock, undo) if start.is_new() else start.go_on(lock, undo)
        undo.pop_all()
    return opened


class _Start:
    def __init__(self, files: JournalFiles, secrets: KeyFiles, origin: str, opening: Opening, clock: Clock) -> None:
        self._files, self._secrets, self._origin = files, secrets, origin
        self._opening, self._clock = opening, clock

    def is_new(self) -> bool:
        """Whether there is nothing of a journal yet; raises JournalDown where there is a part of one only."""
        files, secrets = self._files, self._secrets
        if secrets.beginning.exists():
            self._end_beginning()
        there = {path: path.exists() for path in (files.vkey, secrets.signing, secrets.data)}
        log = bool(segment_files(files.folder))
        beside = [path for path in (files.head, files.anchors) if path.exists()]
        anew = self._opening.old_head is not None
        if (
            not log
            and not beside
            and not any(exists and not (anew and path == secrets.data) for path, exists in there.items())
        ):
            return True
        missing = [path for path, exists in there.items() if not exists]
        if missing or not log:
            present = next(path for path in [*(path for path, exists in there.items() if exists), *beside, files.log])
            gone = missing[0] if missing else files.log
            msg = f"{gone}: is missing while {present} is there; {WAY_OUT}"
            raise JournalDown(msg)
        return False

    def _end_beginning(self) -> None:
        """Take away what a crash has left of a journal that was never begun: its first transaction is not there."""
        files, secrets = self._files, self._secrets
        if files.log.exists():
            with contextlib.closing(LogStore.for_writing(files)) as store:
                begun = not store.is_empty()
        else:
            begun = files.head.exists() or files.anchors.exists() or bool(segment_files(files.folder))
        if not begun:
            for path in (files.log, *([secrets.data] if self._opening.old_head is None else [])):
                remove_database(path)
            for path in (files.vkey, secrets.signing):
                path.unlink(missing_ok=True)
        secrets.beginning.unlink()
        sync_folder(secrets.folder)

    def begin(self, lock: int, undo: contextlib.ExitStack) -> Opened:
        """Make keys and log. What fails before the first commit leaves nothing behind."""
        files, secrets = self._files, self._secrets
        with contextlib.ExitStack() as remove:
            for path in (files.log, secrets.data):
                if not path.exists():
                    remove.callback(remove_database, path)
            for path in (secrets.beginning, files.vkey, secrets.signing):
                remove.callback(path.unlink, missing_ok=True)
            write_new(secrets.beginning, b"")
            signing = create_signing_key(secrets.signing)
            vkey = verification_key(self._origin, signing)
            write_new(files.vkey, vkey.text().encode())
            keys = undo.enter_context(contextlib.closing(KeyStore.make(secrets.data)))
            sync_folder(secrets.folder)
            store = undo.enter_context(contextlib.closing(LogStore.for_writing(files)))
            growth = Growth(self._origin, signing, Frontier(), Instant(0))
            drafts = [opening_draft(self._opening, vkey.text(), None)]
            grown = growth.add([encode_draft(draft) for draft in drafts], self._clock(), keys.key_of)
            store.create({"format": "1", "origin": self._origin, "vkey": vkey.text(), "start": "0"}, grown.group)
            sync_folder(files.folder)
            remove.pop_all()
            secrets.beginning.unlink()
        return self._published(lock, store, keys, growth, grown.group.note, vkey.text())

    def go_on(self, lock: int, undo: contextlib.ExitStack) -> Opened:
        """Check the log, destroy what was erased, and write `open` and what a crash left to be said."""
        last = segment_files(self._files.folder)[-1].path
        store = LogStore.to_write(last)
        undo.callback(store.close)
        signing = self._check_identity(store)
        vkey = verification_key(self._origin, signing)
        keys = undo.enter_context(contextlib.closing(KeyStore.open(self._secrets.data)))
        whole = check_whole(self._files, store, vkey, signing)
        self._destroy_erased(keys, whole.growth.frontier.size)
        end = store.last_entry().data
        if isinstance(end, SealData):
            return self._go_on_after_seal(lock, undo, store, keys, whole, end)
        self._settle_keys(vkey)
        growth = whole.growth
        previous = PreviousData(size=growth.frontier.size, root=growth.frontier.root().hex())
        drafts = [opening_draft(self._opening, vkey.text(), previous), *whole.left_open]
        grown = growth.add([encode_draft(draft) for draft in drafts], self._clock(), keys.key_of)
        store.commit(grown.group)
        return self._published(lock, store, keys, growth, grown.group.note, vkey.text(), whole.warnings)

    def _go_on_after_seal(
        self,
        lock: int,
        undo: contextlib.ExitStack,
        sealed: LogStore,
        keys: KeyStore,
        whole: Whole,
        seal: SealData,
    ) -> Opened:
        """Begin the segment that a crash has kept from beginning."""
        growth = whole.growth
        signing = load_signing_key(self._secrets.signing)
        rotated = isinstance(seal.vkey, str) and seal.vkey != verification_key(self._origin, signing).text()
        if rotated:
            signing = load_signing_key(self._secrets.next)
        vkey = verification_key(self._origin, signing).text()
        if isinstance(seal.vkey, str) and seal.vkey != vkey:
            msg = f"{self._secrets.next}: is not the key that the last seal names; bring it back from a backup"
            raise JournalDown(msg)
        state = OpenState(sealed, self._origin)
        state.follow(sealed, growth.frontier.size)
        carried = state.carried()
        drafts = segment_drafts(self._opening, growth, vkey, carried, [*whole.left_open, *state.still_locked()])
        seam = Seam(
            files=self._files, sealed=sealed, growth=growth, keys=keys, carried=carried, clock=self._clock
        )  # fmt: skip
        following = begin_segment(seam, signing, drafts)
        undo.callback(following.store.close)
        if rotated:
            put_key_in_force(self._files, self._secrets, vkey)
        return self._published(lock, following.store, keys, growth, following.note, vkey, whole.warnings)

    def _published(
        self,
        lock: int,
        store: LogStore,
        keys: KeyStore,
        growth: Growth,
        note: str,
        vkey: str,
        warnings: tuple[str, ...] = (),
    ) -> Opened:
        replace_file(self._files.head, note.encode())
        append_file(self._files.anchors, f"{note}\n".encode())
        growth.keep_newest()
        return Opened(
            files=self._files, secrets=self._secrets, lock=lock, store=store, keys=keys, growth=growth, note=note,
            vkey=vkey, opening=self._opening, warnings=warnings,
        )  # fmt: skip

    def _check_identity(self, store: LogStore) -> Ed25519PrivateKey:
        """Compare the log with who would go on with it, and give the key that signs it; raises JournalDown."""
        files = self._files
        if store.is_empty():
            msg = f"{files.log}: holds no journal; {WAY_OUT}"
            raise JournalDown(msg)
        meta = store.meta()
        if meta.get("origin") != self._origin:
            msg = (
                f"{files.log}: is of another origin than journal.origin; set that to the one in {files.vkey}, or end "
                "this journal and begin the new one with `gatekeeper journal new`"
            )
            raise JournalDown(msg)
        first = store.leaf(store.start())
        if meta.get("format") != "1" or first is None or decode_place(first)[0] != OpenData.kind:
            msg = f"{files.log}: is of a format, or a segment, that this version does not write"
            raise JournalDown(msg)
        signing = load_signing_key(self._secrets.signing)
        stated = meta.get("vkey", "")
        if stated != self._text(signing) and self._secrets.next.exists():
            # A crash has come between a new segment and its key's taking the old one's place.
            signing = load_signing_key(self._secrets.next)
            if stated == self._text(signing):
                put_key_in_force(files, self._secrets, stated)
        if stated != self._text(signing) or files.vkey.read_bytes() != stated.encode():
            msg = f"{files.vkey}: is not the key that signs here; restore journal.key and journal.vkey from a backup"
            raise JournalDown(msg)
        return signing

    def _text(self, signing: Ed25519PrivateKey) -> str:
        return verification_key(self._origin, signing).text()

    def _settle_keys(self, vkey: VerificationKey) -> None:
        """Forget a key that was made for a rotation which a crash has kept from being recorded."""
        if self._files.vkey.read_bytes() == vkey.text().encode():
            self._secrets.next.unlink(missing_ok=True)
        remove_database(self._files.next)

    def _destroy_erased(self, keys: KeyStore, size: int) -> None:
        """Destroy keys of erased sessions that a crash, or a backup, has left (JOURNAL.md, "Body")."""
        if keys.erased_upto < size:
            with contextlib.closing(Segments.open(self._files.folder)) as segments:
                erased = [
                    KeyId(key)
                    for leaf in segments.of_kind(EraseData.kind, keys.erased_upto)
                    if isinstance(data := decode_leaf(leaf).data, EraseData)
                    for key in data.keys
                ]
            keys.destroy(erased)
            keys.erased_upto = size
