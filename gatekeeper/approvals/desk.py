"""The desk: holds calls, takes decisions, releases what was approved. The shell around lifecycle and admission.

Order is what makes it safe. A hold is durable before anyone can decide; a decision is durable and proven before it
counts; "used" is on the disk before the release is recorded; the release is durable before the caller hears of it.
Whatever fails in between releases nothing. Where several desks share one store, each change of an approval is made
on the newest that is stored (`_move`), so between them too one approval releases one exchange.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from gatekeeper.approvals.case import Case, Waiter
from gatekeeper.approvals.docket import Docket, new_id
from gatekeeper.approvals.gate import Gate
from gatekeeper.approvals.history import KEPT, PastDecision, figures
from gatekeeper.approvals.hold import Hold, Refused, Released, asked_now, asked_of, matter_of, refusal_of, view_of
from gatekeeper.approvals.keygen import Keygen, read_revoked, read_signers
from gatekeeper.approvals.ledger import Ledger
from gatekeeper.approvals.lifecycle import OPEN, Approval, Asked, End, State, Windows
from gatekeeper.approvals.limits import Limits
from gatekeeper.approvals.proof import Proof
from gatekeeper.approvals.records import end_data, hold_data, release_data
from gatekeeper.approvals.showing import show_approval, show_request
from gatekeeper.approvals.store import Store
from gatekeeper.approvals.taking_up import taken_up
from gatekeeper.approvals.views import ApprovalDetail, ApprovalView, DecisionOutcome, FiguresView
from gatekeeper.config import ApprovalsConfig, Seconds
from gatekeeper.exchange import ExchangeId, Instant, Reason, Seq
from gatekeeper.journal.draft import JournalDown
from gatekeeper.journal.entries import DecisionData, WithdrawData
from gatekeeper.journal.statement import DecisionRefused, Statement, parse_statement

SECOND: Final = 1_000_000
PEER: Final = "gateway"
"""Who takes back what nobody asked to have taken back."""
LOOK_AGAIN: Final = 0.1
"""Seconds after which a desk that shares its store looks for what the others have changed."""


class Desk:
    """Holds calls until reviewers have decided. One event loop, one desk; several may share one `approvals.db`."""

    def __init__(
        self, store: Store, ledger: Ledger, proof: Proof, config: ApprovalsConfig, max_held_bytes: int
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._proof = proof
        self._set_terms(config)
        self._free_bytes = max_held_bytes
        self._docket = Docket()
        self._seen = 0
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._shared = False
        self._exit = contextlib.AsyncExitStack()
        self._terms = Gate()

    @classmethod
    async def open(
        cls,
        path: Path,
        ledger: Ledger,
        config: ApprovalsConfig,
        origin: str,
        max_held_bytes: int,
        used: Mapping[str, ExchangeId],
        *,
        shared: bool = False,
    ) -> Self:
        """Open the desk with the approvals of earlier runs.

        `used`: approvals that the journal has released already, and by which exchange; without it a database that was
        set back could release twice. `shared`: as for `load`. Raises OSError, ValueError or JournalDown with a text
        for people.
        """
        keygen = Keygen(read_signers(config.reviewers), read_revoked(config.revoked))
        desk = cls(Store(path), ledger, Proof(keygen, origin), config, max_held_bytes)
        desk._exit.callback(keygen.close)
        try:
            await desk.load(used, shared=shared)
        except BaseException:
            await desk._exit.aclose()
            raise
        return desk

    async def load(self, used: Mapping[str, ExchangeId], *, shared: bool = False) -> None:
        """Take up the stored approvals, believing nothing that is stored about decisions (see `open`).

        `shared`: other desks work on the same store; what they change is looked for.
        """
        await self._store.open()
        try:
            await self._catch_up(used)
            await self._store.forget(Instant(self._ledger.now() - KEPT))
        except BaseException:
            await self._store.close()
            raise
        self._shared = shared
        if shared:
            watching = asyncio.get_running_loop().create_task(self._watch_others())
            self._exit.callback(watching.cancel)

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

    async def decide(self, statement: bytes, signature: str, peer: str = "") -> DecisionOutcome:
        """Take a reviewer's signed decision, record it, and wake those it concerns.

        Raises DecisionRefused for one that does not count, which is recorded too, with `peer`, who brought it;
        JournalDown where it can't be recorded.
        """
        stated: Statement | None = None
        with self._working():
            try:
                stated = parse_statement(statement)
                case = await self._case_to_decide(stated)
                async with self._terms.among_others(), case.lock, case.failing():
                    await self._decide(case, stated, statement.decode(), signature)
            except DecisionRefused as error:
                await self.refuse(error, stated, peer)
                raise
        return DecisionOutcome(
            approval=case.approval.id,
            state=case.approval.state.value,
            approved=len(case.approval.approvers()),
            quorum=sum(need.quorum for need in case.approval.asked.require),
        )

    async def reload(self, config: ApprovalsConfig, signers: str, commit: Callable[[], None]) -> None:
        """Go on under other terms, from the moment that `commit` has put them on record.

        No decision is under way meanwhile: each stands before the record of the new keys or is checked against them.
        What was asked on terms that are not in force any more ends; its calls are told to come again. Raises OSError
        for revoked keys that can't be read; all is as before then.
        """
        keygen = Keygen(signers, read_revoked(config.revoked))
        try:
            async with self._terms.alone():
                commit()
                self._set_terms(config)
                self._proof = Proof(keygen, self._proof.origin)
                self._exit.callback(keygen.close)
                await self._under_new_terms()
        except BaseException:
            keygen.close()
            raise

    async def _under_new_terms(self) -> None:
        for case in [*self._docket]:
            async with case.lock:
                if asked_now(case.approval.asked, case.matter, self._config) == case.approval.asked:
                    if case.approval.state in OPEN:
                        case.approval = await self._proof.recount(case.approval)
                        await self._settle(case)
                    continue
                for waiter in case.waiters:
                    waiter.finish(End.TERMS_CHANGED)
                self._docket.remove(case)
                await self._take_back(case.approval)

    async def _take_back(self, approval: Approval) -> None:
        """End an approval on terms that are in force no more: nobody could join it, nothing is released by it."""
        if approval.state in OPEN:
            await self._ledger.write(WithdrawData(approval=approval.id, by=PEER, why="terms changed"))
        await self._store.drop([approval.id])

    async def refuse(self, error: DecisionRefused, stated: Statement | None, peer: str) -> None:
        """Record a decision that does not count; of foreign text only what is known here already."""
        known = stated is not None and self._docket.get(stated.approval) is not None
        approval = stated.approval if known and stated is not None else None
        reviewer = stated.reviewer if stated is not None and stated.reviewer in self._people() else None
        await self._ledger.refuse(error.reason, peer, reviewer, approval)

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
        asked = case.approval.asked
        stored = await self._store.get(case.approval.id)
        past = await self._store.past(Instant(0), asked.iss, asked.sub, asked.rule)
        return show_request(self._show(case), stored.view, [one for one in past if one.approval != case.approval.id])

    async def figures(self) -> tuple[FiguresView, ...]:
        """Say how fast and how uniformly each reviewer has decided of late."""
        return figures(await self._store.past(Instant(self._ledger.now() - KEPT)))

    async def close(self) -> None:
        """Refuse all who wait, wait until that is recorded, and close the database."""
        self._closing = True
        for case in self._docket:
            for waiter in case.waiters:
                waiter.finish(End.SHUT_DOWN)
        await self._idle.wait()
        self._ledger.close()
        await self._store.close()
        await self._exit.aclose()

    def _set_terms(self, config: ApprovalsConfig) -> None:
        self._config = config
        self._windows = Windows(used=_micros(config.used_window), denied=_micros(config.denied_window))
        self._limits = Limits(config.max_pending, config.max_per_minute)

    async def _hold(self, ask: Hold, gone: asyncio.Event) -> Released | Refused:
        asked = asked_of(ask, self._config)
        case = self._docket.joined_by(asked, _micros(ask.rule.timeout), self._windows, self._ledger.now())
        if case is None:
            if (refused := self._too_many(asked)) is not None:
                return refused
            case = self._new_case(ask, asked)
        receipt = await self._ledger.write(hold_data(case.approval), ask)
        waiter = Waiter(ask.exchange, gone)
        async with case.lock:
            await self._publish(case, ask)
            if case.approval.state is State.APPROVED:
                case.approval = await self._proof.recount(case.approval)
            case.waiters.append(waiter)
            if self._closing:
                waiter.finish(End.SHUT_DOWN)
            await self._settle(case)
        try:
            end = await self._wait(case, waiter, _later(receipt.time, ask.rule.wait))
        finally:
            case.waiters.remove(waiter)
        if end is End.RELEASED:
            receipt = await self._ledger.write(release_data(case.approval), ask)
            return Released(digest=ask.digest, receipt=receipt, approval=case.approval.id)
        await self._ledger.write(end_data(end, case.approval), ask)
        return refusal_of(end, case.approval.id, case.approval.used_by)

    def _too_many(self, asked: Asked) -> Refused | None:
        now = self._ledger.now()
        subject = asked.iss, asked.sub
        why = self._limits.refusal(subject, self._docket.pending_of(*subject, now), now)
        if why is None:
            self._limits.opened(subject, now)
            return None
        return Refused(reason=Reason.TOO_MANY_ASKED, approval="", message=f"{why}; nobody was asked, try again later")

    def _new_case(self, ask: Hold, asked: Asked) -> Case:
        now = self._ledger.now()
        approval = Approval(
            id=new_id(), asked=asked, request=ask.request.leaf, created=now, expires=_later(now, ask.rule.timeout)
        )
        case = Case(approval, matter_of(ask))
        self._docket.enter(case)
        return case

    async def _publish(self, case: Case, ask: Hold) -> None:
        """Store the approval and show it to reviewers, once its first hold is durable."""
        if case.version:
            return
        case.version = await self._store.add(case.approval, case.matter, view_of(ask))
        self._docket.publish(case)
        if old := self._docket.remove_old(self._ledger.now()):
            await self._store.drop(old)

    async def _settle(self, case: Case) -> None:
        """Use an approval for one that waits, and wake those whom its state concerns; under the case's lock."""
        case.approval = case.approval.timed(self._ledger.now())
        while (winner := case.choose()) is not None:
            used = case.approval.used(winner.exchange, self._ledger.now())
            try:
                if await self._swap(case, used):
                    winner.finish(End.RELEASED)
            except JournalDown as error:
                winner.fail(error)
                raise
            finally:
                winner.chosen = False
        case.wake()

    async def _swap(self, case: Case, after: Approval) -> bool:
        """Make a change durable; where another desk was first, take up what that has stored instead."""
        version = await self._store.swap(after, case.version)
        if version is None:
            stored = await self._store.get(case.approval.id)
            case.approval, case.version = (
                await self._proof.believed(stored.approval, self._ledger.now()),
                stored.version,
            )
            return False
        case.approval, case.version = after, version
        return True

    async def _wait(self, case: Case, waiter: Waiter, patience: Instant) -> End:
        until = min(patience, case.approval.expires)
        gone = asyncio.ensure_future(waiter.gone.wait())
        try:
            left = max(0, until - self._ledger.now()) / SECOND
            await asyncio.wait((waiter.end, gone), timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
        if waiter.chosen:
            async with case.lock:  # whether the approval is its is being written down
                pass
        if waiter.end.done():
            return waiter.end.result()
        if waiter.gone.is_set():
            return End.CLIENT_GONE
        return End.WAIT_OVER if until < case.approval.expires else End.EXPIRED

    async def _case_to_decide(self, stated: Statement) -> Case:
        case = self._docket.get(stated.approval)
        if case is None and self._shared:
            await self._catch_up({})
            case = self._docket.get(stated.approval)
        if case is None:
            msg = f"there is no approval {stated.approval!r}"
            raise DecisionRefused(msg, Reason.DECISION_MISMATCH)
        if self._closing:
            msg = "the gateway is stopping: decide again when it runs"
            raise DecisionRefused(msg, Reason.SHUTTING_DOWN)
        return case

    async def _decide(self, case: Case, stated: Statement, statement: str, signature: str) -> None:
        first = await self._proof.decision(case.approval, statement, signature, self._ledger.now(), Seq(0))
        data = DecisionData(
            approval=stated.approval, reviewer=stated.reviewer, statement=statement, signature=signature
        )
        receipt = await self._ledger.write(data)
        while not await self._swap(case, await self._proof.counted(case.approval, first, receipt)):
            pass  # another desk has changed it: the decision is counted on that, if it still can be
        await self._settle(case)
        await self._remember(case.approval, stated, receipt.time)

    async def _remember(self, approval: Approval, stated: Statement, at: Instant) -> None:
        asked = approval.asked
        await self._store.remember(
            PastDecision(
                approval=approval.id,
                iss=asked.iss,
                sub=asked.sub,
                rule=asked.rule,
                reviewer=stated.reviewer,
                verdict=stated.verdict.value,
                scope=stated.scope.value,
                reason=stated.reason,
                asked=approval.created,
                decided=at,
            )
        )

    async def _watch_others(self) -> None:
        before = 0
        while not self._closing:
            await asyncio.sleep(LOOK_AGAIN)
            with self._working():
                if (touched := await self._store.touched()) != before:
                    before = touched
                    await self._catch_up({})

    async def _catch_up(self, used: Mapping[str, ExchangeId]) -> None:
        """Take up what stands in the store and was not seen yet, and wake those it concerns."""
        for stored in await self._store.changed(self._seen):
            self._seen = stored.version
            case = self._docket.get(stored.approval.id)
            if case is not None and case.version >= stored.version:
                continue
            approval = await taken_up(stored, used, self._config, self._proof, self._ledger.now())
            if approval is None:
                await self._take_back(stored.approval)
                continue
            if case is None:
                case = Case(approval, stored.matter, version=stored.version)
                self._docket.enter(case)
                self._docket.publish(case)
                continue
            async with case.lock:
                if case.version < stored.version:
                    case.approval, case.version = approval, stored.version
                    await self._settle(case)

    def _people(self) -> frozenset[str]:
        groups = (*self._config.groups.values(), *self._config.owners.values())
        return frozenset(person for group in groups for person in group)

    def _show(self, case: Case) -> ApprovalView:
        approval = case.approval.timed(self._ledger.now())
        return show_approval(approval, case.matter, self._proof.origin, len(case.waiters))

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


def _micros(seconds: Seconds) -> int:
    return round(seconds * SECOND)


def _later(start: Instant, seconds: Seconds) -> Instant:
    return Instant(start + _micros(seconds))
