"""Appends per second of the journal beside a plain SQLite table, on the same rows, in one interleaved run.

    uv run python benchmarks/journal_append.py [FOLDER]

Both commit groups of the same size durably (WAL, synchronous=FULL). The plain table takes a leaf and a body as
they are; the journal makes canonical JSON, compresses and encrypts the body, hashes the tree, signs a checkpoint
and renames the head, once a group. Its writer is a process, as in `gatekeeper run`, or a thread. FOLDER: where the disk
to be measured is.
"""

import asyncio
import contextlib
import functools
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from machine import fsync_ms

from gatekeeper.exchange import ExchangeId, Receipt, SessionId, canonical_json
from gatekeeper.journal import (
    Content,
    Draft,
    Journal,
    Opening,
    RequestData,
    ResponseData,
    SubjectData,
    TargetData,
    TimingData,
    VerdictData,
)
from gatekeeper.journal.process import open_process

ROUNDS: Final = 9
GROUPS: Final = ((1, 200), (16, 100), (64, 60))
"""(entries in a group, groups in a round)"""

FLYING: Final = 64

ORIGIN: Final = "benchmark.example/journal"
OPENING: Final = Opening(version="benchmark", config_text="", signers="")

BODY: Final = (b'{"messages":[{"role":"user","content":"' + os.urandom(400).hex().encode() + b'"}]}' + b" " * 1024)[
    :1024
]


def drafts(count: int, number: int) -> list[Draft]:
    """Give requests and their responses in turn, 1 kB of body each."""
    session = SessionId(f"{number % 7:032x}")
    made: list[Draft] = []
    for at in range(count):
        exchange = ExchangeId(f"{number:08x}{at // 2:08x}")
        data = _response() if at % 2 else _request()
        made.append(Draft(data=data, exchange=exchange, session=session, content=Content("application/json", BODY)))
    return made


def _request() -> RequestData:
    return RequestData(
        subject=SubjectData("https://issuer.example", "bot", ("agents",), None, "0" * 64),
        method="POST",
        url="https://api.example.com/v1/chat/completions",
        http="HTTP/1.1",
        headers=tuple((f"x-header-{at}", "some value of a header") for at in range(12)),
        target=TargetData("api.example.com", 443),
        dialect="openai",
        gen_ai={"gen_ai.request.model": "some-model"},
        findings={},
        verdict=VerdictData("allow", "model providers", ()),
    )


def _response() -> ResponseData:
    headers = tuple((f"x-header-{at}", "some value of a header") for at in range(8))
    return ResponseData(
        by="upstream", status=200, headers=headers, upstream=None, findings={}, gen_ai={}, timing=TimingData(1, 2)
    )


type Opener = Callable[[Path], Awaitable[Journal]]


async def in_process(folder: Path) -> Journal:
    """Open a journal whose writer is a process."""
    return await open_process(folder / "journal", folder / "keys", ORIGIN, OPENING)


async def in_thread(folder: Path) -> Journal:
    """Open a journal whose writer is a thread."""
    return Journal.open(folder / "journal", folder / "keys", ORIGIN, OPENING)


def journal_rate(open_journal: Opener, ahead: int, folder: Path, size: int, groups: int) -> float:
    """Give appends per second of groups of `size`, of which `ahead` more are handed in while one is awaited."""

    async def append() -> float:
        journal = await open_journal(folder)
        work = [drafts(size, number) if size > 1 else [drafts(2, number // 2)[number % 2]] for number in range(groups)]
        began = time.perf_counter()
        under_way: deque[asyncio.Future[list[Receipt]]] = deque()
        for group in work:
            under_way.append(asyncio.gather(*[journal.submit(draft) for draft in group]))
            await asyncio.sleep(0)
            if len(under_way) > ahead:
                await under_way.popleft()
        await asyncio.gather(*under_way)
        taken = time.perf_counter() - began
        await journal.close()
        return size * groups / taken

    return asyncio.run(append())


def waits(open_journal: Opener, folder: Path, flying: int, entries: int) -> list[float]:
    """Give the milliseconds that each of `entries` appends was awaited, `flying` of them under way all the time."""

    async def append() -> list[float]:
        journal = await open_journal(folder)
        taken: list[float] = []
        work = [drafts(2 * (entries // flying // 2), number) for number in range(flying)]

        async def one(number: int) -> None:
            for draft in work[number]:
                began = time.perf_counter()
                await journal.submit(draft)
                taken.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*[one(number) for number in range(flying)])
        await journal.close()
        return sorted(taken)

    return asyncio.run(append())


def plain_rate(folder: Path, size: int, groups: int) -> float:
    """Give inserts per second into a plain table, `size` rows a transaction."""
    work = [[(canonical_json(draft.data), BODY) for draft in drafts(size, number)] for number in range(groups)]
    with contextlib.closing(sqlite3.connect(folder / "plain.db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB NOT NULL, body BLOB NOT NULL)")
        began = time.perf_counter()
        for group in work:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO entry (leaf, body) VALUES (?, ?)", group)
            database.execute("COMMIT")
        return size * groups / (time.perf_counter() - began)


def measured(rate: Callable[[Path, int, int], float], place: Path | None, size: int, groups: int) -> float:
    """Measure in a fresh folder."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        return rate(Path(folder), size, groups)


def main() -> None:
    """Print a line for each size of group."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        print(f"fsync of 8 kB: {fsync_ms(Path(folder)):.2f} ms; medians of {ROUNDS} interleaved rounds, 1 kB bodies")
    for size, groups in GROUPS:
        rates = [[measured(rate, place, size, groups) for rate in RATES.values()] for _ in range(ROUNDS)]
        print(f"{size:3} a group:")
        for at, name in enumerate(RATES):
            ratios = sorted(each[at] / each[-1] for each in rates)
            print(
                f"    {name}: {statistics.median(each[at] for each in rates):7.0f}/s, "
                f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            )
    print(f"{FLYING} in flight, {ROUNDS} interleaved rounds, an append is awaited (ms):")
    rounds = [[_waited(opener, place) for opener in OPENERS.values()] for _ in range(ROUNDS)]
    for at, name in enumerate(OPENERS):
        middle, late = zip(*[each[at] for each in rounds], strict=True)
        print(
            f"    {name}: median {statistics.median(middle):.1f}, "
            f"p99 {statistics.median(late):.1f} ({min(late):.1f} to {max(late):.1f})"
        )


def _waited(open_journal: Opener, place: Path | None) -> tuple[float, float]:
    """Give median and p99."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        taken = waits(open_journal, Path(folder), FLYING, FLYING * 100)
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100]


OPENERS: Final = {"journal, its writer a process": in_process, "journal, its writer a thread": in_thread}
RATES: Final = {
    f"{name}{then}": functools.partial(journal_rate, opener, ahead)
    for name, opener in OPENERS.items()
    for then, ahead in (("", 0), (", the next group handed in meanwhile", 1))
} | {"plain insert": plain_rate}

if __name__ == "__main__":
    main()
