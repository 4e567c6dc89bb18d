import asyncio

import pytest

from gatekeeper.exchange import Instant, Reason, Receipt, Seq
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.entries import RefusedData
from gatekeeper.journal.refusals import MOST_KINDS, RefusalLog, RefusedCall


class Drafts:
    """A recorder that keeps what it gets."""

    def __init__(self) -> None:
        self.data: list[RefusedData] = []

    def submit(self, draft: Draft) -> asyncio.Future[Receipt]:
        assert isinstance(draft.data, RefusedData)
        self.data.append(draft.data)
        future = asyncio.get_running_loop().create_future()
        future.set_result(Receipt(Seq(len(self.data)), "00", Instant(0)))
        return future


class Broken:
    def submit(self, draft: Draft) -> asyncio.Future[Receipt]:
        raise JournalDown(draft.data.kind)


CALL = RefusedCall(reason=Reason.BAD_TOKEN, peer="10.0.0.1", subject="bot", target="api.example.com:443")


async def _flood(calls: list[RefusedCall]) -> list[RefusedData]:
    drafts = Drafts()
    log = RefusalLog(drafts)
    for call in calls:
        if (written := log.submit(call)) is not None:
            await written
    log.flush()
    return drafts.data


def flood(calls: list[RefusedCall]) -> list[RefusedData]:
    return asyncio.run(_flood(calls))


def test_the_first_is_written_at_once_with_all_that_is_known() -> None:
    async def first() -> list[RefusedData]:
        drafts = Drafts()
        log = RefusalLog(drafts)
        assert log.submit(CALL) is not None
        written = [*drafts.data]
        log.flush()
        return written

    (entry,) = asyncio.run(first())
    assert (entry.reason, entry.peer, entry.subject, entry.target) == ("bad-token", "10.0.0.1", "bot", CALL.target)
    assert entry.count == 1


def test_a_flood_of_equal_refusals_is_two_entries_that_count_them_all() -> None:
    assert [entry.count for entry in flood([CALL] * 500)] == [1, 499]


def test_different_refusals_stay_apart() -> None:
    other = RefusedCall(reason=Reason.EXPIRED_TOKEN, peer="10.0.0.1", subject="bot", target=CALL.target)
    assert [entry.reason for entry in flood([CALL, other])] == ["bad-token", "expired-token"]


def test_a_flood_of_different_refusals_is_bounded_and_none_is_lost() -> None:
    calls = [RefusedCall(reason=Reason.BAD_TOKEN, peer=f"peer-{n}") for n in range(3 * MOST_KINDS)]
    entries = flood(calls)
    assert len(entries) <= MOST_KINDS + 2
    assert sum(entry.count for entry in entries) == len(calls)


def test_what_cannot_be_recorded_is_raised() -> None:
    async def refuse() -> None:
        RefusalLog(Broken()).submit(CALL)

    with pytest.raises(JournalDown):
        asyncio.run(refuse())
