"""How long an auditor waits: a bundle of a month's calls, and the replay of one session among them.

    uv run python benchmarks/evidence.py [--calls 100000 500000]

Writes a journal of that many calls with the journal's own writer, builds their bundle in a process of its own, and
times `verify.py` on it. There is no peer for a bundle; beside it stands SQLite's own backup of the same database,
the least that copying it could cost.
"""

import argparse
import asyncio
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from journals import ORIGIN, exchange_id, request, response

from gatekeeper.exchange import SessionId
from gatekeeper.journal import Content, Draft, Journal, Opening

PAGE: Final = Path(__file__).parent / "results" / "evidence.md"
IN_FLIGHT: Final = 256
CALLS_A_SESSION: Final = 50
ANSWER: Final = (
    b'{"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"'
    + b"The customer is <EMAIL_ADDRESS>; the order is on its way, and will be there in two or three days. " * 8
    + b'"},"finish_reason":"stop"}],"usage":{"prompt_tokens":21,"completion_tokens":180,"total_tokens":201}}'
)
"""About 1 kB, masked, as a model's answer is."""
CONFIG: Final = f'[journal]\norigin = "{ORIGIN}"\n'


def drafts(calls: int, sessions: int) -> Iterator[tuple[Draft, Draft]]:
    """Give requests with their answers; one in ten has a finding."""
    for number in range(calls):
        session = SessionId(f"{number % sessions:032x}")
        found = {"EMAIL_ADDRESS": 1} if number % 10 == 0 else {}
        answer = response(number)
        data = msgspec.structs.replace(answer.data, findings=found)
        yield (
            msgspec.structs.replace(request(number), session=session),
            Draft(
                data=data, exchange=exchange_id(number), session=session, content=Content("application/json", ANSWER)
            ),
        )


async def write(folder: Path, calls: int, sessions: int) -> None:
    """Write the journal, some calls in flight at once."""
    opening = Opening(version="benchmark", config_text=CONFIG, signers="")
    journal = Journal.open(folder / "data" / "journal", folder / "data" / "keys", ORIGIN, opening)
    waiting: list[asyncio.Future[object]] = []
    for pair in drafts(calls, sessions):
        waiting += [journal.submit(draft) for draft in pair]
        if len(waiting) >= IN_FLIGHT:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    await journal.close()


def timed(folder: Path, *command: str) -> tuple[float, float]:
    """Run a command in `folder`; gives its seconds, and the peak memory of the largest child so far in MB."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def measure(calls: int) -> list[str]:
    """Measure one journal; gives the lines of its section."""
    sessions = max(1, calls // CALLS_A_SESSION)
    gatekeeper = (sys.executable, "-c", "from gatekeeper.cli import main; main()")
    with tempfile.TemporaryDirectory(prefix="gatekeeper-benchmark-") as name:
        folder = Path(name)
        (folder / "config.toml").write_text(CONFIG)
        asyncio.run(write(folder, calls, sessions))
        begin = time.perf_counter()
        source, copy = sqlite3.connect(folder / "data" / "journal" / "journal.db"), sqlite3.connect(folder / "copy.db")
        source.backup(copy)
        rows = [("copy of the database by SQLite", time.perf_counter() - begin, 0.0)]
        build = (*gatekeeper, "evidence", "build", "--from", "1d", "--to", "now", "--nonce", "x", "--out", "bundle")
        rows.append(("evidence build", *timed(folder, *build)))
        rows.append(("verify.py of the bundle", *timed(folder, "python3", "-I", "bundle/data/verify/verify.py")))
        rows.append(("replay list, the first: makes the index", *timed(folder, *gatekeeper, "replay", "list")))
        rows.append(("replay list, again", *timed(folder, *gatekeeper, "replay", "list")))
        rows.append(("replay show of one session", *timed(folder, *gatekeeper, "replay", "show", f"{7:032x}")))
        size = sum(path.stat().st_size for path in (folder / "bundle").rglob("*") if path.is_file()) / 1e6
    return [
        f"## {calls:,} calls, {2 * calls:,} entries",
        "",
        f"Of about 1 kB, in {sessions:,} sessions, one in ten with a finding. The bundle has {size:.0f} MB.",
        "",
        "| | seconds | peak memory of a process so far, MB |",
        "| --- | ---: | ---: |",
        *(f"| {what} | {seconds:.1f} | {memory:.0f} |" for what, seconds, memory in rows),
        "",
    ]


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[100_000, 500_000])
    sections = [line for calls in parser.parse_args().calls for line in measure(calls)]
    page = "\n".join(
        ["# Evidence", "", "How long an auditor waits. `uv run python benchmarks/evidence.py`", "", *sections]
    )
    print(page)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
