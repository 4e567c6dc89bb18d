"""Turns drafts into one group: numbers, times, hashes, tiles and the checkpoint over it. No I/O."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.exchange import Instant, Receipt, Seq
from gatekeeper.journal.bodies import seal_body
from gatekeeper.journal.draft import Encoded
from gatekeeper.journal.keys import KEPT_FOR_EVER, SessionKey
from gatekeeper.journal.leaf import join_leaf, put_body
from gatekeeper.journal.merkle import Frontier, Hash, leaf_hash
from gatekeeper.journal.note import Checkpoint, Signer
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
        self.origin = origin
        self.key = key
        self._signer = Signer(origin, key)
        self.frontier = frontier
        self.last = last
        self.newest: int | None = None
        self._newest_kept = True
        self._kept_minute = -1

    def resume(self, newest: int) -> None:
        """Go on after a checkpoint that an earlier run left: it stays."""
        self.newest, self._newest_kept = newest, True

    def begin_segment(self, key: Ed25519PrivateKey) -> None:
        """Sign by `key` from here on; the newest checkpoint stays where it is, in the segment that was sealed."""
        self.key = key
        self._signer = Signer(self.origin, key)
        self.newest, self._newest_kept, self._kept_minute = None, True, -1

    def keep_newest(self) -> None:
        """Keep the newest checkpoint for good: it has been anchored."""
        self._newest_kept = True

    def add(
        self,
        drafts: Sequence[Encoded],
        now: Instant,
        key_of: Callable[[str], SessionKey],
    ) -> Grown:
        """Give drafts their numbers, seals and hashes. After a fault the state is spoilt: nothing may follow."""
        self.last = Instant(max(now, self.last))
        group = Group([], [], [], 0, "", None)
        receipts: list[Receipt] = []
        nodes: list[Hash] = []
        seq = self.frontier.size
        for draft in drafts:
            data = draft.raw
            if draft.content is not None and draft.bodied:
                body, parts = seal_body(Seq(seq), draft.content, key_of(draft.session or KEPT_FOR_EVER))
                data = put_body(data, body)
                group.bodies.extend([(seq, number, part) for number, part in enumerate(parts)])
            leaf = join_leaf(data, draft.exchange, Seq(seq), draft.session, self.last, draft.kind)
            node = leaf_hash(leaf)
            group.leaves.append((seq, leaf))
            nodes.append(node)
            receipts.append(Receipt(Seq(seq), node.hex(), self.last))
            seq += 1
        group.tiles.extend(self.frontier.extend(nodes))
        return Grown(self._finished(group), receipts)

    def _finished(self, group: Group) -> Group:
        size = self.frontier.size
        note = self._signer.sign(Checkpoint(self.origin, size, self.frontier.root()))
        dropped = None if self._newest_kept else self.newest
        minute = self.last // MINUTE
        self.newest, self._newest_kept = size, minute != self._kept_minute
        self._kept_minute = minute
        return msgspec.structs.replace(group, size=size, note=note, dropped=dropped)
