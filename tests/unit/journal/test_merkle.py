import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.journal.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    Frontier,
    Hash,
    complete_root,
    leaf_hash,
    node_hash,
    split_tile,
)


def rfc_6962_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962 §2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + rfc_6962_root(leaves[:k]) + rfc_6962_root(leaves[k:])).digest()


def leaves(count: int) -> list[bytes]:
    return [f"leaf {n}".encode() for n in range(count)]


def grown(count: int) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
    frontier, tiles = Frontier(), {}
    for leaf in leaves(count):
        for level, n, joined in frontier.append(leaf_hash(leaf)):
            assert (level, n) not in tiles
            tiles[level, n] = joined
    return frontier, tiles


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


@given(st.integers(0, 700))
def test_the_root_is_that_of_the_rfc(count: int) -> None:
    assert grown(count)[0].root() == rfc_6962_root(leaves(count))


@pytest.mark.parametrize("count", [255, 256, 257, 511, 512, 65535, 65536, 65537])
def test_exactly_the_full_tiles_are_given(count: int) -> None:
    _, tiles = grown(count)
    expected = {(level, n) for level in range(3) for n in range(count >> 8 * (level + 1))}
    assert set(tiles) == expected
    for (level, n), joined in tiles.items():
        if level == 0:
            assert split_tile(joined) == tuple(leaf_hash(f"leaf {n * 256 + at}".encode()) for at in range(256))
        else:
            assert split_tile(joined)[3] == complete_root(split_tile(tiles[level - 1, n * 256 + 3]))


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000, 65536 + 300])
def test_a_frontier_that_is_loaded_goes_on_as_if_it_had_never_stopped(count: int) -> None:
    frontier, tiles = grown(count)
    hashes = [leaf_hash(leaf) for leaf in leaves(count)]
    loaded = Frontier.load(count, lambda start, stop: hashes[start:stop], lambda level, n: split_tile(tiles[level, n]))
    assert loaded.root() == frontier.root()
    for extra in range(300):
        node = leaf_hash(str(extra).encode())
        assert loaded.append(node) == frontier.append(node)
    assert loaded.root() == frontier.root()


@pytest.mark.parametrize("before", [0, 1, 200, 511])
@given(groups=st.lists(st.integers(0, 600), max_size=4))
def test_leaves_in_groups_make_the_tree_that_they_make_one_by_one(before: int, groups: list[int]) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves(before + sum(groups))]
    one_by_one, in_groups = (Frontier.load(before, lambda start, stop: hashes[start:stop], tile_of) for _ in range(2))
    at = before
    for size in groups:
        together = in_groups.extend(hashes[at : at + size])
        assert together == [full for leaf in hashes[at : at + size] for full in one_by_one.append(leaf)]
        at += size
        assert in_groups.root() == one_by_one.root()
        assert in_groups.carry() == one_by_one.carry()
        assert in_groups.peaks == one_by_one.peaks


def test_groups_fill_tiles_of_two_levels_at_once() -> None:
    frontier, tiles = grown(65_900)
    hashes = [leaf_hash(leaf) for leaf in leaves(65_900)]
    in_groups = Frontier()
    in_groups.extend(hashes[:65_300])
    full = in_groups.extend(hashes[65_300:])
    assert [(level, n) for level, n, _ in full] == [(0, 255), (1, 0), (0, 256)]
    assert all(tiles[level, n] == joined for level, n, joined in full)
    assert (in_groups.root(), in_groups.carry()) == (frontier.root(), frontier.carry())


def tile_of(level: int, n: int) -> list[Hash]:
    assert level == 0
    return [leaf_hash(f"leaf {n * 256 + at}".encode()) for at in range(256)]


def test_leaves_and_nodes_are_hashed_apart() -> None:
    left, right = leaf_hash(b"l"), leaf_hash(b"r")
    assert node_hash(left, right) != leaf_hash(left + right)
    assert node_hash(left, right) != node_hash(right, left)


@pytest.mark.parametrize("size", [0, 32, TILE_WIDTH * 32 - 1, TILE_WIDTH * 32 + 32])
def test_a_tile_that_is_not_full_is_none(size: int) -> None:
    with pytest.raises(ValueError, match="256"):
        split_tile(bytes(size))


def test_hashes_have_32_bytes() -> None:
    assert len(Hash(leaf_hash(b""))) == 32
