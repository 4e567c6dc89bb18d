"""Proofs of inclusion and consistency (RFC 9162 §2.1.3, §2.1.4) over a log's tiles, and their texts.

An inclusion proof is a C2SP tlog-proof, its `extra` the leaf itself; a consistency proof has the form of the request
that a witness takes (C2SP tlog-witness, "add-checkpoint"). Pure: nodes are read through a function that is given.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from gatekeeper.journal.merkle import HASH_SIZE, Hash, leaf_hash, node_hash
from gatekeeper.journal.note import strict_base64

type SubtreeHash = Callable[[int, int], Hash]
"""(start, stop) -> the hash of the tree over the leaves in that range, which is as long as its start is aligned to, or
reaches to the end of the log"""

HEADER: Final = "c2sp.org/tlog-proof@v1\n"
MOST_HASHES: Final = 63


class InclusionProof(msgspec.Struct, frozen=True):
    """Entry `index` is in the tree of the signed `note`; `leaf` is the entry."""

    index: int
    leaf: bytes
    hashes: tuple[Hash, ...]
    note: str


class ConsistencyProof(msgspec.Struct, frozen=True):
    """The tree of the signed `note` begins with the one that had `old` entries."""

    old: int
    hashes: tuple[Hash, ...]
    note: str


def prove_inclusion(index: int, size: int, subtree: SubtreeHash) -> tuple[Hash, ...]:
    """Give the audit path of a leaf, lowest first (RFC 9162 §2.1.3.1)."""
    path: list[Hash] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(subtree(middle, stop))
            stop = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return tuple(reversed(path))


def root_of_inclusion(index: int, size: int, leaf: Hash, path: Sequence[Hash]) -> Hash:
    """Give the root that an audit path leads to (RFC 9162 §2.1.3.2); raises ValueError for one of another length."""
    node, last, hashes = index, size - 1, iter(path)
    found = leaf
    if not 0 <= index < size:
        msg = "the proof is of an entry that its tree does not have"
        raise ValueError(msg)
    while last:
        if node & 1 or node == last:
            found = node_hash(_next(hashes), found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, _next(hashes))
        node >>= 1
        last >>= 1
    if next(hashes, None) is not None:
        msg = "the proof has more hashes than its tree is high"
        raise ValueError(msg)
    return found


def prove_consistency(old: int, size: int, subtree: SubtreeHash) -> tuple[Hash, ...]:
    """Give the proof that the first `old` leaves are the tree of that size (RFC 9162 §2.1.4.1); 0 < old <= size."""
    path: list[Hash] = []
    start, stop, whole = 0, size, True
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(subtree(middle, stop))
            stop = middle
        else:
            path.append(subtree(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(subtree(start, stop))
    return tuple(reversed(path))


def check_consistency(old: int, old_root: Hash, size: int, root: Hash, path: Sequence[Hash]) -> bool:
    """Whether a proof leads from one root to the other (RFC 9162 §2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not path and old_root == root
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    node, last = old - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    first = second = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(one, first), node_hash(one, second)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            second = node_hash(second, one)
        node >>= 1
        last >>= 1
    return last == 0 and (first, second) == (old_root, root)


def write_inclusion(proof: InclusionProof) -> str:
    """Write a C2SP tlog-proof."""
    extra = base64.b64encode(proof.leaf).decode()
    return f"{HEADER}extra {extra}\nindex {proof.index}\n{_lines(proof.hashes)}\n{proof.note}"


def read_inclusion(text: str) -> InclusionProof:
    """Read a C2SP tlog-proof; raises ValueError."""
    head, separator, note = text.removeprefix(HEADER).partition("\n\n")
    lines = head.split("\n")
    if not text.startswith(HEADER) or not separator or len(lines) < len(("extra", "index")):
        msg = "is no C2SP tlog-proof of version 1 with the entry as its `extra`"
        raise ValueError(msg)
    leaf = _decoded(_after("extra ", lines[0]))
    return InclusionProof(_number(_after("index ", lines[1])), leaf, _hashes(lines[2:]), note)


def write_consistency(proof: ConsistencyProof) -> str:
    """Write what a C2SP witness takes as an add-checkpoint request."""
    return f"old {proof.old}\n{_lines(proof.hashes)}\n{proof.note}"


def read_consistency(text: str) -> ConsistencyProof:
    """Read a consistency proof; raises ValueError."""
    head, separator, note = text.partition("\n\n")
    lines = head.split("\n")
    if not separator:
        msg = "is no proof of consistency: `old SIZE`, hashes, an empty line, a checkpoint"
        raise ValueError(msg)
    return ConsistencyProof(_number(_after("old ", lines[0])), _hashes(lines[1:]), note)


def included_root(proof: InclusionProof, size: int) -> Hash:
    """Give the root that a proof's entry and path lead to in a tree of `size`; raises ValueError."""
    return root_of_inclusion(proof.index, size, leaf_hash(proof.leaf), proof.hashes)


def _split(size: int) -> int:
    """Give the largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def _next(hashes: Iterator[Hash]) -> Hash:
    found = next(hashes, None)
    if found is None:
        msg = "the proof has fewer hashes than its tree is high"
        raise ValueError(msg)
    return found


def _lines(hashes: Sequence[Hash]) -> str:
    return "".join(f"{base64.b64encode(one).decode()}\n" for one in hashes)


def _hashes(lines: Sequence[str]) -> tuple[Hash, ...]:
    found = tuple(Hash(_decoded(line)) for line in lines)
    if len(found) > MOST_HASHES or any(len(one) != HASH_SIZE for one in found):
        msg = "has a line that is no hash"
        raise ValueError(msg)
    return found


def _decoded(text: str) -> bytes:
    try:
        return strict_base64(text)
    except (ValueError, binascii.Error) as error:
        msg = "has a line that is no base64"
        raise ValueError(msg) from error


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        msg = f"lacks its line `{word}…`"
        raise ValueError(msg)
    return line[len(word) :]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(1 << 53)) and str(int(text)) == text):
        msg = "has a number that is none"
        raise ValueError(msg)
    return int(text)
