"""Who hears of what waits and how it ended, with which words; what can't be sent is tried again and recorded."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from reviewing import ALICE, BOB, CAROL, SUBJECT, SigningKey, Station, a_hold, decided, held

from gatekeeper.approvals import Released, notices
from gatekeeper.approvals.ledger import Ledger
from gatekeeper.approvals.notices import Notices, Send
from gatekeeper.config import SecretTemplate
from gatekeeper.journal.entries import RefusedData
from gatekeeper.journal.statement import Answer

ADDRESSES = {
    "notices": {
        "finance": (SecretTemplate("json://finance"),),
        ALICE: (SecretTemplate("json://alice/${env:HOOK}"),),
        CAROL: (SecretTemplate("json://carol"),),
        "others": (SecretTemplate("json://others"),),
    },
    "outcomes": {"support-bot": (SecretTemplate("json://owner"),), "another": (SecretTemplate("json://another"),)},
}


class Post:
    """Keeps what is sent, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.failures = failures

    async def __call__(self, address: str, title: str, text: str) -> bool:
        if self.failures:
            self.failures -= 1
            if self.failures % 2:
                raise ConnectionError(address)
            return False
        self.sent.append((address, title, text))
        return True


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "AGAIN", (0.0, 0.0, 0.0))


def story(station: Station, post: Send, steps: Callable[[Any], Any], environment: dict[str, str] | None = None) -> None:
    station.config = msgspec.structs.replace(station.config, **ADDRESSES)

    async def run() -> None:
        desk = await station.open()
        ledger = Ledger(station.recording, station.clock)
        desk.notify_by(Notices(station.config, {"HOOK": "x"} if environment is None else environment, ledger, post))
        await steps(desk)
        await asyncio.sleep(0.05)
        await desk.close()

    asyncio.run(run())


def test_those_who_may_decide_hear_with_the_command_to_type_and_the_owner_hears_the_outcome(
    station: Station, keys: dict[str, SigningKey]
) -> None:
    post = Post()
    hostile = msgspec.structs.replace(a_hold().view, url="https://x/\x1b[2J\u202e")

    async def steps(desk: Any) -> None:
        call = await held(desk, a_hold(view=hostile))
        await held(desk, a_hold(2, view=hostile))  # it joins: nobody is told twice
        (view,) = desk.pending()
        await decided(desk, view, ALICE, keys[ALICE])
        assert isinstance(await call, Released)

    story(station, post, steps)
    asked = {address: text for address, _, text in post.sent if "show" in text}
    assert set(asked) == {"json://finance", "json://alice/x"}  # carol owns the workload
    (text,) = set(asked.values())
    assert "gatekeeper approvals approve apr-" in text
    assert "found: CREDIT_CARD 1" in text
    assert "https://x/\ufffd[2J\ufffd" in text
    ended = [(address, title, text) for address, title, text in post.sent if "show" not in text]
    assert [(address, title.partition(": ")[2]) for address, title, _ in ended] == [("json://owner", "used")]
    assert f"approve by {ALICE}" in ended[0][2]


def test_a_denial_an_expiry_and_a_withdrawal_are_heard_too(station: Station, keys: dict[str, SigningKey]) -> None:
    post = Post()

    async def steps(desk: Any) -> None:
        call = await held(desk, a_hold(1, "one"))
        await decided(desk, desk.pending()[0], BOB, keys[BOB], Answer.DENY)
        await call
        for number, subject in enumerate((SUBJECT, msgspec.structs.replace(SUBJECT, sub="nobody's")), 2):
            call = await held(desk, a_hold(number, str(number), subject=subject))
            await desk.withdraw(desk.pending()[0].id, "root", "mistake")
            await call
        await held(desk, a_hold(4, "four"))
        station.clock_is_ahead(3601 * 1_000_000)
        desk._tell_expired(desk._docket.get(desk.list()[-1].id))

    story(station, post, steps)
    outcomes = [title.partition(": ")[2] for address, title, _ in post.sent if address == "json://owner"]
    assert outcomes == ["denied", "withdrawn", "expired"]


def test_what_fails_is_tried_again_and_in_the_end_recorded_and_no_call_waits_for_it(
    station: Station, keys: dict[str, SigningKey], caplog: pytest.LogCaptureFixture
) -> None:
    numbers = iter("ab")

    async def steps(desk: Any) -> None:
        call = await held(desk, a_hold(1, next(numbers)))
        await decided(desk, desk.pending()[0], ALICE, keys[ALICE])
        assert isinstance(await call, Released)

    twice = Post(failures=2)
    story(station, twice, steps)
    assert len(twice.sent) == 3
    assert station.recording.of(RefusedData) == []
    story(station, Post(failures=1000), steps)
    failed = station.recording.of(RefusedData)
    assert {data.reason for data in failed} == {"notice-failed"}
    assert all(data.target is not None and data.target.startswith("apr-") for data in failed)
    assert "json://" not in caplog.text


def test_a_secret_that_is_missing_is_no_notice_and_no_fault(station: Station) -> None:
    post = Post()

    async def steps(desk: Any) -> None:
        await held(desk, a_hold())

    story(station, post, steps, environment={})
    assert {address for address, _, _ in post.sent} == {"json://finance"}
