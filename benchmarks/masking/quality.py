"""How well values are found, beside Presidio on the same texts.

    uv run python benchmarks/masking/quality.py [--peer PYTHON --threshold 0.4] [--held-out] [--record]

PYTHON is the interpreter of an environment that has Presidio (see presidio_spans.py).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import corpus
from score import Finder, alarms, by_character, by_type, total

from gatekeeper.masking import find_spans
from gatekeeper.masking.catalogue import catalogue_digest

Found = list[tuple[int, int, str]]
MEASURED = Path(__file__).parents[2] / "gatekeeper" / "evidence" / "measured.toml"


def ours(text: str) -> Found:
    """Find with Gatekeeper's detectors."""
    return [(span.start, span.end, span.entity) for span in find_spans(text)]


@contextmanager
def peer(python: str, threshold: str) -> Iterator[Finder]:
    """Find with the program that speaks our protocol."""
    program = Path(__file__).with_name("presidio_spans.py")
    with subprocess.Popen(  # noqa: S603 - the interpreter that was named
        [python, str(program), threshold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        source, sink = process.stdout, process.stdin

        def find(text: str) -> Found:
            sink.write(json.dumps({"text": text}) + "\n")
            sink.flush()
            spans = json.loads(source.readline())["spans"]
            return [(span["start"], span["end"], span["entity"]) for span in spans]

        yield find
        sink.close()


def report(name: str, find: Finder, *, held_out: bool) -> None:
    """Print a table."""
    texts = list(corpus.positives(held_out=held_out))
    clean = list(corpus.clean(held_out=held_out))
    characters, types = by_character(texts, find), by_type(texts, find)
    typed, wrong = total(types.values()), alarms(clean, find)
    print(
        f"### {name}, {'held out' if held_out else 'steering'}: {len(texts)} texts with values, {len(clean)} without\n"
    )
    print(
        f"* characters found or not: F1 {characters.f1:.4f} (precision {characters.precision:.4f}, recall {characters.recall:.4f})"
    )
    print(f"* values with their type: F1 {typed.f1:.4f}")
    print(f"* texts with a false alarm: {len(wrong)} of {len(clean)}\n")
    print("| detector | F1 | precision | recall |\n| --- | ---: | ---: | ---: |")
    for entity, score in types.items():
        if score.true + score.missed:
            print(f"| {entity} | {score.f1:.3f} | {score.precision:.3f} | {score.recall:.3f} |")
    print(flush=True)


def record(find: Finder) -> None:
    """Write what evidence reports state of the detectors: measured on the held-out part, with their digest."""
    texts, clean = list(corpus.positives(held_out=True)), list(corpus.clean(held_out=True))
    characters, wrong = by_character(texts, find), alarms(clean, find)
    MEASURED.write_text(
        "# Written by benchmarks/masking/quality.py --record, for evidence reports. Per ten thousand, of characters.\n"
        f'rule_set = "{catalogue_digest()}"\n'
        f'test_set = "benchmarks/masking, the held-out part: {len(texts)} texts with values, {len(clean)} without"\n'
        f"recall = {round(characters.recall * 10_000)}\n"
        f"precision = {round(characters.precision * 10_000)}\n"
        f"false_alarms = {len(wrong)}\n"
        f"clean_texts = {len(clean)}\n"
    )


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="an interpreter that has Presidio")
    parser.add_argument("--threshold", default="0.4", help="of Presidio's score")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--record", action="store_true", help=f"write {MEASURED.name}")
    given = parser.parse_args()
    if given.record:
        record(ours)
    report("Gatekeeper", ours, held_out=given.held_out)
    if given.peer:
        with peer(given.peer, given.threshold) as find:
            report(f"Presidio from score {given.threshold} on", find, held_out=given.held_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
