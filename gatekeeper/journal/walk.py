"""One pass over the entries of a segment: form, order, time, bodies, tree, checkpoints, grammar, signatures.

It reads in slices of a tile, each in a short transaction, and goes on from segment to segment.
"""

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

import msgspec
from msgspec import UNSET

from gatekeeper.exchange import Seq
from gatekeeper.journal.entries import (
    Body,
    ChunkData,
    Data,
    DecisionData,
    EraseData,
    GrantData,
    MessageData,
    OpenData,
    RequestData,
    RevokeData,
    SealData,
)
from gatekeeper.journal.exchanges import GrammarError
from gatekeeper.journal.grammar import Grammar, Run
from gatekeeper.journal.leaf import Entry, Form, decode_place, entry_of, read_form, read_leaf
from gatekeeper.journal.merkle import TILE_WIDTH, Frontier, FullTile, Hash
from gatekeeper.journal.note import Checkpoint, VerificationKey, read_checkpoint
from gatekeeper.journal.schema import Broken
from gatekeeper.journal.signature import check_decision
from gatekeeper.journal.statement import DecisionRefused
from gatekeeper.journal.store import LogStore

MOST_PARTS: Final = 2
SHARE: Final = 250_000
"""Exchanges whose hashes are compared at a time: some 20 MB."""

TIMED: Final = (ChunkData, MessageData)
"""What has a second part: when its bytes came."""

type Due = dict[int, list[tuple[str, Hash]]]
"""by size, the roots that the tree must have, and who says so"""


class Here(msgspec.Struct, frozen=True):
    """The segment that is walked over; `carried` is the SHA-256 hex of what its `meta` carries."""

    store: LogStore
    start: int
    key: VerificationKey
    carried: str | None


class Walk:
    """What goes on from entry to entry."""

    def __init__(self, origin: str) -> None:
        self.frontier = Frontier()
        self.grammar = Grammar(origin)
        self.confirmed = 0
        self.outside: Due = defaultdict(list)
        self.next_vkey: str | None = None
        self._last = 0
        self._erased: set[str] = set()
        self._begun = Begun()

    def segment(self, store: LogStore, start: int, stop: int, key: VerificationKey, carried: str | None) -> None:
        """Check the entries in [start, stop) of a segment; raises Broken."""
        here = Here(store, start, key, carried)
        at = start
        while at < stop:
            end = min(at - at % TILE_WIDTH + TILE_WIDTH, stop)
            self._slice(here, at, end)
            at = end

    def _slice(self, here: "Here", start: int, stop: int) -> None:
        """Check the entries of one tile. This loop is what verification costs; most entries need nothing but it."""
        due = self._due(here, start, stop)
        hashes: list[Hash] = []
        expected: list[tuple[int, int, str]] = []
        begun: list[int] = []
        seq, last, quick, erased, sha256 = start, self._last, self.grammar.quick, self._erased, hashlib.sha256
        try:
            for at, raw in here.store.rows(start, stop):
                entry = read_form(raw) or _entry(raw, at)
                if entry.seq != seq or at != seq or entry.time < last:
                    _refuse_place(entry, at, seq)
                last = entry.time
                node = Hash(sha256(b"\x00" + raw).digest())
                data = entry.data
                if type(data) is RequestData:
                    begun.append(hash(entry.exchange))
                if not quick(entry, node):
                    if type(data) is OpenData:
                        self._grow(here.store, hashes, due)
                        hashes = []
                        self._check_opening(seq, data, here)
                    self._check_order(entry if isinstance(entry, Entry) else entry_of(entry, node))
                body: Body | None = getattr(data, "body", None)
                if body is not None:
                    if len(body.parts) == 1 and body.key not in erased:
                        expected.append((seq, 0, body.parts[0]))
                    else:
                        expected += self._parts(seq, data, body)
                hashes.append(node)
                seq += 1
            if seq != stop:
                msg = f"entry {seq} is missing"
                raise Broken(msg, seq)
        except Broken as broken:
            # What comes before it is checked first: the first bad entry is named, whatever is bad in it.
            self._check_bodies(here.store, start, broken.seq if broken.seq is not None else stop, expected)
            raise
        finally:
            self._begun.extend(begun)
        self._last = last
        self._check_bodies(here.store, start, stop, expected)
        self._grow(here.store, hashes, due)

    def check_begun(self, leaves: Iterator[tuple[int, bytes]]) -> None:
        """See that no exchange began twice; `leaves` are read again only where one may have. Raises Broken."""
        seq = self._begun.twice(leaves)
        if seq is not None:
            msg = "its request begins an exchange that was begun before"
            raise Broken(msg, seq)

    def _due(self, here: "Here", start: int, stop: int) -> Due:
        """Give the roots that the tree must have at sizes in (start, stop], and who says so."""
        due = {size: self.outside.pop(size) for size in range(start + 1, stop + 1) if size in self.outside}
        for size, note in here.store.notes(start + 1, stop + 1):
            name = f"the checkpoint at {size}"
            checkpoint = signed(note, here.key, name)
            if checkpoint.size != size:
                msg = f"{name} states another size"
                raise Broken(msg, self.confirmed)
            due.setdefault(size, []).append((name, checkpoint.root))
        return due

    def _check_opening(self, seq: int, data: OpenData, here: "Here") -> None:
        if seq == 0:
            agrees = data.previous is UNSET
        else:
            tree = (seq, self.frontier.root().hex())
            agrees = data.previous is not UNSET and (data.previous.size, data.previous.root) == tree
        if not agrees:
            msg = "its open entry states another tree than the one before it"
            raise Broken(msg, seq)
        if data.vkey != here.key.text():
            msg = "its open entry states another key"
            raise Broken(msg, seq)
        if data.carried != (here.carried if seq == here.start and here.carried is not None else UNSET):
            msg = "its open entry states another open state than the one that is carried"
            raise Broken(msg, seq)
        if seq != here.start and self.grammar.run is Run.SEALED:
            msg = "stands in a segment that was sealed"
            raise Broken(msg, seq)

    def _parts(self, seq: int, data: Data, body: Body) -> Sequence[tuple[int, int, str]]:
        if not body.parts or len(body.parts) > (MOST_PARTS if isinstance(data, TIMED) else 1):
            msg = "its body has other parts than an entry of its type"
            raise Broken(msg, seq)
        if body.key in self._erased:
            msg = "its body is under a key that was erased before"
            raise Broken(msg, seq)
        return [(seq, number, part) for number, part in enumerate(body.parts)]

    def _check_bodies(self, store: LogStore, start: int, stop: int, expected: Sequence[tuple[int, int, str]]) -> None:
        sha256 = hashlib.sha256
        wanted = expected if not expected or expected[-1][0] < stop else [part for part in expected if part[0] < stop]
        stored = [(seq, part, sha256(data).hexdigest()) for seq, part, data in store.bodies(start, stop)]
        if stored != wanted:
            msg = "its stored body is not the one that its leaf states"
            raise Broken(msg, min({seq for seq, _, _ in set(stored) ^ set(wanted)}, default=start))

    def _check_order(self, entry: Entry) -> None:
        data = entry.data
        try:
            self.grammar.feed(entry)
            if isinstance(data, DecisionData | GrantData | RevokeData):
                stated = self.grammar.stated(data)
                self.grammar.admit(entry, stated, check_decision(self.grammar.signers, data, entry.time))
            elif isinstance(data, EraseData):
                self._erased.update(data.keys)
            elif isinstance(data, SealData):
                self.next_vkey = None if data.vkey is UNSET else data.vkey
        except (GrammarError, DecisionRefused) as error:
            msg = f"its {entry.kind} {error}"
            raise Broken(msg, entry.seq) from error

    def _grow(self, store: LogStore, hashes: Sequence[Hash], due: Due) -> None:
        """Take hashes into the tree, and compare tiles and roots on the way."""
        at, size = 0, self.frontier.size
        for stop in sorted(one for one in due if size < one <= size + len(hashes)):
            self._compare_tiles(store, self.frontier.extend(hashes[at : stop - size]))
            at = stop - size
            for name, root in due[stop]:
                if root != self.frontier.root():
                    msg = f"{name} is over other entries: one of {self.confirmed} to {stop - 1} was changed"
                    raise Broken(msg, self.confirmed)
            self.confirmed = stop
        self._compare_tiles(store, self.frontier.extend(hashes[at:]))

    def _compare_tiles(self, store: LogStore, full: Sequence[FullTile]) -> None:
        for level, n, joined in full:
            stored = store.tile_row(level, n)
            if stored == joined:
                continue
            first = n << 8 * (level + 1)
            if level == 0 and len(stored) == len(joined):
                first += next(at for at in range(TILE_WIDTH) if stored[at * 32 :][:32] != joined[at * 32 :][:32])
                msg = "its leaf is not the one that its tile holds"
            else:
                msg = f"tile {level}/{n} is missing, or is not that of the entries below it"
            raise Broken(msg, first)


class Begun:
    """Which exchanges have begun, in 8 bytes each: a log may have more than fit into memory by name."""

    def __init__(self) -> None:
        self._marks = array("q")

    def extend(self, marks: Sequence[int]) -> None:
        """Take the hashes of exchanges that begin."""
        self._marks.extend(marks)

    def twice(self, leaves: Iterator[tuple[int, bytes]]) -> Seq | None:
        """Give the first entry that begins an exchange again; None where there is none."""
        several = self._several()
        begun: set[str] = set()
        for seq, raw in leaves if several else ():
            kind, exchange, _ = decode_place(raw)
            if kind == RequestData.kind and exchange is not None and hash(exchange) in several:
                if exchange in begun:
                    return Seq(seq)
                begun.add(exchange)
        return None

    def _several(self) -> set[int]:
        """Give the hashes that came more than once, looking at a share of them at a time."""
        shares = max(1, len(self._marks) // SHARE)
        found: set[int] = set()
        for share in range(shares):
            marks = [mark for mark in self._marks if mark % shares == share]
            if len(set(marks)) != len(marks):
                found.update(mark for mark, count in Counter(marks).items() if count > 1)
        return found


def _entry(raw: object, seq: int) -> Entry:
    """Read a leaf the long way, and say what is wrong with it."""
    if type(raw) is bytes:
        try:
            return read_leaf(raw)
        except ValueError as error:
            raise Broken(str(error), seq) from error
    msg = "its leaf is no blob"
    raise Broken(msg, seq)


def _refuse_place(entry: Entry | Form[Any, str], at: int, expected: int) -> NoReturn:
    if at != expected:
        msg = f"entry {expected} is missing"
        raise Broken(msg, expected)
    msg = "its leaf states another seq" if entry.seq != at else "its time is before that of the entry before it"
    raise Broken(msg, at)


def signed(note: object, key: VerificationKey, name: str) -> Checkpoint:
    """Read a note of the log's own by `key`; raises Broken."""
    try:
        return read_checkpoint(note if isinstance(note, str) else "", key)
    except ValueError as error:
        msg = f"{name}: {error}"
        raise Broken(msg) from error
