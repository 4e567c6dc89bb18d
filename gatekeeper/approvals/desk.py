"""The desk: holds calls, takes decisions, releases what was approved. The shell around lifecycle and admission.

Order is what makes it safe. A hold is durable before anyone can decide; a decision is durable and proven before it
counts; "used" is on the disk before the release is recorded; the release is durable before the caller hears of it.
Whatever fails in between releases nothing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self

from gatekeeper.approvals.case import Case, Waiter
from gatekeeper.approvals.cases import Cases
from gatekeeper.approvals.deciding import Deciding
from gatekeeper.approvals.docket import new_id
from gatekeeper.approvals.gate import Gate
from gatekeeper.approvals.grants import show_grant
from gatekeeper.approvals.history import KEPT, figures
from gatekeeper.approvals.hold import Hold, Refused, Released, asked_of, matter_of, refusal_of
from gatekeeper.approvals.keygen import Keygen, read_revoked, read_signers
from gatekeeper.approvals.ledger import Ledger
from gatekeeper.approvals.lifecycle import Approval, ApprovalId, Asked, End, State, Windows
from gatekeeper.approvals.limits import Limits
from gatekeeper.approvals.notices import Notices
from gatekeeper.approvals.proof import Proof
from gatekeeper.approvals.records import end_data, grant_release_data, hold_data, release_data
from gatekeeper.approvals.showing import show_approval, show_request
from gatekeeper.approvals.store import Store
from gatekeeper.approvals.views import ApprovalDetail, ApprovalView, DecisionOutcome, FiguresView, GrantView
from gatekeeper.config import ApprovalsConfig, Seconds
from gatekeeper.exchange import Instant, Reason
from gatekeeper.journal.draft import JournalDown
from gatekeeper.journal.standing import Standing
from gatekeeper.journal.statement import DecisionRefused, Statement, parse_statement

SECOND: Final = 1_000_000
LOOK_AGAIN: Final = 0.1
"""Seconds after which a desk that shares its store looks for what the others have changed."""


class Desk:
    """Holds calls until reviewers have decided. One event loop, one desk; several may share one `approvals.db`."""

    def __init__(self, cases: Cases, max_held_bytes: int) -> None:
        self._cases = cases
        self._docket = cases.docket
        self._store = cases.store
        self._ledger = cases.ledger
        self._deciding = Deciding(cases, self._tell_ended)
        self._notices: Notices | None = None
        self._timers: dict[ApprovalId, asyncio.TimerHandle] = {}
        self._set_terms(cases.config)
        self._free_bytes = max_held_bytes
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
        standing: Standing,
        *,
        shared: bool = False,
    ) -> Self:
        """Open the desk with the approvals and grants of earlier runs.

        `standing` is what the journal says of them; without it a database that was set back could release twice.
        `shared`: as for `load`. Raises OSError, ValueError or JournalDown with a text for people.
        """
        keygen = Keygen(read_signers(config.reviewers), read_revoked(config.revoked))
        proof = Proof(keygen, origin, config.max_grant)
        desk = cls(Cases(Store(path), ledger, proof, config), max_held_bytes)
        desk._exit.callback(keygen.close)
        try:
            await desk.load(standing, shared=shared)
        except BaseException:
            await desk._exit.aclose()
            raise
        return desk

    async def load(self, standing: Standing, *, shared: bool = False) -> None:
        """Take up what was there before (see `open`). `shared`: other desks work on the same store too.

        What those change is looked for; a grant that was given at another desk counts here from the next start on.
        """
        await self._store.open()
        try:
            await self._cases.load(standing.released, standing.grants)
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
                async with self._terms.among_others():
                    async with case.lock, case.failing():
                        grant = await self._deciding.decide(case, stated, statement.decode(), signature)
                    if grant is not None:
                        await self._deciding.spread(grant)
            except DecisionRefused as error:
                await self.refuse(error, stated, peer)
                raise
        return DecisionOutcome(
            approval=case.approval.id,
            state=case.approval.state.value,
            approved=len(case.approval.approvers()),
            quorum=sum(need.quorum for need in case.approval.asked.require),
            grant=None if grant is None else grant.seq,
        )

    async def revoke(self, seq: int, statement: bytes, signature: str, peer: str = "") -> GrantView:
        """End a grant by a signed statement; as `decide`. Raises LookupError where there is none."""
        grant = self._cases.grants.get(seq)
        if grant is None:
            msg = f"there is no grant {seq} in force"
            raise LookupError(msg)
        stated: Statement | None = None
        with self._working():
            try:
                stated = parse_statement(statement)
                if stated.reviewer not in self._people():
                    msg = f"{stated.reviewer} is of no group of reviewers"
                    raise DecisionRefused(msg, Reason.DECISION_UNQUALIFIED)
                async with self._terms.among_others():
                    await self._deciding.revoke(grant, stated, statement.decode(), signature)
            except DecisionRefused as error:
                await self.refuse(error, stated, peer)
                raise
        uses = await self._store.grant_uses()
        origin = self._cases.proof.origin
        return show_grant(grant, uses.get(grant.seq, 0), origin, self._ledger.now(), revoked=True)

    async def withdraw(self, name: str, by: str, why: str) -> ApprovalView:
        """Take back an approval that is pending; raises LookupError or ValueError with a text for people."""
        case = self._docket.find(name)
        with self._working():
            async with self._terms.among_others(), case.lock:
                await self._deciding.withdraw(case, by, why)
        return self._show(case)

    async def grants(self) -> tuple[GrantView, ...]:
        """Show the grants in force, oldest first."""
        uses = await self._store.grant_uses()
        now, origin = self._ledger.now(), self._cases.proof.origin
        book = self._cases.grants
        return tuple(show_grant(one, uses.get(one.seq, 0), origin, now, revoked=False) for one in book)

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
                self._exit.callback(keygen.close)
                await self._cases.under_new_terms(config, Proof(keygen, self._cases.proof.origin, config.max_grant))
        except BaseException:
            keygen.close()
            raise

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
        before = [one for one in past if one.approval != case.approval.id]
        return show_request(self._show(case), case.matter, stored.view, before)

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
        for timer in self._timers.values():
            timer.cancel()
        if self._notices is not None:
            await self._notices.close()
        self._ledger.close()
        await self._store.close()
        await self._exit.aclose()

    def _set_terms(self, config: ApprovalsConfig) -> None:
        self._config = config
        self._windows = Windows(used=_micros(config.used_window), denied=_micros(config.denied_window))
        self._limits = Limits(config.max_pending, config.max_per_minute)

    async def _hold(self, ask: Hold, gone: asyncio.Event) -> Released | Refused:
        if ask.of == "request" and (released := await self._by_grant(ask)) is not None:
            return released
        asked = asked_of(ask, self._config)
        case = self._docket.joined_by(asked, _micros(ask.rule.timeout), self._windows, self._ledger.now())
        if case is None:
            if (refused := self._too_many(asked)) is not None:
                return refused
            case = self._new_case(ask, asked)
        receipt = await self._ledger.write(hold_data(case.approval, ask.of), ask)
        if ask.of == "response" and (released := await self._by_grant(ask)) is not None:
            return released  # the grammar has the hold of an answer before its release, by a grant too
        waiter = Waiter(ask.exchange, gone)
        async with case.lock:
            if await self._cases.publish(case, ask):
                self._tell_asked(case)
            if case.approval.state is State.APPROVED:
                case.approval = await self._cases.proof.recount(case.approval)
            case.waiters.append(waiter)
            if self._closing:
                waiter.finish(End.SHUT_DOWN)
            await self._cases.settle(case)
        try:
            end = await self._wait(case, waiter, _later(receipt.time, ask.rule.wait))
        finally:
            case.waiters.remove(waiter)
        return await self._finish(ask, case.approval, end)

    def notify_by(self, notices: Notices) -> None:
        """Tell people, from now on, what waits for them and how it ends."""
        self._notices = notices

    def _tell_asked(self, case: Case) -> None:
        if self._notices is not None:
            groups = tuple(dict.fromkeys(group for need in case.matter.needs for group in need.groups))
            self._notices.asked(self._show(case), groups)
            left = max(0, case.approval.expires - self._ledger.now()) / SECOND
            loop = asyncio.get_running_loop()
            self._timers[case.approval.id] = loop.call_later(left, self._tell_expired, case)

    def _tell_expired(self, case: Case) -> None:
        if case.approval.timed(self._ledger.now()).state is State.EXPIRED:
            self._tell_ended(case)

    def _tell_ended(self, case: Case) -> None:
        if (timer := self._timers.pop(case.approval.id, None)) is not None:
            timer.cancel()
        if self._notices is not None:
            self._notices.ended(self._show(case))

    async def _finish(self, ask: Hold, approval: Approval, end: End) -> Released | Refused:
        if end is End.RELEASED:
            receipt = await self._ledger.write(release_data(approval), ask)
            return Released(digest=ask.digest, receipt=receipt, approval=approval.id)
        if end is End.GRANTED and (released := await self._by_grant(ask)) is not None:
            return released
        await self._ledger.write(end_data(end, approval), ask)
        return refusal_of(end, approval.id, approval.used_by)

    async def _by_grant(self, ask: Hold) -> Released | None:
        """Release a call by a grant that covers it, which is counted on the disk before that is recorded."""
        for grant in self._cases.grants.covering(ask):
            if await self._store.use_grant(grant.seq, grant.uses):
                receipt = await self._ledger.write(grant_release_data(ask.digest, grant.seq), ask)
                return Released(digest=ask.digest, receipt=receipt, approval="")
        return None

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
            await self._cases.catch_up({})
            case = self._docket.get(stated.approval)
        if case is None:
            msg = f"there is no approval {stated.approval!r}"
            raise DecisionRefused(msg, Reason.DECISION_MISMATCH)
        if self._closing:
            msg = "the gateway is stopping: decide again when it runs"
            raise DecisionRefused(msg, Reason.SHUTTING_DOWN)
        return case

    async def _watch_others(self) -> None:
        before = 0
        while not self._closing:
            await asyncio.sleep(LOOK_AGAIN)
            with self._working():
                if (touched := await self._store.touched()) != before:
                    before = touched
                    await self._cases.catch_up({})

    def _people(self) -> frozenset[str]:
        groups = (*self._config.groups.values(), *self._config.owners.values())
        return frozenset(person for group in groups for person in group)

    def _show(self, case: Case) -> ApprovalView:
        approval = case.approval.timed(self._ledger.now())
        return show_approval(approval, case.matter, self._cases.proof.origin, len(case.waiters))

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
