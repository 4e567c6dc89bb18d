"""The desk: holds calls, takes decisions, releases what was approved. The shell around lifecycle and admission.

Order is what makes it safe. A hold is durable before anyone can decide; a decision is durable and proven before it
counts; "used" is on the disk before the release is recorded; the release is durable before the caller hears of it.
Whatever fails in between releases nothing.
"""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Self

import msgspec

from gatekeeper.approvals.case import Case, Waiter
from gatekeeper.approvals.docket import PREFIX, Docket
from gatekeeper.approvals.gate import Gate
from gatekeeper.approvals.hold import (
    Hold,
    Matter,
    Refused,
    Released,
    asked_of,
    matter_of,
    refusal_of,
    required,
    seen_hash,
    view_of,
)
from gatekeeper.approvals.keygen import Keygen, read_signers
from gatekeeper.approvals.lifecycle import Approval, ApprovalId, Asked, End, State
from gatekeeper.approvals.proof import Proof
from gatekeeper.approvals.records import end_data, hold_data, release_data
from gatekeeper.approvals.showing import show_approval, show_request
from gatekeeper.approvals.store import Store, Stored
from gatekeeper.approvals.views import ApprovalDetail, ApprovalView, DecisionOutcome
from gatekeeper.config import ApprovalsConfig, Seconds
from gatekeeper.exchange import Clock, ExchangeId, Instant, Reason, Receipt, Seq
from gatekeeper.journal.draft import Draft, JournalDown, Recorder
from gatekeeper.journal.entries import Data, DecisionData
from gatekeeper.journal.statement import DecisionRefused, Statement, parse_statement

SECOND: Final = 1_000_000


class Desk:
    """Holds calls until reviewers have decided. One event loop, one desk, one `approvals.db`."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        proof: Proof,
        config: ApprovalsConfig,
        clock: Clock,
        max_held_bytes: int,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._proof = proof
        self._config = config
        self._clock = clock
        self._latest = Instant(0)
        self._free_bytes = max_held_bytes
        self._docket = Docket()
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._exit = contextlib.ExitStack()
        self._terms = Gate()

    @classmethod
    async def open(
        cls,
        path: Path,
        recorder: Recorder,
        config: ApprovalsConfig,
        origin: str,
        clock: Clock,
        max_held_bytes: int,
        used: Mapping[str, ExchangeId],
    ) -> Self:
        """Open the desk with the approvals of earlier runs.

        `used`: approvals that the journal has released already, and by which exchange; without it a database that was
        set back could release twice. Raises OSError, ValueError or JournalDown with a text for people.
        """
        keygen = Keygen(read_signers(config.reviewers))
        desk = cls(Store(path), recorder, Proof(keygen, origin), config, clock, max_held_bytes)
        desk._exit.callback(keygen.close)
        try:
            await desk.load(used)
        except BaseException:
            desk._exit.close()
            raise
        return desk

    async def load(self, used: Mapping[str, ExchangeId]) -> None:
        """Take up the stored approvals, believing nothing that is stored about decisions (see `open`)."""
        await self._store.open()
        try:
            rows = await self._store.load()
        except BaseException:
            await self._store.close()
            raise
        for stored in sorted(rows, key=lambda row: row.approval.created):
            approval = await self._taken_up(stored, used)
            if approval is None:
                await self._store.drop([stored.approval.id])
                continue
            case = Case(approval, stored.matter, stored=True)
            self._docket.enter(case)
            self._docket.publish(case)

    async def hold(self, ask: Hold, gone: asyncio.Event) -> Released | Refused:
        """Hold an exchange until it is released or refused; either is durable when this returns.

        `gone` is set when the client left. Where the journal is down nothing can be recorded, and nothing is released.
        """
        size = len(ask.view.body) + len(ask.view.url)
        if self._closing:
            return Refused(reason=Reason.SHUTTING_DOWN, approval="", message="the gateway is stopping; try again later")
        if size > self._free_bytes:
            text = "too many calls wait for reviewers (proxy.max_held); try again later"
            return Refused(reason=Reason.TOO_MANY_HELD, approval="", message=text)
        self._free_bytes -= size
        try:
            with self._working():
                return await self._hold(ask, gone)
        except JournalDown:
            text = "the journal can't record, and nothing passes unrecorded; tell those who run the gateway"
            return Refused(reason=Reason.JOURNAL_DOWN, approval="", message=text)
        finally:
            self._free_bytes += size

    async def decide(self, statement: bytes, signature: str) -> DecisionOutcome:
        """Take a reviewer's signed decision, record it, and wake those it concerns.

        Raises DecisionRefused for one that does not count, JournalDown where it can't be recorded.
        """
        stated = parse_statement(statement)
        case = self._docket.get(stated.approval)
        if case is None:
            msg = f"there is no approval {stated.approval!r}"
            raise DecisionRefused(msg)
        if self._closing:
            msg = "the gateway is stopping: decide again when it runs"
            raise DecisionRefused(msg)
        with self._working():
            async with self._terms.among_others(), case.lock:
                await self._decide(case, stated, statement.decode(), signature)
        approval = case.approval
        return DecisionOutcome(
            approval=approval.id,
            state=approval.state.value,
            approved=len(approval.approvers()),
            quorum=case.matter.quorum,
        )

    async def reload(self, config: ApprovalsConfig, signers: str, commit: Callable[[], None]) -> None:
        """Go on under other terms, from the moment that `commit` has put them on record.

        No decision is under way meanwhile: each stands before the record of the new keys or is checked against them.
        What was asked on terms that are not in force any more ends; its calls are told to come again.
        """
        keygen = Keygen(signers)
        try:
            async with self._terms.alone():
                commit()
                self._config, self._proof = config, Proof(keygen, self._proof.origin)
                self._exit.callback(keygen.close)
                await self._under_new_terms()
        except BaseException:
            keygen.close()
            raise

    async def _under_new_terms(self) -> None:
        for case in [*self._docket]:
            async with case.lock:
                asked = self._asked_now(case.approval.asked, case.matter)
                if asked == case.approval.asked:
                    if case.approval.state in {State.PENDING, State.APPROVED}:
                        case.approval = await self._proof.recount(case.approval)
                        case.settle(self._now())
                    continue
                for waiter in case.waiters:
                    waiter.finish(End.TERMS_CHANGED)
                self._docket.remove(case)
                await self._store.drop([case.approval.id])

    def _asked_now(self, asked: Asked, matter: Matter) -> Asked:
        return msgspec.structs.replace(
            asked,
            require=required(matter.reviewers, matter.quorum, self._config),
            excluded=self._config.owners.get(asked.sub),
        )

    @property
    def held(self) -> int:
        """How many calls are held now."""
        return sum(len(case.waiters) for case in self._docket)

    def pending(self) -> tuple[ApprovalView, ...]:
        """Show the approvals that wait for reviewers, oldest first."""
        return tuple(view for view in self.list() if view.state == State.PENDING.value)

    def list(self) -> tuple[ApprovalView, ...]:
        """Show all approvals that are not long over, oldest first."""
        return tuple(self._show(case) for case in self._docket)

    async def get(self, name: str) -> ApprovalDetail:
        """Show one approval with its masked request; `name` may be the unique beginning of its id.

        Raises LookupError, whose text is for people.
        """
        if self._closing:
            msg = "the gateway is stopping"
            raise LookupError(msg)
        case = self._docket.find(name)
        view = await self._store.view(case.approval.id)
        return show_request(self._show(case), view)

    async def close(self) -> None:
        """Refuse all who wait, wait until that is recorded, and close the database."""
        self._closing = True
        for case in self._docket:
            for waiter in case.waiters:
                waiter.finish(End.SHUT_DOWN)
        await self._idle.wait()
        await self._store.close()
        self._exit.close()

    async def _hold(self, ask: Hold, gone: asyncio.Event) -> Released | Refused:
        asked = asked_of(ask, self._config)
        case = self._case(ask, asked)
        receipt = await self._record(ask, hold_data(case.approval))
        waiter = Waiter(ask.exchange, gone)
        async with case.lock:
            await self._publish(case, ask)
            if case.approval.state is State.APPROVED:
                case.approval = await self._proof.recount(case.approval)
            case.waiters.append(waiter)
            if self._closing:
                waiter.finish(End.SHUT_DOWN)
            case.settle(self._now())
        try:
            end = await self._wait(case, waiter, _later(receipt.time, ask.rule.wait))
        finally:
            case.waiters.remove(waiter)
        return await self._finish(ask, case.approval, end)

    def _case(self, ask: Hold, asked: Asked) -> Case:
        now, timeout = self._now(), round(ask.rule.timeout * SECOND)
        case = self._docket.joined_by(asked, timeout, now)
        if case is None:
            approval = Approval(
                id=_new_id(), asked=asked, request=ask.request.leaf, created=now, expires=_later(now, ask.rule.timeout)
            )
            case = Case(approval, matter_of(ask))
            self._docket.enter(case)
        return case

    async def _publish(self, case: Case, ask: Hold) -> None:
        """Store the approval and show it to reviewers, once its first hold is durable."""
        if case.stored:
            return
        await self._store.add(case.approval, case.matter, view_of(ask))
        case.stored = True
        self._docket.publish(case)
        if old := self._docket.remove_old(self._now()):
            await self._store.drop(old)

    async def _wait(self, case: Case, waiter: Waiter, patience: Instant) -> End:
        until = min(patience, case.approval.expires)
        gone = asyncio.ensure_future(waiter.gone.wait())
        try:
            left = max(0, until - self._now()) / SECOND
            await asyncio.wait((waiter.end, gone), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if waiter.end.done():
            return waiter.end.result()
        if waiter.gone.is_set():
            return End.CLIENT_GONE
        return End.WAIT_OVER if until < case.approval.expires else End.EXPIRED

    async def _finish(self, ask: Hold, approval: Approval, end: End) -> Released | Refused:
        if end is End.RELEASED:
            await self._store.save(approval)
            receipt = await self._record(ask, release_data(approval))
            return Released(digest=ask.digest, receipt=receipt, approval=approval.id)
        await self._record(ask, end_data(end, approval))
        return refusal_of(end, approval.id, approval.used_by)

    async def _decide(self, case: Case, stated: Statement, statement: str, signature: str) -> None:
        first = await self._proof.decision(case.approval, statement, signature, self._now(), Seq(0))
        data = DecisionData(
            approval=stated.approval, reviewer=stated.reviewer, statement=statement, signature=signature
        )
        receipt = await self._submit(Draft(data))
        case.approval = await self._proof.counted(case.approval, first, receipt)
        case.settle(self._now())
        await self._store.save(case.approval)

    async def _record(self, ask: Hold, data: Data) -> Receipt:
        return await self._submit(Draft(data, exchange=ask.exchange, session=ask.session))

    async def _submit(self, draft: Draft) -> Receipt:
        receipt = await self._recorder.submit(draft)
        self._latest = max(self._latest, receipt.time)
        return receipt

    async def _taken_up(self, stored: Stored, used: Mapping[str, ExchangeId]) -> Approval | None:
        """Give a stored approval as far as it can be proven; None if it is on other terms than those in force.

        Nobody could join it then, and a decision on terms that its hold doesn't state would be no evidence.
        """
        matter, approval = stored.matter, stored.approval
        asked = msgspec.structs.replace(self._asked_now(approval.asked, matter), seen=seen_hash(matter, stored.view))
        if approval.asked != asked:
            return None
        user = used.get(approval.id, approval.used_by)
        return approval.spent(user) if user is not None else await self._proof.recount(approval)

    def _show(self, case: Case) -> ApprovalView:
        approval = case.approval.timed(self._now())
        return show_approval(approval, case.matter, self._proof.origin, len(case.waiters))

    def _now(self) -> Instant:
        # A clock that was set back must not make an approval live longer; the journal's time never goes back either.
        self._latest = max(self._latest, self._clock())
        return self._latest

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        self._busy += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()


def _later(start: Instant, seconds: Seconds) -> Instant:
    return Instant(start + round(seconds * SECOND))


def _new_id() -> ApprovalId:
    """Draw an id: 50 random bits, short enough to type, unique in one journal."""
    return ApprovalId(PREFIX + base64.b32encode(secrets.token_bytes(7)).decode()[:10].lower())
