"""The one writer: owns the database, and commits groups of drafts durably."""

import contextlib
import datetime as dt
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from gatekeeper.exchange import Clock, Instant, Receipt, SessionId
from gatekeeper.journal.disk import wal_bytes
from gatekeeper.journal.draft import Content, Draft, Encoded, JournalDown, encode_draft
from gatekeeper.journal.edge import Edge, write_edge
from gatekeeper.journal.entries import ConfigData, EraseData, SealData
from gatekeeper.journal.files import append_file, replace_file
from gatekeeper.journal.group import Grown
from gatekeeper.journal.index import forget
from gatekeeper.journal.intake import Answer, Waiting, give, refuse
from gatekeeper.journal.keys import create_signing_key, load_signing_key
from gatekeeper.journal.left_open import LeftOpen
from gatekeeper.journal.note import verification_key
from gatekeeper.journal.opening import Opening
from gatekeeper.journal.sealing import Following, OpenState, Seam, begin_segment, put_key_in_force, segment_drafts
from gatekeeper.journal.start import Opened, open_files

HEAD_QUIET: Final = 0.02
"""Seconds without drafts after which the newest note is written to `head`."""

HEAD_LAG: Final = 0.2
"""Seconds that `head` may be behind while drafts keep coming: its rename costs more than a commit (decision 0012)."""

ANCHOR_EVERY: Final = 60.0
"""Seconds for which the newest checkpoint may stand without being anchored."""

ANCHOR_QUIET: Final = 5.0
"""Seconds without entries after which it is anchored: sessions end so, and nobody says when."""

SEGMENT_BYTES: Final = 1 << 30
"""Bytes of a segment's file from which on it is sealed."""

KEEP_EVERY: Final = 20_000
"""Entries after which it is kept where a run would go on; a start after a crash looks at what came since, 8 µs each."""

SEAL_AGAIN: Final = 1.0
"""Seconds after which a segment that a reader has kept from being sealed is tried again."""

WAL_MOST: Final = 1 << 20
"""Bytes of the WAL from which on it waits, shortly, for readers: they could keep it from being begun anew in turns."""

SIZE_EVERY: Final = 0.1
"""Seconds between two looks at how large the segment's file and its WAL are."""

LOOK_EVERY: Final = 0.02
"""Seconds between two looks at what is done beside the writer."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a segment is sealed: at a size, and where a month (UTC) of entry times is over."""

    bytes: int = SEGMENT_BYTES
    monthly: bool = True


def open_log(folder: Path, keys: Path, origin: str, opening: Opening, clock: Clock) -> Opened:
    """Open the journal in `folder` for its writer, or begin it; raises JournalDown."""
    try:
        return open_files(folder, keys, origin, opening, clock)
    except (OSError, sqlite3.Error) as error:
        msg = f"{folder}: the journal can't be opened: {_cause(error)}"
        raise JournalDown(msg) from error


class Inbox(Protocol):
    """Where the writer finds what it is to write."""

    @property
    def closed(self) -> bool:
        """Whether nothing comes any more."""
        ...

    @property
    def drained(self) -> bool:
        """Whether it is closed and everything was taken."""
        ...

    def take(self, patience: float | None) -> list[Waiting]:
        """Wait to be woken, at most `patience` seconds, and give all that is queued: none, once closed and empty."""
        ...

    def asked(self) -> list[Answer[str]]:
        """Give who asks for an anchor now."""
        ...

    def fail(self, why: str) -> list[Waiting]:
        """Take nothing any more; gives what was waiting."""
        ...


class Outbox(Protocol):
    """Where the writer says what has become of it."""

    def settle(self, answers: Sequence[Answer[Any] | None], call: Callable[[], object]) -> None:
        """Make a call that settles these answers, where they may be settled; from any thread."""
        ...

    def committed(self, seconds: float) -> None:
        """Take note of how long a commit took."""
        ...

    def anchored(self, note: str) -> None:
        """Take note of the newest checkpoint that was anchored."""
        ...

    def rotated(self, vkey: str) -> None:
        """Take note of the key that signs from here on."""
        ...

    def failed(self, why: str) -> None:
        """Take note that nothing is written any more."""
        ...


class Writer:
    """Writes until its inbox is drained, or until it fails: then nothing is recorded any more."""

    def __init__(self, opened: Opened, inbox: Inbox, outbox: Outbox, clock: Clock, limits: Limits) -> None:
        self._files, self._secrets, self._lock = opened.files, opened.secrets, opened.lock
        self._store, self._keys, self._growth = opened.store, opened.keys, opened.growth
        self._opening, self._clock, self._limits = opened.opening, clock, limits
        self._inbox, self._outbox = inbox, outbox
        self._note = opened.note
        self._head, self._head_at = opened.note, time.monotonic()
        self._anchored = opened.note
        self._anchored_at = time.monotonic()
        self._month_ends = _month_end(opened.store.time_of(opened.store.start()))
        self._size_at = 0.0
        self._left = LeftOpen({})
        self._all_destroyed = True
        self._kept_at = opened.growth.frontier.size
        self._following: Following | None = None
        self._rotating = False
        self._seal_at = 0.0
        self._sealed: list[Answer[Receipt]] = []
        self._asked: list[Answer[str]] = []
        self._written_at = time.monotonic()

    def run(self) -> None:
        """Write; returns once all is written and closed, or nothing can be."""
        group: list[Waiting] = []
        try:
            while not self._inbox.drained:
                group = self._inbox.take(self._patience())
                if group:
                    self._write(group)
                if not group or time.monotonic() - self._head_at >= HEAD_LAG:
                    self._write_head()
                self._asked += self._inbox.asked()
                if self._until_anchor() == 0 or self._asked:
                    self._anchor()
                    self._keep_place()
                elif self._growth.frontier.size - self._kept_at >= KEEP_EVERY:
                    self._keep_place()
                self._look_at_sizes()
                self._look_at_seal()
            self._end()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be recorded after it
            self._fail(error, group)
        finally:
            self._release()

    def _end(self) -> None:
        self._write_head()
        self._anchor()
        self._store.empty_wal()
        self._keep_place()
        self._keys.empty_wal()
        self._refuse(self._sealed, "the gateway stopped before it was sealed")

    def _patience(self) -> float | None:
        """Give the seconds to wait for drafts before there is something else to do; None where there is nothing."""
        if self._following is not None:
            return LOOK_EVERY
        return HEAD_QUIET if self._note != self._head else self._until_anchor()

    def _until_anchor(self) -> float | None:
        """Give the seconds until the newest checkpoint has to be anchored; None where it is."""
        if self._note == self._anchored:
            return None
        due = min(self._anchored_at + ANCHOR_EVERY, self._written_at + ANCHOR_QUIET)
        return max(0.0, due - time.monotonic())

    def _write(self, group: Sequence[Waiting]) -> None:
        """Commit drafts in one group, but for those that ask for more than to be written."""
        plain: list[Waiting] = []
        for waiting in group:
            draft = waiting.draft
            match draft.kind:
                case EraseData.kind:
                    self._commit(plain)
                    plain = []
                    self._erase(waiting, msgspec.json.decode(draft.raw, type=EraseData))
                case SealData.kind:
                    vkey = msgspec.json.decode(draft.raw, type=SealData).vkey
                    self._want_seal(waiting.future, rotate=vkey is not msgspec.UNSET)
                case ConfigData.kind:
                    plain.append(waiting)
                    self._remember(msgspec.json.decode(draft.raw, type=ConfigData), draft.content)
                case _:
                    plain.append(waiting)
        self._commit(plain)

    def _commit(self, group: Sequence[Waiting]) -> None:
        if not group:
            return
        grown = self._record([waiting.draft for waiting in group])
        futures = [waiting.future for waiting in group]

        def resolve() -> None:
            for future, receipt in zip(futures, grown.receipts, strict=True):
                give(future, receipt)

        self._outbox.settle(futures, resolve)

    def _remember(self, data: ConfigData, content: Content | None) -> None:
        """Keep what the next segment's `open` has to state: the configuration and signers that are in force."""
        if content is not None:
            text = content.data.decode()
            self._opening = msgspec.structs.replace(self._opening, config_text=text, signers=data.signers)

    def _record(self, drafts: Sequence[Encoded]) -> Grown:
        self._keys.provide({draft.session for draft in drafts if draft.session is not None and draft.bodied})
        grown = self._growth.add(drafts, self._clock(), self._keys.key_of)
        began = time.monotonic()
        self._store.commit(grown.group)
        for draft in drafts:
            self._left.take(draft)
        self._note, self._written_at = grown.group.note, time.monotonic()
        self._outbox.committed(self._written_at - began)
        return grown

    def _erase(self, waiting: Waiting, data: EraseData) -> None:
        """Write the entry, and then destroy the keys (JOURNAL.md, "Body")."""
        keys = self._keys.keys_of(data.session)
        failure: Exception | None = None
        receipt: Receipt | None = None
        if not keys:
            failure = LookupError(
                f"session {data.session!r} has no key: nothing of it is stored, or it is erased already"
            )
        else:
            receipt = self._record([encode_draft(Draft(data=msgspec.structs.replace(data, keys=keys)))]).receipts[0]
            try:
                self._keys.destroy(keys)
            except TimeoutError as error:
                failure, self._all_destroyed = error, False
        # The index may be in use for long; nothing of the record waits for that.
        threading.Thread(
            target=self._forget,
            args=(data.session, receipt, failure, waiting.future),
            name="journal-erase",
            daemon=True,
        ).start()

    def _forget(
        self,
        session: str,
        receipt: Receipt | None,
        failure: Exception | None,
        future: Answer[Receipt] | None,
    ) -> None:
        """Take a session out of the index, and say how its erasing went."""
        try:
            forget(self._files.folder, {SessionId(session)})
        except (sqlite3.Error, OSError) as error:
            failure = failure or TimeoutError(f"the keys are destroyed, but the index still holds words: {error}")

        def resolve() -> None:
            if failure is not None:
                refuse(future, failure)
            elif receipt is not None:
                give(future, receipt)

        self._outbox.settle([future], resolve)

    def _want_seal(self, future: Answer[Receipt] | None, *, rotate: bool) -> None:
        self._rotating = self._rotating or rotate
        if future is not None:
            self._sealed.append(future)
        if self._following is None:
            self._following = Following(self._files.log, self._growth.origin)
            self._following.start()

    def _look_at_seal(self) -> None:
        """Seal once the pass over the segment is near its end; begin one where its month is over."""
        if self._inbox.closed:
            return
        if self._following is not None:
            state = self._following.result()
            if state is not None and time.monotonic() >= self._seal_at:
                # The file gets another name soon, so all of it must be in it. Whoever reads in one long transaction
                # keeps it from that; calls go on until they end.
                if not self._store.empty_wal(LOOK_EVERY):
                    self._seal_at = time.monotonic() + SEAL_AGAIN
                    return
                self._following = None
                state.follow(self._store, self._growth.frontier.size)
                self._seal(state)
            return
        if self._limits.monthly and self._growth.last >= self._month_ends:
            self._want_seal(None, rotate=False)

    def _look_at_sizes(self) -> None:
        """Begin to seal a segment that is full, and take a large WAL in, unless that was looked at just before."""
        at = time.monotonic()
        if at < self._size_at:
            return
        self._size_at = at + SIZE_EVERY
        full = self._files.log.stat().st_size >= self._limits.bytes
        if full and self._following is None and not self._inbox.closed:
            self._want_seal(None, rotate=False)
        if wal_bytes(self._files.log) > WAL_MOST and not self._store.empty_wal(LOOK_EVERY):
            self._size_at = at + SEAL_AGAIN  # somebody reads in one long transaction

    def _seal(self, state: OpenState) -> None:
        signing = load_signing_key(self._secrets.signing)
        if self._rotating:
            self._secrets.next.unlink(missing_ok=True)
            signing = create_signing_key(self._secrets.next)
        vkey = verification_key(self._growth.origin, signing).text()
        receipt = self._record(
            [encode_draft(Draft(data=SealData(vkey=vkey if self._rotating else msgspec.UNSET)))]
        ).receipts[0]
        self._write_head()
        self._anchor()
        state.follow(self._store, self._growth.frontier.size)
        carried = state.carried()
        drafts = segment_drafts(self._opening, self._growth, vkey, carried, state.still_locked())
        seam = Seam(
            files=self._files, sealed=self._store, growth=self._growth, keys=self._keys, carried=carried,
            clock=self._clock,
        )  # fmt: skip
        following = begin_segment(seam, signing, drafts)
        self._store, self._note = following.store, following.note
        self._outbox.rotated(following.vkey)
        if self._rotating:
            put_key_in_force(self._files, self._secrets, vkey)
        self._rotating = False
        self._month_ends = _month_end(self._growth.last)
        self._write_head()
        self._anchor()
        self._keep_place()
        sealed, self._sealed = self._sealed, []
        self._give(sealed, receipt)

    def _give[T](self, answers: Sequence[Answer[T]], result: T) -> None:
        def resolve() -> None:
            for answer in answers:
                give(answer, result)

        self._outbox.settle(answers, resolve)

    def _refuse(self, answers: Sequence[Answer[Any] | None], why: str) -> None:
        def resolve() -> None:
            for answer in answers:
                refuse(answer, JournalDown(why))

        self._outbox.settle(answers, resolve)

    def _write_head(self) -> None:
        self._head_at = time.monotonic()
        if self._note != self._head:
            replace_file(self._files.head, self._note.encode())
            self._head = self._note

    def _anchor(self) -> None:
        """Append the newest checkpoint to the anchors; it is kept from then on."""
        self._anchored_at = time.monotonic()
        asked, self._asked = self._asked, []
        note = self._note
        if note != self._anchored:
            append_file(self._files.anchors, f"{note}\n".encode())
            self._growth.keep_newest()
            self._anchored = note
            self._outbox.anchored(note)
        self._give(asked, note)

    def _keep_place(self) -> None:
        """Say where a run would go on after a crash, so that it need not look through all of this one."""
        size = self._growth.frontier.size
        if size != self._kept_at:
            if self._all_destroyed:
                self._keys.erased_upto = size
            write_edge(self._files.edge, Edge(self._growth.frontier, self._left), self._growth.key)
            self._kept_at = size

    def _fail(self, error: Exception, group: Sequence[Waiting]) -> None:
        why = f"{self._files.folder}: the journal can't be written: {_cause(error)}; mend that and start again"
        waiting = [*group, *self._inbox.fail(why)]
        self._outbox.failed(why)
        futures = [*(one.future for one in waiting), *self._sealed, *self._asked, *self._inbox.asked()]
        self._refuse(futures, why)

    def _release(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._lock)
            stack.callback(self._store.close)
            stack.callback(self._keys.close)


def _month_end(time: Instant) -> Instant:
    """Give the instant at which the month (UTC) of another is over."""
    moment = dt.datetime.fromtimestamp(time // 1_000_000, dt.UTC)
    following = dt.datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=dt.UTC)
    return Instant(int(following.timestamp()) * 1_000_000)


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if isinstance(error, (sqlite3.Error, JournalDown)) else type(error).__name__
