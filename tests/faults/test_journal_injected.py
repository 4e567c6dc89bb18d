"""Each kind of system call that the journal lives by fails, at one point after the other (strace injects it).

Whatever fails: what was acknowledged is there afterwards, the rest is absent or whole, the next start goes on.
"""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from journals import write_journal

from gatekeeper.journal import Reader, verify_journal

STRACE = shutil.which("strace")
TESTS = Path(__file__).parent.parent

# Begins a journal, or goes on with one: some groups, a seal under a new key, an erased session, and the end.
WRITER = """
    import asyncio, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from journals import ORIGIN, OPENING, SESSION, request, response
    from gatekeeper.journal import Journal, JournalDown

    async def main():
        folder, base = Path(sys.argv[1]), int(sys.argv[3])
        journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, OPENING)
        async def put(*drafts):
            for receipt in await asyncio.gather(*[journal.submit(draft) for draft in drafts]):
                print(receipt.seq, receipt.leaf, flush=True)
        for number in range(base, base + 4):
            await put(request(number), response(number))
        await put(request(base + 4))
        await journal.seal(rotate=True)
        await put(response(base + 4))
        await journal.erase(SESSION, "ops", "asked for")
        await put(*[request(base + 5 + at) for at in range(10)])
        await journal.close()

    try:
        asyncio.run(main())
        print("ended")
    except (JournalDown, TimeoutError) as down:
        print("down", down)
"""

POINTS = {
    "pwrite64": (1, 3, 9, 27, 60, 100, 140),
    "fdatasync": (1, 2, 4, 7, 11, 16),
    "fsync": (1, 2, 3, 5, 8),
    "rename": (1, 2, 3, 4, 5, 6, 7),
    "unlink": (1, 2, 3),
    "ftruncate": (1, 2, 4),
}
"""By system call, which of them fails, counted in the thread that makes it."""


def written(folder: Path, base: int, *tracing: str) -> list[str]:
    command = [*tracing, sys.executable, "-c", textwrap.dedent(WRITER), str(folder), str(TESTS), str(base)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout, done.stderr
    return done.stdout.splitlines()


def acknowledged(lines: list[str]) -> dict[int, str]:
    return {int(line.split()[0]): line.split()[1] for line in lines if line[:1].isdigit() and " " in line}


@pytest.mark.skipif(STRACE is None, reason="needs strace")
@pytest.mark.parametrize(("call", "point"), [(call, point) for call, points in POINTS.items() for point in points])
def test_a_call_that_fails_loses_nothing_that_was_acknowledged(tmp_path: Path, call: str, point: int) -> None:
    if point % 2:
        write_journal(tmp_path, [])
    error = "ENOSPC" if call == "pwrite64" else "EIO"
    inject = f"inject={call}:error={error}:when={point}"
    lines = written(tmp_path, 0, str(STRACE), "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
    assert lines[-1] == "ended" or lines[-1].startswith("down "), lines
    again = written(tmp_path, 1000)
    assert again[-1] == "ended", again
    report = verify_journal(tmp_path / "journal", None, tmp_path / "journal" / "anchors.log")
    assert report.ok, report
    with Reader(tmp_path / "journal", None) as reader:
        stored = {entry.seq: entry.leaf_hash.hex() for entry in reader.entries(0, reader.size)}
    known = acknowledged(lines) | acknowledged(again)
    assert {seq for seq, leaf in known.items() if stored.get(seq) != leaf} == set()
