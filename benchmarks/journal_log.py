"""A long journal: how soon it opens, what a proof and verification cost, how much it takes on the disk.

    uv run python benchmarks/journal_log.py [ENTRIES] [FOLDER]

The log is written in bulk by the journal's own classes: requests and answers in turn, each with a body of 1 kB. Beside
verification stands its floor: reading the same rows and hashing them once, with the same libraries and nothing else.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from journal_dictionary import Inventor

from gatekeeper.exchange import ExchangeId, Instant, SessionId
from gatekeeper.journal import (
    Content,
    Data,
    Draft,
    Journal,
    Limits,
    Opening,
    Reader,
    RequestData,
    ResponseData,
    SubjectData,
    TargetData,
    TimingData,
    VerdictData,
    verify_journal,
)
from gatekeeper.journal.draft import encode_draft
from gatekeeper.journal.edge import Edge, write_edge
from gatekeeper.journal.left_open import LeftOpen
from gatekeeper.journal.start import open_files

GROUP: Final = 5_000
SINCE_KEPT: Final = 20_000
"""Entries after the place that was kept last where the run is cut off: as many as there can be."""

LIMITS: Final = Limits(bytes=1 << 40, monthly=False)
ORIGIN: Final = "benchmark.example/journal"
OPENING: Final = Opening(version="benchmark", config_text="", signers="")


class Calls:
    """Drafts of calls to models: what is in them is invented, and differs from call to call."""

    def __init__(self) -> None:
        self._inventor = Inventor(5)
        chance = random.Random(5)  # noqa: S311 - it repeats
        self._questions = [self._body(self._inventor.openai_request()) for _ in range(500)]
        self._answers = [self._body(self._inventor.openai_answer()) for _ in range(500)]
        self._chance = chance

    def pair(self, number: int) -> tuple[Draft, Draft]:
        """Give a request and its answer."""
        session, exchange = SessionId(f"{number // 50:032x}"), ExchangeId(f"{number:016x}")

        def draft(data: Data, body: bytes) -> Draft:
            return Draft(data=data, exchange=exchange, session=session, content=Content("application/json", body))

        return draft(_request(number), self._chance.choice(self._questions)), draft(
            _response(number), self._chance.choice(self._answers)
        )

    def _body(self, one: object) -> bytes:
        made = json.dumps(one).encode()
        while len(made) < 1000:  # noqa: PLR2004 - about a kilobyte
            made += json.dumps({"text": self._inventor.text()}).encode()
        return made[:1024]


def _request(number: int) -> RequestData:
    return RequestData(
        subject=SubjectData("https://issuer.example", "bot", ("agents",), None, "0" * 64),
        method="POST",
        url="https://api.example.com/v1/chat/completions",
        http="HTTP/1.1",
        headers=(
            ("content-type", "application/json"),
            ("user-agent", "OpenAI/Python 1.99.0"),
            ("x-request-id", f"{number:032x}"),
        ),
        target=TargetData("api.example.com", 443),
        dialect="openai",
        gen_ai={"gen_ai.request.model": "gpt-4o", "gen_ai.request.max_tokens": 1024},
        findings={},
        verdict=VerdictData("allow", "model providers", ()),
    )


def _response(number: int) -> ResponseData:
    return ResponseData(
        by="upstream",
        status=200,
        headers=(("content-type", "application/json"), ("x-request-id", f"{number:032x}")),
        upstream=None,
        findings={},
        gen_ai={"gen_ai.usage.input_tokens": number % 4000, "gen_ai.usage.output_tokens": number % 900},
        timing=TimingData(100_000 + number % 1000, 200_000 + number % 1000),
    )


def write_log(folder: Path, entries: int) -> None:
    """Write a log of so many entries in few, large groups; then close it as a gateway does."""
    calls = Calls()
    opened = open_files(folder / "journal", folder / "keys", ORIGIN, OPENING, lambda: Instant(0))
    for start in range(0, entries // 2, GROUP // 2):
        drafts = [draft for at in range(start, min(start + GROUP // 2, entries // 2)) for draft in calls.pair(at)]
        opened.keys.provide({draft.session for draft in drafts if draft.session is not None})
        opened.store.commit(
            opened.growth.add(
                [encode_draft(draft) for draft in drafts], Instant(1_800_000_000_000_000 + start), opened.keys.key_of
            ).group
        )
        if 2 * start <= entries - SINCE_KEPT:
            edge = Edge(opened.growth.frontier, LeftOpen({}))
            write_edge(folder / "journal" / "edge", edge, opened.growth.key)
            opened.keys.erased_upto = opened.growth.frontier.size
    (folder / "journal" / "head").write_text(opened.store.newest_note()[1], encoding="utf-8")  # type: ignore[index]
    opened.store.close()
    opened.keys.close()
    os.close(opened.lock)


async def open_once(folder: Path) -> float:
    """Give the milliseconds until a journal is ready."""
    began = time.perf_counter()
    journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, OPENING, limits=LIMITS)
    taken = time.perf_counter() - began
    await journal.close()
    return taken * 1000


def prove_some(folder: Path) -> list[float]:
    """Give the milliseconds that proofs of entries anywhere take, the first apart: it finds the edge."""
    chance = random.Random(3)  # noqa: S311 - it repeats
    with Reader(folder / "journal", None) as reader:
        size = reader.size
        taken = []
        for _ in range(200):
            seq = chance.randrange(size)
            began = time.perf_counter()
            reader.inclusion(seq, size)
            taken.append((time.perf_counter() - began) * 1000)
    return taken


def floor(folder: Path) -> float:
    """Give the CPU seconds of reading all leaves and bodies and hashing each of them and the tree's nodes once."""
    sha256 = hashlib.sha256
    began = time.process_time()
    with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database:
        (size,) = database.execute("SELECT max(seq) + 1 FROM entry").fetchone()
        for start in range(0, size, 256):
            for (leaf,) in database.execute("SELECT leaf FROM entry WHERE seq >= ? AND seq < ?", [start, start + 256]):
                sha256(sha256(b"\0" + leaf).digest() + b"\1" + bytes(32)).digest()
            for (data,) in database.execute("SELECT data FROM body WHERE seq >= ? AND seq < ?", [start, start + 256]):
                sha256(data).hexdigest()
    return time.process_time() - began


def verified(folder: Path) -> None:
    """Verify, and print CPU seconds, seconds and memory: in a process of its own, so that memory is its own too."""
    began, cpu = time.perf_counter(), time.process_time()
    report = verify_journal(folder / "journal")
    assert report.ok, report
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(report.entries, time.process_time() - cpu, time.perf_counter() - began, memory)


def main() -> None:
    """Print a line for each figure."""
    if sys.argv[1:2] == ["--verify"]:
        verified(Path(sys.argv[2]))
        return
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    place = Path(sys.argv[2]) if len(sys.argv) > 2 else None  # noqa: PLR2004 - the second argument
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        write_log(folder, entries)
        first = asyncio.run(open_once(folder))
        opened = sorted(asyncio.run(open_once(folder)) for _ in range(15))
        print(f"{entries:,} entries: opened in {statistics.median(opened):.1f} ms (fastest {opened[0]:.1f})")
        print(f"after a crash at their end, {SINCE_KEPT:,} after the place that was kept: {first:.0f} ms")
        proofs = prove_some(folder)
        rest = sorted(proofs[20:])
        print(f"a proof: {statistics.median(rest):.2f} ms, slowest {rest[-1]:.2f}; the first {proofs[0]:.1f}")
        command = [sys.executable, __file__, "--verify", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this file
        count, cpu, wall, memory = map(float, done.stdout.split())
        rate, lowest = count / cpu, count / floor(folder)
        print(f"verify: {rate:,.0f} entries a CPU second, {rate / lowest:.2f} of the floor ({lowest:,.0f})")
        print(f"        {count / wall:,.0f} a second, {memory:.0f} MB")
        with contextlib.closing(sqlite3.connect(folder / "journal" / "journal.db")) as database:
            (leaves,) = database.execute("SELECT avg(length(leaf)) FROM entry").fetchone()
            (bodies,) = database.execute("SELECT avg(length(data)) FROM body").fetchone()
        stored = (folder / "journal" / "journal.db").stat().st_size / count
        print(f"an entry: leaf {leaves:.0f} bytes, body {bodies:.0f} of 1024, on the disk {stored:.0f}")


if __name__ == "__main__":
    main()
