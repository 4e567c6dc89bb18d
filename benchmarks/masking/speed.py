"""How fast values are found on one core, beside Presidio in the same run, in turns.

uv run python benchmarks/masking/speed.py [--peer PYTHON]
"""

import argparse
import itertools
import os
import statistics
import time
from collections.abc import Callable

import corpus
from quality import ours, peer
from score import Finder

ROUNDS = 5
MEGABYTE = 1_000_000


def texts() -> dict[str, list[str]]:
    """Give the kinds of text: without values; prose with one value in about every 60 characters."""
    clean = list(corpus.clean(held_out=True, count=2000))
    dense = [text.text for text in corpus.positives(held_out=True, each=10) if "PRIVATE KEY" not in text.text]
    return {
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
            (rate(ours, sample, time.perf_counter), rate(find, sample, time.perf_counter))
            for _ in itertools.repeat(None, ROUNDS)
        ]
        ratios = [own / other for own, other in rounds]
        slow = statistics.median(other for _, other in rounds)
        print(f"| {name} | {slow:.4f} | {statistics.median(ratios):.0f} | {min(ratios):.0f} to {max(ratios):.0f} |")


if __name__ == "__main__":
    main()
