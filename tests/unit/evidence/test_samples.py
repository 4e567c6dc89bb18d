"""Samples that nobody could have chosen."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.evidence.samples import Sampler, Stratum, sample_rank, sample_seed, strata_of, upper_bound
from gatekeeper.exchange import Seq


def test_the_seed_is_of_the_nonce_and_the_root() -> None:
    assert sample_seed("n", b"\1" * 32) == hashlib.sha256(b"n" + b"\1" * 32).hexdigest()


@given(st.lists(st.integers(0, 10_000), unique=True), st.integers(0, 20))
def test_the_smallest_ranks_are_drawn_whatever_the_order(seqs: list[int], size: int) -> None:
    sampler = Sampler("seed", size)
    drawn: set[int] = set()
    for seq in seqs:
        taken, dropped = sampler.offer(Stratum.MASKED, Seq(seq))
        if taken:
            drawn.add(seq)
        if dropped is not None:
            drawn.remove(dropped)
    expected = sorted(sorted(seqs, key=lambda seq: sample_rank("seed", seq))[:size])
    assert list(sampler.chosen()[Stratum.MASKED]) == expected == sorted(drawn)
    assert sampler.counts[Stratum.MASKED] == len(seqs)


def test_the_bound_is_the_exact_one() -> None:
    assert round(upper_bound(25, 1000), 3) == 0.113
    assert upper_bound(0, 10) == 1.0
    assert upper_bound(10, 10) == 0.0
    assert upper_bound(0, 0) == 0.0


def test_a_call_belongs_to_the_first_stratum_that_fits() -> None:
    assert strata_of(held=True, denied=True, findings=[1]) is Stratum.HOLDS
    assert strata_of(held=False, denied=True, findings=[1]) is Stratum.DENIALS
    assert strata_of(held=False, denied=False, findings=[0, 1]) is Stratum.MASKED
    assert strata_of(held=False, denied=False, findings=[]) is Stratum.UNMASKED
