"""No pattern is open to catastrophic backtracking: each is fed what it likes best, eight times as long."""

import time

import pytest
from detector_examples import FOUND

from gatekeeper.masking.catalogue import DETECTORS
from gatekeeper.masking.detector import Detector
from gatekeeper.masking.gate import gate_bytes
from gatekeeper.masking.scanner import Scanner, Work

SHORT, LONG = 1_500, 12_000
RUNS = (
    "0",
    "0 ",
    "1-",
    "(1",
    "+1 ",
    "a",
    "A",
    "aA0",
    "a.",
    "a@",
    "a@a.",
    "::a",
    "0a:",
    "sk-",
    "eyJ",
    "-----BEGIN ",
    "/+=",
)
ALONE = [
    Detector(
        entity=row.entity, form=row.form, pattern=row.pattern, gate=row.gate, shape=row.shape, lead=row.lead,
        validate=row.validate, numeric=row.numeric, spaced=row.spaced, letters=row.letters,
    )
    for row in DETECTORS
]  # fmt: skip
"""Without the words, which would only save work."""


def worst_of(detector: Detector) -> list[str]:
    """Give pieces to repeat: runs of what its classes hold, and its examples but for the last characters."""
    examples = FOUND.get(detector.entity, ())[:4]
    return [*RUNS, *(example[:-1] for example in examples), *(example.rstrip(".,")[-14:-1] for example in examples)]


def seconds(scanner: Scanner, text: str) -> float:
    data = gate_bytes(text)
    runs = []
    for _ in range(2):
        start = time.thread_time()
        list(scanner.candidates(text, data, 0, Work(1 << 60)))
        scanner.scan(text[-400:], 0, 0, Work(1 << 60), final=False)
        runs.append(time.thread_time() - start)
    return min(runs)


@pytest.mark.parametrize("detector", ALONE, ids=[f"{row.entity}-{number}" for number, row in enumerate(ALONE)])
def test_eight_times_the_worst_takes_far_less_than_sixty_four_times_as_long(detector: Detector) -> None:
    scanner = Scanner((detector,))
    for piece in worst_of(detector):
        one, eight = (piece * (size // len(piece)) for size in (SHORT, LONG))
        assert seconds(scanner, eight) < 24 * seconds(scanner, one) + 0.02, piece


def test_the_measure_sees_a_pattern_that_looks_at_the_rest_from_each_place() -> None:
    bad = Scanner((Detector(entity="BAD", form="bad", pattern="a[a ]{0,20000}b", gate="a"),))
    one, twelve = ("a " * (size // 2) for size in (SHORT, 12 * SHORT))  # 144 times, were nothing else to do

    assert seconds(bad, twelve) > 24 * seconds(bad, one) + 0.02
