"""The journal whose writer is a process of its own: as the one in a thread, and closed where either end is gone."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import (
    OPENING,
    ORIGIN,
    SESSION,
    in_process,
    in_thread,
    recorder_of,
    recorders_of,
    refused,
    request,
    response,
    typical,
)

from gatekeeper.exchange import Receipt
from gatekeeper.journal import Journal, JournalDown, Reader, intake, process, verify_journal
from gatekeeper.journal.draft import encode_draft
from gatekeeper.journal.files import lock_folder, make_folder
from gatekeeper.journal.note import VerificationKey
from gatekeeper.journal.process import open_process
from gatekeeper.journal.wire import Batch, Frames, Message, to_frame

HELD = 0.2
"""Seconds in which a recorder that runs would have written."""


def run(folder: Path, use: Callable[[Journal], Awaitable[object]]) -> None:
    async def opened() -> None:
        await use(await in_process(folder))

    asyncio.run(asyncio.wait_for(opened(), 60))


def kinds(folder: Path) -> list[str]:
    with Reader(folder / "journal", None) as reader:
        return [entry.kind for entry in reader.entries(0, reader.size)]


def recorder() -> int:
    return recorder_of(os.getpid())


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_writes_what_a_thread_writes(tmp_path: Path) -> None:
    drafts = typical(5)

    async def write(folder: Path, opener: Callable[[Path], Awaitable[Journal]]) -> list[Receipt]:
        journal = await opener(folder)
        receipts = await asyncio.gather(*map(journal.submit, drafts))
        await journal.close()
        return list(receipts)

    for opener in (in_thread, in_process):
        receipts = asyncio.run(write(tmp_path / opener.__name__, opener))
        assert [receipt.seq for receipt in receipts] == list(range(1, len(drafts) + 1))
        report = verify_journal(
            tmp_path / opener.__name__ / "journal", None, tmp_path / opener.__name__ / "journal" / "anchors.log"
        )
        assert report.ok, report
    assert kinds(tmp_path / "in_process") == kinds(tmp_path / "in_thread")
    with Reader(tmp_path / "in_process" / "journal", tmp_path / "in_process" / "keys") as reader:
        body = reader.content(reader.entry(2))
        assert body is not None
        assert body.data == b'{"q":"hello"}'


def test_a_key_is_changed_a_session_erased_and_a_checkpoint_anchored_through_it(tmp_path: Path) -> None:
    async def use(journal: Journal) -> None:
        notes: list[str] = []
        journal.on_anchor(notes.append)
        await journal.submit(request(1))
        before = journal.vkey
        sealed = await journal.seal(rotate=True)
        assert sealed.seq == 2
        assert journal.vkey != before
        VerificationKey.parse(journal.vkey)
        await journal.erase(SESSION, "ops", "Art. 17")
        with pytest.raises(LookupError, match="no key"):
            await journal.erase(SESSION, "ops", "Art. 17")
        note = await journal.anchor()
        assert journal.anchored == note == notes[-1]
        assert sum(journal.tally.commits) >= 3
        assert journal.wal > 0
        assert not journal.standing_since(sealed.time).grants
        await journal.close()
        with pytest.raises(JournalDown, match="closed"):
            await journal.anchor()

    run(tmp_path, use)
    assert verify_journal(tmp_path / "journal").ok


def test_who_waits_no_more_harms_nobody(tmp_path: Path) -> None:
    async def use(journal: Journal) -> None:
        os.kill(recorder(), signal.SIGSTOP)
        for answer in (journal.submit(request(1)), journal.anchor(), journal.erase(SESSION, "ops", "why")):
            answer.cancel()
        os.kill(recorder(), signal.SIGCONT)
        await journal.submit(refused())
        await journal.close()

    run(tmp_path, use)
    assert kinds(tmp_path) == ["open", "request", "erase", "refused", "truncated", "close"]


def test_a_recorder_that_is_killed_ends_the_journal_for_all_who_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def use(journal: Journal) -> None:
        await journal.submit(request(1))
        os.kill(recorder(), signal.SIGSTOP)
        waiting = [journal.submit(response(1)), journal.anchor()]
        os.kill(recorder(), signal.SIGKILL)
        for answer in waiting:
            with pytest.raises(JournalDown, match="recorder has ended"):
                await answer
        assert journal.failed is not None
        with pytest.raises(JournalDown, match="recorder has ended"):
            journal.submit(refused())
        with pytest.raises(JournalDown, match="recorder has ended"):
            await journal.close()

    run(tmp_path, use)
    assert "recorder has ended" in caplog.text


def test_a_recorder_whose_gateway_is_gone_writes_what_it_was_handed_and_ends(tmp_path: Path) -> None:
    async def use(journal: Journal) -> None:
        pid = recorder()
        os.kill(pid, signal.SIGSTOP)
        journal.submit(request(1))
        await asyncio.sleep(HELD)  # it is sent at the end of this turn or the next
        journal._intake._line._transport.abort()  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGCONT)
        await asyncio.get_running_loop().run_in_executor(None, journal._intake._line._process.wait)  # type: ignore[attr-defined]

    run(tmp_path, use)
    run(tmp_path, lambda journal: journal.close())
    assert kinds(tmp_path) == ["open", "request", "open", "truncated", "close"]
    assert verify_journal(tmp_path / "journal").ok


def test_signals_that_are_for_the_gateway_do_not_end_the_recorder(tmp_path: Path) -> None:
    async def use(journal: Journal) -> None:
        pid = recorder()
        assert os.getpgid(pid) != os.getpgrp()
        assert Path(f"/proc/{pid}/fd/1").readlink() == Path("/dev/null")  # who reads the gateway's output sees its end
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        await journal.submit(refused())
        await journal.close()
        assert not is_there(pid)

    run(tmp_path, use)
    assert kinds(tmp_path) == ["open", "refused", "close"]


def test_the_recorder_of_a_gateway_that_was_killed_gets_time_to_let_the_folder_go(tmp_path: Path) -> None:
    make_folder(tmp_path / "journal")
    lock = lock_folder(tmp_path / "journal")

    async def use() -> None:
        opening = asyncio.create_task(in_process(tmp_path))
        await asyncio.sleep(1.2)  # it has started by now, and finds the folder taken
        os.close(lock)
        await (await opening).close()

    asyncio.run(asyncio.wait_for(use(), 60))
    assert kinds(tmp_path) == ["open", "close"]


def test_secrets_of_the_environment_are_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-operator")

    async def use(journal: Journal) -> None:
        environment = Path(f"/proc/{recorder()}/environ").read_bytes()
        assert b"PATH=" in environment
        assert b"sk-of-the-operator" not in environment
        await journal.close()

    run(tmp_path, use)


def test_why_it_can_not_be_opened_is_said_and_no_process_is_left(tmp_path: Path) -> None:
    async def refused_twice() -> None:
        journal = await in_process(tmp_path)
        began = time.monotonic()
        with pytest.raises(JournalDown, match="another gateway writes"):
            await in_process(tmp_path)
        assert time.monotonic() - began < 30
        await journal.close()
        with pytest.raises(JournalDown, match="another origin"):
            await open_process(tmp_path / "journal", tmp_path / "keys", "other.example/journal", OPENING)
        (tmp_path / "journal" / "journal.db").write_bytes(b"no database")
        with pytest.raises(JournalDown, match="can't be opened"):
            await in_process(tmp_path)

    asyncio.run(refused_twice())
    assert recorders_of(os.getpid()) == []


@pytest.mark.parametrize("program", ["/bin/false", "/no/such/program"])
def test_a_recorder_that_does_not_start_is_no_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(JournalDown, match="could not be started"):
        asyncio.run(in_process(tmp_path))


def test_what_the_next_run_is_warned_of_is_said_by_the_gateway(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, lambda journal: journal.close())
    (tmp_path / "journal" / "head").unlink()
    run(tmp_path, lambda journal: journal.close())
    assert "head" in caplog.text


def test_behind_a_slow_recorder_drafts_wait_in_order_and_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "UNSENT", 1 << 20)
    monkeypatch.setattr(intake, "MOST_PENDING", 40)

    waiting: list[asyncio.Future[Receipt]] = []

    async def flood(journal: Journal) -> None:
        for number in range(1000):
            waiting.append(journal.submit(request(number, body=os.urandom(100_000))))
            await asyncio.sleep(0.001)

    async def use(journal: Journal) -> None:
        os.kill(recorder(), signal.SIGSTOP)
        try:
            with pytest.raises(JournalDown, match="keep up"):
                await flood(journal)
        finally:
            os.kill(recorder(), signal.SIGCONT)
        assert 40 < len(waiting) < 200
        receipts = await asyncio.gather(*waiting)
        assert [receipt.seq for receipt in receipts] == list(range(1, len(waiting) + 1))
        await journal.submit(response(0))
        await journal.close()

    run(tmp_path, use)
    assert verify_journal(tmp_path / "journal").ok


def test_a_fault_in_telling_the_recorder_ends_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(journal: Journal) -> None:
        def faulty(message: Message) -> bytes:
            raise TypeError(message)

        monkeypatch.setattr(process, "to_frame", faulty)
        with pytest.raises(JournalDown, match="can't be told"):
            await journal.submit(refused())
        with pytest.raises(JournalDown, match="can't be told"):
            await journal.close()

    run(tmp_path, use)


@given(st.lists(st.integers(1, 2000), max_size=20))
def test_messages_are_put_together_however_they_were_split(cuts: list[int]) -> None:
    drafts = [(number, encode_draft(draft)) for number, draft in enumerate(typical(3))]
    sent = [Batch(drafts[:2], [7], last=False), Batch([*drafts[2:], (None, drafts[0][1])], [], last=True)]
    data = b"".join(map(to_frame, sent))
    frames, got, at = Frames(), [], 0
    for cut in (*cuts, len(data)):
        got += frames.feed(data[at : at + cut])
        at += cut
    assert got == sent


def test_the_origin_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    run(tmp_path, lambda journal: journal.close())
    assert (tmp_path / "journal" / "head").read_text().startswith(ORIGIN)
