"""A journal with a story in it, for what shows journals: a stream, a call held and released beside it, a denial."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import msgspec
from journals import ORIGIN, SESSION, chunk, error, exchange_id, request, response
from reviewing import ALICE, SigningKey, allowed_signers

from gatekeeper.exchange import Digest, Instant, SessionId
from gatekeeper.journal import (
    Content,
    Data,
    DecisionData,
    Draft,
    HoldData,
    Journal,
    Opening,
    ReleaseData,
    RequirementData,
    VerdictData,
)
from gatekeeper.journal.statement import Answer, Scope, Statement, statement_bytes

OTHER_SESSION = SessionId("0f" * 16)
BEGINNING = 1_800_000_000_000_000
STEP = 10_000
APPROVAL = "a1b2c3"
DIGEST = Digest("d" * 64)
HOSTILE = b"fine\x1b[2J\xe2\x80\xaeevil"
"""Clears a terminal, and turns what follows around."""


def ticking() -> Callable[[], Instant]:
    """A clock that goes on by ten milliseconds each time it is read."""
    ticks = itertools.count(BEGINNING, STEP)
    return lambda: Instant(next(ticks))


def changed(draft: Draft, content: Content | None = None, **data: object) -> Draft:
    new = msgspec.structs.replace(draft.data, **data)
    return msgspec.structs.replace(draft, data=new, content=content or draft.content)


def denied(number: int) -> list[Draft]:
    asked = changed(request(number), verdict=VerdictData(action="deny", rule=None, reasons=("no rule matches",)))
    answer = changed(response(number, by="gateway"), status=403, reason="no-rule")
    return [asked, answer]


def in_session(draft: Draft, session: SessionId) -> Draft:
    return msgspec.structs.replace(draft, session=session)


async def _write(folder: Path) -> None:
    key = SigningKey.make(folder, ALICE)
    opening = Opening(version="test", config_text="[proxy]\n", signers=allowed_signers({ALICE: key}))
    journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, opening, ticking())
    # 1: a stream
    await journal.submit(changed(request(1), findings={"CREDIT_CARD": 1}))
    await journal.submit(chunk(1, 0))
    # 2 and 3: held beside it, and denied
    held = changed(request(2), digest=DIGEST, verdict=VerdictData(action="hold", rule="refunds", reasons=("x",)))
    receipt = await journal.submit(held)
    await journal.submit(of_exchange(2, hold(receipt.time)))
    for draft in denied(3):
        await journal.submit(draft)
    await journal.submit(chunk(1, 1))
    await journal.submit(changed(response(1, chunks=2), findings={"EMAIL_ADDRESS": 2}))
    decision = await journal.submit(Draft(data=_decision(key, receipt.leaf)))
    await journal.submit(of_exchange(2, ReleaseData(digest=DIGEST, approval=APPROVAL, decisions=(decision.seq,))))
    await journal.submit(changed(response(2), content=Content("text/plain", HOSTILE)))
    # another session
    await journal.submit(in_session(request(4), OTHER_SESSION))
    await journal.submit(in_session(error(4), OTHER_SESSION))
    await journal.close()


def of_exchange(number: int, data: Data) -> Draft:
    return Draft(data=data, exchange=exchange_id(number), session=SESSION)


def hold(time: int) -> HoldData:
    return HoldData(
        approval=APPROVAL,
        of="request",
        rule="refunds",
        require=(RequirementData(reviewers=(ALICE,), quorum=1),),
        excluded=None,
        expires=time + 3_600_000_000,
        digest=DIGEST,
    )


def _decision(key: SigningKey, leaf: str) -> DecisionData:
    statement = statement_bytes(
        Statement(
            approval=APPROVAL,
            digest=DIGEST,
            origin=ORIGIN,
            reason="the box is back",
            request=leaf,
            reviewer=ALICE,
            scope=Scope.ONCE,
            time=Instant(BEGINNING),
            v=1,
            verdict=Answer.APPROVE,
        )
    )
    return DecisionData(approval=APPROVAL, reviewer=ALICE, statement=statement.decode(), signature=key.sign(statement))


def write_story(folder: Path) -> None:
    """Write the journal to `folder/journal`, its keys to `folder/keys`."""
    asyncio.run(_write(folder))
