"""Proofs, beside the definitions of RFC 9162 and beside sigstore's own functions."""

import base64
import contextlib
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.journal.merkle import Frontier, Hash, leaf_hash, node_hash
from gatekeeper.journal.note import Checkpoint, sign_checkpoint, verification_key
from gatekeeper.journal.proofs import (
    ConsistencyProof,
    InclusionProof,
    check_consistency,
    prove_consistency,
    prove_inclusion,
    read_consistency,
    read_inclusion,
    root_of_inclusion,
    write_consistency,
    write_inclusion,
)

HASHES = [leaf_hash(str(number).encode()) for number in range(300)]


def tree(start: int, stop: int) -> Hash:
    """MTH of RFC 9162 §2.1.1 over a range."""
    size = stop - start
    if size == 1:
        return HASHES[start]
    k = 1 << (size - 1).bit_length() - 1
    return node_hash(tree(start, start + k), tree(start + k, stop))


@given(st.data())
def test_an_inclusion_proof_leads_to_the_root_and_no_other_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    path = prove_inclusion(index, size, tree)
    assert root_of_inclusion(index, size, HASHES[index], path) == tree(0, size)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with contextlib.suppress(ValueError):
            assert root_of_inclusion(other, size, HASHES[index], path) != tree(0, size)
    with pytest.raises(ValueError, match="more hashes"):
        root_of_inclusion(index, size, HASHES[index], (*path, HASHES[0]))
    if path:
        with pytest.raises(ValueError, match="fewer hashes"):
            root_of_inclusion(index, size, HASHES[index], path[:-1])
    with pytest.raises(ValueError, match="does not have"):
        root_of_inclusion(size, size, HASHES[0], path)


@given(st.data())
def test_a_consistency_proof_leads_from_one_root_to_the_other_and_no_other_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    old = data.draw(st.integers(1, size))
    path = prove_consistency(old, size, tree)
    assert check_consistency(old, tree(0, old), size, tree(0, size), path)
    assert not check_consistency(old, HASHES[1], size, tree(0, size), path)
    assert old == size or not check_consistency(old, tree(0, old), size, HASHES[1], path)
    assert not check_consistency(old, tree(0, old), size, tree(0, size), (*path, HASHES[0]))
    assert not path or not check_consistency(old, tree(0, old), size, tree(0, size), path[:-1])
    assert not check_consistency(0, tree(0, old), size, tree(0, size), path)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100, 255, 256, 257, 300])
def test_sigstore_agrees_on_inclusion(size: int) -> None:
    from sigstore._internal.merkle import _chain_border_right, _chain_inner, _decomp_inclusion_proof

    for index in range(0, size, max(1, size // 20)):
        path = list(prove_inclusion(index, size, tree))
        inner, border = _decomp_inclusion_proof(index, size)
        assert len(path) == inner + border
        seed = _chain_inner(HASHES[index], [*path[:inner]], index)
        assert _chain_border_right(seed, [*path[inner:]]) == tree(0, size)


def test_sigstore_reads_our_notes_and_believes_their_signature() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sigstore._internal.rekor.checkpoint import SignedCheckpoint
    from sigstore.errors import VerificationError

    class Keyring:
        """What of sigstore's keyring a note asks; its own knows the keys of Rekor alone."""

        def verify(self, *, key_id: bytes, signature: bytes, data: bytes) -> None:
            assert key_id == verification_key("log.example", key).id
            try:
                key.public_key().verify(signature, data)
            except InvalidSignature as error:
                raise VerificationError("no") from error

    key = Ed25519PrivateKey.generate()
    note = sign_checkpoint(Checkpoint("log.example", 300, tree(0, 300)), key)
    theirs = SignedCheckpoint.from_text(note)
    assert (theirs.checkpoint.origin, theirs.checkpoint.log_size) == ("log.example", 300)
    assert (theirs.checkpoint.log_hash, theirs.checkpoint.other_content) == (tree(0, 300).hex(), [])
    theirs.signed_note.verify(Keyring(), verification_key("log.example", key).id)
    other = SignedCheckpoint.from_text(note.replace("300", "301"))
    with pytest.raises(VerificationError):
        other.signed_note.verify(Keyring(), verification_key("log.example", key).id)


@pytest.mark.parametrize("size", [1, 2, 3, 8, 100, 257, 300])
def test_pymerkle_agrees_on_the_root_and_on_inclusion(size: int) -> None:
    from pymerkle import InmemoryTree, verify_inclusion

    theirs = InmemoryTree(algorithm="sha256")
    frontier = Frontier()
    for number in range(size):
        theirs.append_entry(str(number).encode())
        frontier.append(HASHES[number])
    assert theirs.get_state() == frontier.root()
    proof = theirs.prove_inclusion(size, size)
    verify_inclusion(theirs.get_leaf(size), frontier.root(), proof)


NOTE = "origin\n5\nAAAA\n\n— origin AAAA\n"


def test_an_inclusion_proof_has_the_form_of_c2sp() -> None:
    proof = InclusionProof(3, b'{"a":1}', (HASHES[0], HASHES[1]), NOTE)
    lines = [base64.b64encode(one).decode() for one in (HASHES[0], HASHES[1])]
    extra = base64.b64encode(b'{"a":1}').decode()
    text = f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex 3\n{lines[0]}\n{lines[1]}\n\n{NOTE}"
    assert write_inclusion(proof) == text
    assert read_inclusion(text) == proof
    alone = InclusionProof(0, b"{}", (), NOTE)
    assert read_inclusion(write_inclusion(alone)) == alone


def test_a_consistency_proof_has_the_form_of_a_witness_request() -> None:
    proof = ConsistencyProof(3, (HASHES[0],), NOTE)
    assert write_consistency(proof) == f"old 3\n{base64.b64encode(HASHES[0]).decode()}\n\n{NOTE}"
    assert read_consistency(write_consistency(proof)) == proof
    assert read_consistency(write_consistency(ConsistencyProof(5, (), NOTE))) == ConsistencyProof(5, (), NOTE)


GOOD = write_inclusion(InclusionProof(3, b"{}", (HASHES[0],), NOTE))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        GOOD.replace("@v1", "@v2"),
        GOOD.replace("index 3", "index 03"),
        GOOD.replace("index 3", "index -3"),
        GOOD.replace("index 3", f"index {10**20}"),
        GOOD.replace("index 3\n", ""),
        GOOD.replace("extra ", "extraneous "),
        GOOD.replace("extra e30=", "extra e31="),
        GOOD.replace(base64.b64encode(HASHES[0]).decode(), "AAAA"),
        GOOD.replace("\n\n", "\n"),
    ],
)
def test_what_is_no_proof_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_inclusion(text)
    with pytest.raises(ValueError, match=r"."):
        read_consistency(text)


def test_hashes_are_those_of_the_rfc() -> None:
    assert HASHES[0] == hashlib.sha256(b"\0" + b"0").digest()
