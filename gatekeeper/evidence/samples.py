"""Samples that nobody could have chosen: by hash, from a number that the auditor gives and the log's own root.

A call belongs to the first stratum that fits it. Pure.
"""

import enum
import hashlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gatekeeper.exchange import Seq

CONFIDENCE: Final = 0.95


class Stratum(enum.Enum):
    """What is sampled apart, so that rare things are in the sample at all."""

    HOLDS = "holds"
    DENIALS = "denials"
    MASKED = "masked"
    UNMASKED = "unmasked"
    REFUSALS = "refusals"


def sample_seed(nonce: str, root: bytes) -> str:
    """Give the seed: SHA-256 hex of the auditor's nonce and the root at the end of the period."""
    return hashlib.sha256(nonce.encode() + root).hexdigest()


def sample_rank(seed: str, seq: int) -> str:
    """Give what an entry is drawn by: the smallest are taken."""
    return hashlib.sha256(f"{seed}:{seq}".encode()).hexdigest()


@dataclass(slots=True)
class Sampler:
    """Keeps the `size` entries of each stratum with the smallest ranks, and counts all."""

    seed: str
    size: int
    counts: dict[Stratum, int] = field(default_factory=lambda: dict.fromkeys(Stratum, 0))
    _kept: dict[Stratum, list[tuple[int, Seq]]] = field(default_factory=lambda: {one: [] for one in Stratum})

    def offer(self, stratum: Stratum, seq: Seq) -> tuple[bool, Seq | None]:
        """Take an entry into the draw; gives whether it is drawn so far, and which it took the place of."""
        self.counts[stratum] += 1
        kept, ranked = self._kept[stratum], (-int(sample_rank(self.seed, seq), 16), seq)
        if len(kept) < self.size:
            heapq.heappush(kept, ranked)
            return True, None
        if self.size and ranked > kept[0]:
            return True, heapq.heapreplace(kept, ranked)[1]
        return False, None

    def chosen(self) -> Mapping[Stratum, tuple[Seq, ...]]:
        """Give what was drawn, in order of the log."""
        return {stratum: tuple(sorted(seq for _, seq in kept)) for stratum, kept in self._kept.items()}


def upper_bound(sampled: int, population: int) -> float:
    """Give the share of exceptions that no exception in a sample still allows, at 95 %.

    The exact binomial bound 1 - 0.05^(1/n), the rule of three's exact form: 11.3 % for 25. 0 where all were looked at.
    """
    if sampled >= population:
        return 0.0
    return 1.0 if sampled == 0 else float(1 - (1 - CONFIDENCE) ** (1 / sampled))


def strata_of(*, held: bool, denied: bool, findings: Iterable[int]) -> Stratum:
    """Tell a call's stratum."""
    if held:
        return Stratum.HOLDS
    if denied:
        return Stratum.DENIALS
    return Stratum.MASKED if any(findings) else Stratum.UNMASKED
