"""What of a log is still in force when a run begins: which approvals were released, which grants were given."""

from collections.abc import Callable, Iterable

import msgspec

from gatekeeper.exchange import ExchangeId, Instant, Seq
from gatekeeper.journal.entries import GrantData, ReleaseData, RevokeData
from gatekeeper.journal.leaf import Entry, decode_leaf


class Given(msgspec.Struct, frozen=True):
    """A recorded grant: its entry's number, time and leaf hash (hex), how often it was used, whether it was revoked."""

    seq: Seq
    time: Instant
    leaf: str
    data: GrantData
    used: int
    revoked: bool


class Standing(msgspec.Struct, frozen=True):
    """Each approval that was ever released, with the exchange that used it, and each grant that was ever given."""

    released: dict[str, ExchangeId] = {}
    grants: tuple[Given, ...] = ()


def read_standing(of_kind: Callable[[str], Iterable[bytes]]) -> Standing:
    """Read it from the leaves of a type, as `of_kind` gives them; raises ValueError for one that can't be read."""
    released: dict[str, ExchangeId] = {}
    uses: dict[Seq, int] = {}
    for entry in map(decode_leaf, of_kind(ReleaseData.kind)):
        if not isinstance(entry.data, ReleaseData):
            continue
        if isinstance(entry.data.approval, str) and entry.exchange is not None:
            released[entry.data.approval] = entry.exchange
        if isinstance(entry.data.grant, int):
            uses[entry.data.grant] = uses.get(entry.data.grant, 0) + 1
    ended = {
        entry.data.grant for entry in map(decode_leaf, of_kind(RevokeData.kind)) if isinstance(entry.data, RevokeData)
    }
    given = (_given(entry, uses, ended) for entry in map(decode_leaf, of_kind(GrantData.kind)))
    return Standing(released, tuple(one for one in given if one is not None))


def _given(entry: Entry, uses: dict[Seq, int], ended: set[Seq]) -> Given | None:
    if not isinstance(entry.data, GrantData):
        return None
    return Given(entry.seq, entry.time, entry.leaf_hash.hex(), entry.data, uses.get(entry.seq, 0), entry.seq in ended)
