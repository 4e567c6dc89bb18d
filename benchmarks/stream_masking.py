"""Stream masking on one core: deltas a second for each format, and how many events wait while text flows.

    python benchmarks/stream_masking.py [--rounds 5] [--deltas 20000] [--out benchmarks/results/stream_masking.md]

The peer is the least that anything must do that may change an event: read its JSON and write it again, with the
standard library. Both run in turns in one process; the ratio is taken round by round.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from machine import facts
from streams import FORMATS, Format

from gatekeeper.config import MaskingConfig
from gatekeeper.masking import Masker, stream_masker

SHOWN: Final = ("chat", "responses", "anthropic", "gemini", "converse", "ollama")
TEXT: Final = (
    "the customer wrote that her order has not arrived and we should look at it again before tomorrow evening please "
    "see section 4 of the handbook, version 2.14.3, or call back at 15:30; total 1,249.00 for item A-1042"
)
WORDS: Final = TEXT.split()
VALUES: Final = ("john.smith@example.com", "4111 1111 1111 1111", "+1 415 555 0132", "536-90-4399",
                 "GB82 WEST 1234 5698 7654 32")  # fmt: skip
DENSE: Final = 0.06  # of the words are values: one in 17, as in a table of customers


def tokens(count: int, share: float) -> Iterator[str]:
    """Give pieces as models send them: words, values in pieces of up to four characters."""
    draw = random.Random(7)  # noqa: S311 - the same text each time
    while count > 0:
        said = f" {draw.choice(VALUES) if draw.random() < share else draw.choice(WORDS)}"
        pieces = [said[at : at + 4] for at in range(0, len(said), 4)] if said[1:] in VALUES else [said]
        yield from pieces[:count]
        count -= len(pieces)


def blocks_of(form: Format, pieces: Sequence[str]) -> list[bytes]:
    """Cut a stream as it arrives: an event at a time. A binary one is cut into pieces of the same mean size."""
    body = form.make(pieces)
    separator = b"\n\n" if form.media == "text/event-stream" else b"\n"
    if form.media.startswith("application/vnd.amazon"):
        size = len(body) // len(pieces)
        return [body[at : at + size] for at in range(0, len(body), size)]
    return [block + separator for block in body.split(separator) if block]


def masked(masker: Masker, form: Format, blocks: Sequence[bytes]) -> float:
    """Mask a stream as the proxy does; gives seconds."""
    stream = stream_masker(masker, form.media, asked=form.asked)
    assert stream is not None
    began = time.process_time()
    for block in blocks:
        stream.feed(block)
        stream.take_recorded()
        stream.take_events()
    stream.finish()
    return time.process_time() - began


def rewritten(pieces: Sequence[str]) -> float:
    """Read and write the JSON of as many chat events; gives seconds."""
    lines = [line.removeprefix(b"data: ") for line in FORMATS[0].make(pieces).split(b"\n\n") if b"{" in line]
    began = time.process_time()
    for line in lines:
        b"data: " + json.dumps(json.loads(line)).encode() + b"\n\n"
    return time.process_time() - began


def waiting(masker: Masker, pieces: Sequence[str]) -> list[int]:
    """Count, after each delta of a chat stream, the deltas whose text has not left yet."""
    form = FORMATS[0]
    stream = stream_masker(masker, form.media)
    assert stream is not None
    blocks = blocks_of(form, pieces)[1:-2]
    ends: list[int] = []
    sent = received = 0
    counts: list[int] = []
    for piece, block in zip(pieces, blocks, strict=True):
        received += len(piece)
        ends.append(received)
        for out in stream.feed(block):
            sent += sum(len(text) for text in _texts(out))
        ends = [end for end in ends if end > sent]
        counts.append(len(ends))
    return counts


def _texts(out: bytes) -> Iterator[str]:
    for line in out.split(b"\n\n"):
        if line.startswith(b"data: {"):
            yield from (choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"])


def main() -> None:
    """Run and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--deltas", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "stream_masking.md")
    options = parser.parse_args()
    masker = Masker(MaskingConfig(), bytes(32))
    keeping = Masker(MaskingConfig(response={"default": "keep"}), bytes(32))
    lines = [
        "# Stream masking",
        "",
        "Deltas a second on one core, an event at a time, with the recorded copy. Dense: every 17th word is an e-mail",
        "address, card, phone, social security or bank account number, in pieces of four characters. The peer reads",
        "and writes the JSON of as many chat events with the standard library, which is the least that a program must",
        "do that changes an event. Medians over the rounds.",
        "",
        f"{options.deltas} deltas, {options.rounds} rounds; {facts(Path(), [0.0])[0]}; processor time.",
        "",
        "| format | prose, deltas/s | of the peer | dense, deltas/s | of the peer |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for form in (form for form in FORMATS if form.name in SHOWN):
        cells = []
        for share in (0.0, DENSE):
            pieces = list(tokens(options.deltas, share))
            blocks = blocks_of(form, pieces)
            rounds = [(masked(masker, form, blocks), rewritten(pieces)) for _ in range(options.rounds)]
            rate = options.deltas / statistics.median(own for own, _ in rounds)
            ratio = statistics.median(peer / own for own, peer in rounds)
            cells += [f"{rate:,.0f}", f"{ratio:.2f}"]
        lines.append(f"| {form} | {' | '.join(cells)} |")
    lines += ["", "Deltas whose text has not left yet, after each delta of a chat stream:", "",
              "| text | median | p99 | most |", "| --- | ---: | ---: | ---: |"]  # fmt: skip
    for name, share in (("prose", 0.0), ("dense", DENSE)):
        counts = sorted(waiting(keeping, list(tokens(options.deltas, share))))
        lines.append(f"| {name} | {counts[len(counts) // 2]} | {counts[len(counts) * 99 // 100]} | {counts[-1]} |")
    options.out.write_text("\n".join([*lines, ""]))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
