"""Journals for tests: drafts of every kind, and a way to write a small log without a gateway."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gatekeeper.exchange import Clock, ExchangeId, Receipt, SessionId, now
from gatekeeper.journal import (
    ChunkData,
    Content,
    Draft,
    ErrorData,
    Journal,
    Opening,
    RefusedData,
    RequestData,
    ResponseData,
    SubjectData,
    TargetData,
    TimingData,
    VerdictData,
)
from gatekeeper.journal.process import open_process

type Opener = Callable[[Path], Awaitable[Journal]]


async def in_thread(folder: Path) -> Journal:
    return Journal.open(folder / "journal", folder / "keys", ORIGIN, OPENING)


async def in_process(folder: Path) -> Journal:
    return await open_process(folder / "journal", folder / "keys", ORIGIN, OPENING)


def recorders_of(pid: int) -> list[int]:
    """Give the processes that record for a gateway: one, while it runs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if b"journal.recorder" in Path(f"/proc/{child}/cmdline").read_bytes()]


def recorder_of(pid: int) -> int:
    (recorder,) = recorders_of(pid)
    return recorder


ORIGIN = "test.example/journal"
SESSION = SessionId("5e" * 16)
OPENING = Opening(version="test", config_text="[proxy]\n", signers="")


def exchange_id(number: int) -> ExchangeId:
    return ExchangeId(f"{number:016x}")


def request(number: int, action: str = "allow", body: bytes = b'{"q":"hello"}') -> Draft:
    data = RequestData(
        subject=SubjectData(iss="https://issuer", sub="bot", groups=("a",), workflow=None, token="0" * 64),
        method="POST",
        url="https://api.example.com/v1/chat",
        http="HTTP/1.1",
        headers=(("content-type", "application/json"),),
        target=TargetData(host="api.example.com", port=443),
        dialect="openai",
        gen_ai={"gen_ai.request.model": "m"},
        findings={},
        verdict=VerdictData(action=action, rule="r", reasons=()),
    )
    content = Content("application/json", body) if body else None
    return Draft(data=data, exchange=exchange_id(number), session=SESSION, content=content)


def chunk(number: int, n: int) -> Draft:
    content = Content("text/event-stream", b"data: {}\n\n", ((5, 10),))
    return Draft(data=ChunkData(n=n), exchange=exchange_id(number), session=SESSION, content=content)


def response(number: int, by: str = "upstream", chunks: int | None = None) -> Draft:
    data = ResponseData(
        by=by,
        status=200,
        headers=(),
        upstream=None,
        findings={},
        gen_ai={},
        timing=TimingData(first=1, last=2),
        **({} if chunks is None else {"chunks": chunks}),
    )
    content = None if chunks else Content("application/json", b'{"a":"world"}')
    return Draft(data=data, exchange=exchange_id(number), session=SESSION, content=content)


def error(number: int) -> Draft:
    data = ErrorData(reason="upstream-unreachable", upstream=None, side="upstream")
    return Draft(data=data, exchange=exchange_id(number), session=SESSION)


def refused() -> Draft:
    return Draft(data=RefusedData(reason="bad-token", subject=None, peer="10.0.0.1", target=None, count=1))


def typical(exchanges: int = 5, first: int = 0) -> list[Draft]:
    """Give the drafts of some exchanges: whole, streamed and broken."""
    drafts = [refused()]
    for number in range(first, first + exchanges):
        drafts.append(request(number))
        match number % 3:
            case 0:
                drafts.append(response(number))
            case 1:
                drafts += [chunk(number, 0), chunk(number, 1), response(number, chunks=2)]
            case _:
                drafts.append(error(number))
    return drafts


async def write(folder: Path, drafts: Sequence[Draft], clock: Clock = now, *, close: bool = True) -> list[Receipt]:
    """Open the journal in `folder`, write drafts, one group each for the first half, and close it."""
    journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, OPENING, clock)
    half = len(drafts) // 2
    receipts = [await journal.submit(draft) for draft in drafts[:half]]
    receipts += await asyncio.gather(*[journal.submit(draft) for draft in drafts[half:]])
    if close:
        await journal.close()
    return receipts


def write_journal(folder: Path, drafts: Sequence[Draft], clock: Clock = now) -> list[Receipt]:
    return asyncio.run(write(folder, drafts, clock))
