"""Turns drafts into one group: numbers, times, hashes, tiles and the checkpoint over it. No I/O."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import UNSET

from gatekeeper.exchange import Instant, Receipt, Seq
from gatekeeper.journal.bodies import seal_body
from gatekeeper.journal.draft import Draft
from gatekeeper.journal.keys import KEPT_FOR_EVER, DataKey
from gatekeeper.journal.leaf import Leaf, encode_leaf
from gatekeeper.journal.merkle import Frontier, FullTile, leaf_hash
from gatekeeper.journal.note import Checkpoint, sign_checkpoint
from gatekeeper.journal.store import Group

MINUTE: Final = 60 * 1_000_000
"""Microseconds between two checkpoints that are kept."""


class Grown(msgspec.Struct, frozen=True):
    """A group to commit, and a receipt for each of its drafts."""

    group: Group
    receipts: list[Receipt]


class Growth:
    """The state that entries are chained to: the tree's edge, the last time, the newest checkpoint."""

    def __init__(self, origin: str, key: Ed25519PrivateKey, frontier: Frontier, last: Instant) -> None:
        self._origin = origin
        self._key = key
        self.frontier = frontier
        self.last = last
        self.newest: int | None = None
        self._newest_kept = True
        self._kept_minute = -1

    def resume(self, newest: int) -> None:
        """Go on after a checkpoint that an earlier run left: it stays."""
        self.newest, self._newest_kept = newest, True

    def keep_newest(self) -> None:
        """Keep the newest checkpoint for good: it has been anchored."""
        self._newest_kept = True

    def add(self, drafts: Sequence[Draft], now: Instant, key_of: Callable[[str], DataKey]) -> Grown:
        """Give drafts their numbers, seals and hashes. After a fault the state is spoilt: nothing may follow."""
        leaves: list[tuple[int, bytes]] = []
        bodies: list[tuple[int, int, bytes]] = []
        tiles: list[FullTile] = []
        receipts: list[Receipt] = []
        for draft in drafts:
            seq = Seq(self.frontier.size)
            self.last = Instant(max(now, self.last))
            data = draft.data
            if draft.content is not None and draft.bodied:
                body, parts = seal_body(seq, draft.content, key_of(draft.session or KEPT_FOR_EVER))
                data = msgspec.structs.replace(data, body=body)
                bodies += [(seq, number, part) for number, part in enumerate(parts)]
            raw = encode_leaf(
                Leaf(
                    data=data,
                    exchange=draft.exchange or UNSET,
                    seq=seq,
                    session=draft.session or UNSET,
                    time=self.last,
                    type=data.kind,
                )
            )
            node = leaf_hash(raw)
            leaves.append((seq, raw))
            tiles += self.frontier.append(node)
            receipts.append(Receipt(seq, node.hex(), self.last))
        return Grown(self._group(leaves, bodies, tiles), receipts)

    def _group(
        self, leaves: list[tuple[int, bytes]], bodies: list[tuple[int, int, bytes]], tiles: list[FullTile]
    ) -> Group:
        size = self.frontier.size
        note = sign_checkpoint(Checkpoint(self._origin, size, self.frontier.root()), self._key)
        dropped = None if self._newest_kept else self.newest
        minute = self.last // MINUTE
        self.newest, self._newest_kept = size, minute != self._kept_minute
        self._kept_minute = minute
        return Group(leaves, bodies, tiles, size, note, dropped)
