"""How fast values are found on one core, beside Presidio in the same run, in turns.

uv run python benchmarks/masking/speed.py [--peer PYTHON]
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import corpus
from quality import ours, peer
from score import Finder

ROUNDS = 5
TIMES = 20  # as often as a sample is gone through in a round, which takes the peer seconds and us milliseconds
MEGABYTE = 1_000_000


PROSE = (
    "The invoice for the third quarter was sent to the customer on Monday, and the refund is still to be confirmed. "
)
LOG = "2024-11-{:02} 12:44:{:02},123 INFO worker-{} job {} done in 1.24s size {} bytes\n"
HEAD = 200_000  # characters of the texts of documentation and of sources


def texts() -> dict[str, list[str]]:
    """Give the kinds of text: without values, ordinary and full of numbers; with a value in about every 45 characters."""
    log = "".join(
        LOG.format(n % 28 + 1, n % 60, n % 31, 10_000 + n * 7919 % 80_000, n * 104_729 % 10**9) for n in range(2000)
    )
    sources = "".join(Path(module.__file__).read_text(encoding="utf-8") for module in (argparse, statistics))[:HEAD]
    clean = list(corpus.clean(held_out=True, count=2000))
    dense = [text.text for text in corpus.positives(held_out=True, each=10) if "PRIVATE KEY" not in text.text]
    return {
        "no hits, prose": [PROSE * 60 for _ in range(50)],
        "no hits, Python sources in pieces of 600": [sources[at : at + 600] for at in range(0, len(sources), 600)],
        "no hits, a log": [log],
        "no hits, short": clean,
        "no hits, one text": ["\n".join(clean)],
        "dense, short": dense,
        "dense, one text": ["\n".join(dense)],
    }


def rate(find: Callable[[str], object], sample: list[str], clock: Callable[[], float]) -> float:
    """Give megabytes a second of one pass."""
    start = clock()
    for text in sample:
        find(text)
    return sum(len(text.encode()) for text in sample) / MEGABYTE / (clock() - start)


def main() -> None:
    """Run in turns; medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="an interpreter that has Presidio")
    given = parser.parse_args()
    samples = texts()
    for sample in samples.values():
        rate(ours, sample, time.process_time)  # what is compiled once is compiled
    load = os.getloadavg()[0]
    print(f"Load before: {load:.1f} on {os.cpu_count()} processors; loop of a million additions: {_loop():.0f} ms.\n")
    rates = {name: [rate(ours, sample, time.process_time) for _ in range(ROUNDS)] for name, sample in samples.items()}
    print("| text | MB/s of processor time, median of five passes | lowest to highest |\n| --- | ---: | ---: |")
    for name, measured in rates.items():
        print(f"| {name} | {statistics.median(measured):.2f} | {min(measured):.2f} to {max(measured):.2f} |")
    if given.peer:
        with peer(given.peer, "0.4") as find:
            beside(find, samples)


def _loop() -> float:
    """Time what says how much of a processor there is: some 25 ms on a quiet one."""
    start = time.process_time()
    total = 0
    for number in range(1_000_000):
        total += number
    return (time.process_time() - start) * 1000


def beside(find: Finder, samples: dict[str, list[str]]) -> None:
    """Print the ratio to the peer, round by round."""
    print("\n| text | Presidio, MB/s | ratio, median | lowest to highest |\n| --- | ---: | ---: | ---: |")
    for name in ("no hits, short", "dense, short"):
        sample = samples[name][:: max(1, len(samples[name]) // 100)]
        find(sample[0])
        rounds = [
            (rate(ours, sample * TIMES, time.perf_counter), rate(find, sample, time.perf_counter))
            for _ in itertools.repeat(None, ROUNDS)
        ]
        ratios = [own / other for own, other in rounds]
        slow = statistics.median(other for _, other in rounds)
        print(f"| {name} | {slow:.4f} | {statistics.median(ratios):.0f} | {min(ratios):.0f} to {max(ratios):.0f} |")


if __name__ == "__main__":
    main()
