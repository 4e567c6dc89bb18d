"""Look-ups in a large journal, by the index and by reading the log through."""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from machine import facts

from gatekeeper.exchange import ExchangeId, SessionId
from gatekeeper.journal import (
    Content,
    Draft,
    Journal,
    Opening,
    Reader,
    RequestData,
    ResponseData,
    SubjectData,
    TargetData,
    TimingData,
    VerdictData,
)
from gatekeeper.journal.index import Index, forget
from gatekeeper.journal.indexing import bring_up_to_date
from gatekeeper.journal.proofs import prove_inclusion
from gatekeeper.journal.search import Query, search

HOSTS = ("api.openai.com", "api.anthropic.com", "payments.example.com")
COMMON = ("the", "refund", "invoice", "customer", "please", "order")
PAGE = 50
QUESTIONS = {
    "a common word": Query(text="refund"),
    "four common words": Query(text="refund invoice customer please"),
    "a beginning": Query(text="re*"),
    "a phrase, subjects by pattern, a finding": Query(
        text='"refund invoice"', subject="bot-1*", finding=("CREDIT_CARD",)
    ),
    "a word that there is not": Query(text="xyzzy"),
    "a subject": Query(subject="bot-7"),
    "a subject and a word": Query(subject="bot-7", text="refund"),
    "a rare finding and a word": Query(finding=("US_SSN",), text="refund"),
    "a host by pattern": Query(host="pay*"),
}


def main() -> None:
    """Write a journal, index it, ask, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "lookup.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(write(folder, options.entries // 2))
        lines = measure(folder, options.rounds)
    options.out.write_text("\n".join([*lines, ""]))
    print("\n".join(lines))


def measure(folder: Path, rounds: int) -> list[str]:
    """Give the page."""
    path = folder / "journal" / "index.db"
    with Reader(folder / "journal", folder / "keys") as reader:
        index = Index.open(path)
        built = timed(lambda: bring_up_to_date(index, reader))
        through = timed(lambda: read_through(reader))
        rows = []
        for name, query in QUESTIONS.items():
            took = statistics.median(timed(lambda query=query: search(index, query, PAGE)) for _ in range(rounds))
            rows.append(f"| {name} | {took * 1000:.1f} | {through / took:,.0f} |")
        page = [reader.entry(seq) for seq in range(reader.size - PAGE, reader.size)]
        log = reader.log
        proved = timed(lambda: [prove_inclusion(entry.seq, log.size, log.subtree) for entry in page])
        size, bytes_ = reader.size, path.stat().st_size
        index.close()
    forgotten = timed(lambda: forget(folder / "journal", [SessionId(f"{7:032x}")]))
    return [
        "# Look-ups in the journal",
        "",
        f"{size:,} entries, 40 words in each body; {facts(folder, [0.0])[0]}; medians of {rounds} rounds.",
        "The peer reads the log through and decrypts each body, as one must without an index:",
        f"{through:.1f} s. Pages of {PAGE}.",
        "",
        f"Building the index: {built:.1f} s, {bytes_ / 1e6:.0f} MB ({size / built:,.0f} entries/s).",
        f"Proving a page: {proved * 1000:.1f} ms. Forgetting a session: {forgotten:.1f} s.",
        "",
        "| question | ms | times as fast as reading the log through |",
        "| --- | ---: | ---: |",
        *rows,
    ]


def read_through(reader: Reader) -> int:
    """Look for a word as one must without an index."""
    contents = (reader.content(entry) for entry in reader.entries(reader.start, reader.size))
    return sum(b"xyzzy" in content.data for content in contents if content is not None)


def timed(work: Callable[[], object]) -> float:
    """Give the seconds that a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def write(folder: Path, calls: int) -> None:
    """Write calls of 200 subjects to three hosts, twenty a session."""
    chance = random.Random(1)  # noqa: S311 - a benchmark's words
    rare = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(20_000)]

    def words() -> str:
        return " ".join(chance.choice(COMMON) if chance.random() < 0.3 else chance.choice(rare) for _ in range(40))  # noqa: PLR2004

    journal = Journal.open(
        folder / "journal", folder / "keys", "bench.example/journal", Opening(version="1", config_text="", signers="")
    )
    for batch in itertools.batched(range(calls), 500, strict=False):
        await asyncio.gather(*(journal.submit(draft) for number in batch for draft in call(number, words(), words())))
    await journal.close()


def call(number: int, asked: str, answered: str) -> tuple[Draft, Draft]:
    """Give the two entries of a call."""
    host = HOSTS[number % len(HOSTS)]
    request = RequestData(
        subject=SubjectData(iss="https://issuer", sub=f"bot-{number % 200}", groups=(), workflow=None, token="0" * 64),
        method="POST", url=f"https://{host}/v1/chat", http="HTTP/1.1", headers=(("content-type", "application/json"),),
        target=TargetData(host=host, port=443), dialect="openai", gen_ai={"gen_ai.request.model": "m"},
        findings={"CREDIT_CARD": 1} if number % 50 == 0 else {"US_SSN": 1} if number % 100_000 == 7 else {},  # noqa: PLR2004
        verdict=VerdictData(action="allow", rule="r", reasons=()),
    )  # fmt: skip
    response = ResponseData(
        by="upstream", status=200, headers=(), upstream=None, findings={}, gen_ai={},
        timing=TimingData(first=1, last=2),
    )  # fmt: skip
    exchange, session = ExchangeId(f"{number:016x}"), SessionId(f"{number // 20:032x}")
    bodies = (json.dumps({"messages": [{"content": asked}]}), json.dumps({"choices": [{"content": answered}]}))
    contents = [Content("application/json", body.encode()) for body in bodies]
    first = Draft(request, exchange=exchange, session=session, content=contents[0])
    return first, msgspec.structs.replace(first, data=response, content=contents[1])


if __name__ == "__main__":
    main()
