import asyncio
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest
from journals import SESSION, exchange_id, refused, request, response, typical

from gatekeeper.exchange import Receipt, SessionId
from gatekeeper.journal import Body, Content, Draft, JournalDown, OpenData, RefusedData
from gatekeeper.journal import intake as intake_module
from gatekeeper.journal.draft import encode_draft
from gatekeeper.journal.exchanges import GrammarError
from gatekeeper.journal.files import PLAIN_LIMIT
from gatekeeper.journal.group import Growth
from gatekeeper.journal.intake import ENVELOPE, Intake, check_draft
from gatekeeper.journal.leaf import LEAF_LIMIT

OPEN = OpenData(version="1", config="0" * 64, vkey="", signers="")


LOOP = asyncio.new_event_loop()


@pytest.fixture(scope="module", autouse=True)
def closed_loop() -> Iterator[None]:
    yield
    LOOP.close()


def future() -> asyncio.Future[Receipt]:
    return LOOP.create_future()


class Bytes(bytes):
    """Bytes that say they are more than they are."""

    def __len__(self) -> int:
        return PLAIN_LIMIT + 1


def test_the_size_of_a_draft_is_that_of_its_body() -> None:
    assert check_draft(refused()).size == 0
    assert check_draft(request(1, body=b"12345")).size == 5
    assert check_draft(Draft(data=OPEN, content=Content("text/plain", b"123"))).size == 3


def with_data(**changes: object) -> Draft:
    draft = request(1)
    return msgspec.structs.replace(draft, data=msgspec.structs.replace(draft.data, **changes))


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        (Draft(data=RefusedData(reason="x" * LEAF_LIMIT, subject=None, peer="", target=None, count=1)), "64 KiB"),
        (with_data(url="\ud800"), "surrogate"),
        (msgspec.structs.replace(request(1), session=SessionId("\ud800")), "the id of"),
        (msgspec.structs.replace(request(1), content=Content("\ud800", b"x")), "surrogate"),
        (msgspec.structs.replace(request(1), content=Content("x" * LEAF_LIMIT, b"x")), "64 KiB"),
        (with_data(gen_ai={"tokens": 2**53}), "number"),
        (with_data(gen_ai={"temperature": 0.5}), "float"),
        (with_data(findings={"Ä": 1}), "ASCII"),
        (with_data(body=Body(key="", media="", parts=(), size=0)), "stated by the writer"),
        (msgspec.structs.replace(refused(), content=Content("", b"x"), session=SESSION), "has no body"),
        (msgspec.structs.replace(request(1), session=None), "belongs to a session"),
        (msgspec.structs.replace(request(1), content=Content("", Bytes())), "does not fit"),
    ],
)
def test_what_the_writer_could_not_write_is_refused_before_it_gets_there(draft: Draft, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_draft(draft)


@pytest.mark.parametrize("draft", [*typical(), Draft(data=OPEN)])
def test_the_envelope_is_larger_than_anything_that_is_put_around_the_data(draft: Draft) -> None:
    """What `check_draft` lets pass fits: numbers at their largest, all parts of a body."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from gatekeeper.exchange import Instant, canonical_json
    from gatekeeper.journal.codec import Codec
    from gatekeeper.journal.keys import DataKey, SessionKey
    from gatekeeper.journal.merkle import Frontier

    growth = Growth("origin", Ed25519PrivateKey.generate(), Frontier(2**53 - 2), Instant(2**53 - 1))
    if draft.content is not None:
        draft = msgspec.structs.replace(
            draft, content=Content(draft.content.media, draft.content.data, ((2**50, 2**50),))
        )
    grown = growth.add([encode_draft(draft)], Instant(0), lambda _: SessionKey(DataKey(bytes(32)), Codec([])))
    media = draft.content.media if draft.content is not None else ""
    small = len(canonical_json([draft.data, draft.exchange, draft.session, media]))
    assert len(grown.group.leaves[0][1]) < small + ENVELOPE


def test_what_is_put_is_taken_in_order() -> None:
    intake = Intake()
    drafts = typical()
    for draft in drafts:
        intake.put(draft, future())
    assert [one.draft for one in intake.take(0)] == list(map(encode_draft, drafts))
    assert intake.take(0) == []


def test_what_does_not_follow_is_refused_and_leaves_no_trace() -> None:
    intake = Intake()
    intake.put(request(1), future())
    with pytest.raises(GrammarError, match="out of order"):
        intake.put(typical(2)[5], future())
    intake.put(response(1), future())
    with pytest.raises(GrammarError, match="no open exchange"):
        intake.put(response(1), future())
    assert [one.draft.kind for one in intake.take(0)] == ["request", "response"]


@pytest.mark.parametrize(("limit", "value"), [("MOST_PENDING", 2), ("MOST_BYTES", 30)])
def test_it_is_bounded_in_drafts_and_in_bytes(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(intake_module, limit, value)
    intake = Intake()
    intake.put(request(1), future())
    intake.put(request(2), future())
    with pytest.raises(JournalDown, match="keep up"):
        intake.put(request(3), future())
    assert len(intake.take(0)) == 2
    intake.put(request(3), future())
    assert len(intake.take(0)) == 1


def test_one_large_body_fits_into_an_empty_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MOST_BYTES", 3)
    intake = Intake()
    intake.put(request(1, body=b"12345"), future())
    assert len(intake.take(0)) == 1


def test_closing_ends_what_is_open_even_if_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MOST_PENDING", 2)
    intake = Intake()
    intake.put(request(1), future())
    intake.put(request(2), future())
    last = future()
    intake.close(last)
    assert not intake.drained
    taken = intake.take(None)
    assert [(one.draft.kind, one.draft.exchange) for one in taken] == [
        ("request", exchange_id(1)),
        ("request", exchange_id(2)),
        ("truncated", exchange_id(1)),
        ("truncated", exchange_id(2)),
        ("close", None),
    ]
    assert taken[-1].future is last
    assert intake.drained
    with pytest.raises(JournalDown, match="closed"):
        intake.put(refused(), future())


def test_after_a_failure_nothing_is_taken_and_what_waits_is_given_back() -> None:
    intake = Intake()
    intake.put(refused(), future())
    assert [one.draft for one in intake.fail("the disk is full")] == [encode_draft(refused())]
    with pytest.raises(JournalDown, match="the disk is full"):
        intake.put(refused(), future())


async def taken(intake: Intake, patience: float = 10.0) -> list[bytes]:
    """Take as the writer does, in a thread, and give the data."""
    return [one.draft.raw for one in await asyncio.to_thread(intake.take, patience)]


def numbered(number: int) -> Draft:
    return Draft(data=RefusedData(reason="unauthenticated", subject=None, peer="", target=None, count=number))


def test_a_draft_is_taken_at_once_where_the_loop_is_idle() -> None:
    intake = Intake()

    async def one_at_a_time() -> float:
        began = time.monotonic()
        for number in range(20):
            waiting = asyncio.create_task(taken(intake))
            await asyncio.sleep(0.001)
            intake.put(numbered(number), asyncio.get_running_loop().create_future())
            assert await waiting == [encode_draft(numbered(number)).raw]
        return time.monotonic() - began

    assert asyncio.run(one_at_a_time()) < 5.0


def test_what_one_turn_of_the_loop_brings_is_taken_together() -> None:
    intake = Intake()

    async def at_once() -> list[bytes]:
        waiting = asyncio.create_task(taken(intake))
        await asyncio.sleep(0.05)
        for number in range(5):
            intake.put(numbered(number), asyncio.get_running_loop().create_future())
            time.sleep(0.02)  # noqa: ASYNC251 - the turn is a long one
        return await waiting

    assert asyncio.run(at_once()) == [encode_draft(numbered(number)).raw for number in range(5)]


def test_patience_that_runs_out_gives_what_there_is() -> None:
    intake = Intake()
    assert intake.take(0.01) == []
    intake.put(refused(), future())
    assert len(intake.take(0.01)) == 1


def test_the_end_and_a_poke_wake_it() -> None:
    intake = Intake()
    for wake in (intake.poke, lambda: intake.close(future())):
        timer = threading.Timer(0.05, wake)
        timer.start()
        intake.take(None)
        timer.join()
    assert intake.drained
