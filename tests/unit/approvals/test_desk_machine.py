"""Clients, retries, decisions, forgeries, expiry, a failing journal, restarts, a database set back, and two workers
over one database: in any order.

The model is the journal alone: whatever happened, it must show at most one release for an approval, and none
without the genuine decisions of its quorum before it.
"""

import asyncio
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, override

import pytest
from examples import examples
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from reviewing import ALICE, BOB, CAROL, LARGE, ORIGIN, Recording, a_hold, a_rule, config_for, statement_on

from gatekeeper.approvals import ApprovalView, DecisionRefused, Desk, Refused, Released
from gatekeeper.approvals.cases import Cases
from gatekeeper.approvals.ledger import Ledger
from gatekeeper.approvals.proof import Proof
from gatekeeper.approvals.store import Store
from gatekeeper.config import Seconds
from gatekeeper.exchange import ExchangeId, Instant
from gatekeeper.journal.draft import JournalDown
from gatekeeper.journal.entries import AbandonData, DecisionData, DenyData, ExpireData, HoldData, ReleaseData
from gatekeeper.journal.standing import Standing
from gatekeeper.journal.statement import Answer, parse_statement

BEGIN: Final = 1_800_000_000
RULE: Final = a_rule(wait=Seconds(30), timeout=Seconds(120), quorum=2)
ENDS: Final = (ReleaseData, DenyData, ExpireData, AbandonData)
WORKERS: Final = st.integers(0, 1)
PICKS: Final = st.integers(0, 999)
"""Which one, of so many as there are."""
ROUNDS: Final = 64
"""More than any task of a step has to wait for another that is ready to run."""


class OwnTime(asyncio.SelectorEventLoop):
    """An event loop in which nothing depends on the machine: time is what tests set, and threads are tasks.

    What is given to a thread begins after a number of rounds that `order` draws, in the order of the calls, and is
    done at once. So every interleaving of two databases' threads may come, and comes again in a replay.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.order = random.Random(0)  # noqa: S311 - an order, not a secret
        self._last: dict[object, asyncio.Task[object]] = {}

    @override
    def time(self) -> float:
        return self.now

    @override
    def run_in_executor[*Args, T](
        self, executor: object, func: Callable[[*Args], T], *args: *Args
    ) -> "asyncio.Task[T]":
        task = self._last[executor] = self.create_task(self._run(self._last.get(executor), partial(func, *args)))
        return task

    async def idle(self) -> None:
        """Wait until no thread has anything to do, and no task that waited for one."""
        rounds = 0
        while rounds < ROUNDS:
            rounds = 0 if any(not task.done() for task in self._last.values()) else rounds + 1
            await asyncio.sleep(0)

    async def _run[T](self, before: "asyncio.Task[object] | None", work: Callable[[], T]) -> T:
        if before is not None:
            await asyncio.wait([before])
        for _ in range(self.order.randrange(4)):
            await asyncio.sleep(0)
        return work()


async def good_by_name(statement: str, signature: str, reviewer: str, _at: Instant) -> str:
    """Stand for ssh-keygen: a signature is genuine if it says whose it is, and over what."""
    if signature != f"{reviewer}: {statement}":
        msg = "not genuine"
        raise DecisionRefused(msg)
    return reviewer.encode().hex()


class DeskMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = OwnTime()
        self.path = Path(self.folder.name) / "approvals.db"
        self.config = config_for(Path(self.folder.name), "")
        self.recording = Recording(clock=self.clock)
        self.calls: dict[ExchangeId, asyncio.Task[Released | Refused]] = {}
        self.gone: dict[ExchangeId, asyncio.Event] = {}
        self.outcomes: dict[ExchangeId, Released | Refused] = {}
        self.copies: list[bytes] = []
        self.desks: list[Desk] = []

    def clock(self) -> Instant:
        return Instant(round((BEGIN + self.loop.time()) * 1_000_000))

    @initialize(seed=st.integers(0, 999))
    def open(self, seed: int) -> None:
        self.loop.order.seed(seed)
        self.loop.run_until_complete(self._open())

    @rule(worker=WORKERS, matter=st.integers(0, 1), together=st.integers(1, 3))
    def call(self, worker: int, matter: int, together: int) -> None:
        self._do(self._call(worker, matter, together))

    @rule(pick=PICKS)
    def leave(self, pick: int) -> None:
        if waiting := [id_ for id_, call in self.calls.items() if not call.done()]:
            self.gone[waiting[pick % len(waiting)]].set()
            self._do(asyncio.sleep(0))

    @rule(worker=WORKERS)
    def look_at_what_the_other_worker_did(self, worker: int) -> None:
        self._do(self.desks[worker]._cases.catch_up({}))
        self._nobody_waits_for_what_is_settled(worker)

    @rule(
        worker=WORKERS,
        pick=PICKS,
        reviewer=st.sampled_from([ALICE, BOB, CAROL]),
        answer=st.sampled_from([Answer.APPROVE, Answer.APPROVE, Answer.APPROVE, Answer.DENY]),
        genuine=st.sampled_from([True, True, False]),
    )
    def decide(self, worker: int, pick: int, reviewer: str, answer: Answer, *, genuine: bool) -> None:
        if views := self._views():
            view = views[pick % len(views)]
            statement = statement_on(view, reviewer, answer, time=self.clock())
            self._do(self._decide(worker, statement, f"{reviewer if genuine else 'mallory'}: {statement.decode()}"))

    @rule(pick=PICKS, matter=st.integers(0, 1))
    def approve_while_the_same_is_called(self, pick: int, matter: int) -> None:
        async def all_at_once(statements: list[bytes]) -> None:
            signed = [(text, f"{parse_statement(text).reviewer}: {text.decode()}") for text in statements]
            decisions = [self._decide(worker, *one) for worker, one in enumerate(signed)]
            await asyncio.gather(*decisions, self._call(0, matter, 1), self._call(1, matter, 1))

        if views := [view for view in self._views() if view.state == "pending"]:
            view = views[pick % len(views)]
            self._do(all_at_once([statement_on(view, name, time=self.clock()) for name in (ALICE, BOB)]))

    @rule(pick=PICKS)
    def replay_a_decision(self, pick: int) -> None:
        if decisions := self.recording.of(DecisionData):
            old = decisions[pick % len(decisions)]
            for worker in range(len(self.desks)):
                self._do(self._decide(worker, old.statement.encode(), old.signature))

    @rule(seconds=st.sampled_from([1, 31, 121]))
    def wait(self, seconds: int) -> None:
        self.loop.now += seconds
        self._do(asyncio.sleep(0))

    @rule(good=st.integers(0, 4))
    def fail_one_entry(self, good: int) -> None:
        """Let the journal fail once, after some entries that are still good."""
        left = iter([False] * good + [True])
        self.recording.down_for = lambda _data: next(left, False)

    @rule()
    def restart(self) -> None:
        for desk in self.desks:
            self._do(desk.close())
        self.copies.append(self.path.read_bytes())
        self.loop.run_until_complete(self._open())

    @rule()
    def crash(self) -> None:
        self.loop.run_until_complete(self._crash())
        self.loop.run_until_complete(self._open())

    @rule(pick=PICKS)
    def crash_and_set_the_database_back(self, pick: int) -> None:
        if self.copies:
            self.loop.run_until_complete(self._crash())
            self.path.write_bytes(self.copies[pick % len(self.copies)])
            self.loop.run_until_complete(self._open())

    @invariant()
    def no_approval_releases_twice(self) -> None:
        released = [data.approval for data in self.recording.of(ReleaseData)]
        assert len(released) == len(set(released))

    @invariant()
    def no_release_is_without_its_quorum(self) -> None:
        for place, draft in enumerate(self.recording.drafts):
            if isinstance(draft.data, ReleaseData):
                self._check_release(place, draft.data)

    @invariant()
    def no_release_is_later_than_its_approval_lived(self) -> None:
        expiry = {hold.approval: hold.expires for hold in self.recording.of(HoldData)}
        for time, draft in zip(self.recording.times, self.recording.drafts, strict=True):
            if isinstance(draft.data, ReleaseData):
                assert time <= expiry[draft.data.approval]

    @invariant()
    def each_hold_ends_once_and_after_it_began(self) -> None:
        ended: set[ExchangeId] = set()
        begun: set[ExchangeId] = set()
        for draft in self.recording.drafts:
            if isinstance(draft.data, HoldData):
                assert draft.exchange is not None
                begun.add(draft.exchange)
            elif isinstance(draft.data, ENDS):
                assert draft.exchange in begun - ended
                ended.add(draft.exchange)

    @invariant()
    def who_was_released_has_a_durable_entry_that_says_so(self) -> None:
        for exchange, outcome in self.outcomes.items():
            if isinstance(outcome, Released):
                draft = self.recording.drafts[outcome.receipt.seq]
                assert isinstance(draft.data, ReleaseData)
                assert (draft.exchange, draft.data.digest, draft.data.approval) == (
                    exchange,
                    outcome.digest,
                    outcome.approval,
                )

    @override
    def teardown(self) -> None:
        if self.desks:
            self.loop.now += 31
            self._do(asyncio.sleep(0))
            assert all(call.done() for call in self.calls.values())
            for desk in self.desks:
                self._do(desk.close())
        self.loop.close()
        self.folder.cleanup()

    def _check_release(self, place: int, release: ReleaseData) -> None:
        decisions = [self.recording.drafts[seq].data for seq in release.decisions]
        assert all(seq < place for seq in release.decisions)
        approvers = set()
        for decision in decisions:
            assert isinstance(decision, DecisionData)
            statement = parse_statement(decision.statement.encode())
            assert statement.verdict is Answer.APPROVE
            assert (statement.approval, statement.digest) == (release.approval, release.digest)
            assert decision.signature == f"{statement.reviewer}: {decision.statement}"
            approvers.add(statement.reviewer)
        assert approvers <= {ALICE, BOB}
        assert len(approvers) == RULE.quorum

    def _do(self, step: "asyncio.Future[None] | object") -> None:
        async def run() -> None:
            await step  # type: ignore[misc]
            await self.loop.idle()

        self.loop.run_until_complete(run())
        self.outcomes |= {id_: call.result() for id_, call in self.calls.items() if call.done()}

    async def _open(self) -> None:
        used = {
            draft.data.approval: draft.exchange
            for draft in self.recording.drafts
            if isinstance(draft.data, ReleaseData) and draft.exchange is not None
        }
        proof = Proof(good_by_name, ORIGIN, self.config.max_grant)
        ledgers = [Ledger(self.recording, self.clock) for _ in range(2)]
        self.desks = [Desk(Cases(Store(self.path), ledger, proof, self.config), LARGE) for ledger in ledgers]
        for desk in self.desks:
            await desk.load(Standing(used))
            desk._shared = True  # what the other did is looked for when a step says so

    def _views(self) -> list[ApprovalView]:
        return list({view.id: view for desk in self.desks for view in desk.list()}.values())

    def _nobody_waits_for_what_is_settled(self, worker: int) -> None:
        views = self.desks[worker].list()
        assert all(view.waiting == 0 for view in views if view.state not in {"pending", "expired"})

    async def _call(self, worker: int, matter: int, together: int) -> None:
        for _ in range(together):
            ask = a_hold(len(self.calls), f"matter {matter}", rule=RULE)
            gone = self.gone[ask.exchange] = asyncio.Event()
            self.calls[ask.exchange] = asyncio.get_running_loop().create_task(self.desks[worker].hold(ask, gone))

    async def _decide(self, worker: int, statement: bytes, signature: str) -> None:
        try:
            await self.desks[worker].decide(statement, signature)
        except (DecisionRefused, JournalDown):
            return

    async def _crash(self) -> None:
        """End as a killed process does: nobody is answered, what is on the disk stays."""
        running = {id_: call for id_, call in self.calls.items() if not call.done()}
        for call in running.values():
            call.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)
        self.calls = {id_: call for id_, call in self.calls.items() if id_ not in running}
        self.calls |= {id_: _ended() for id_ in running}
        for desk in self.desks:
            await desk._store.close()


def _ended() -> "asyncio.Task[Released | Refused]":
    future: asyncio.Future[Released | Refused] = asyncio.get_running_loop().create_future()
    future.set_result(Refused(reason=None, approval="", message=""))  # type: ignore[arg-type]
    return future  # type: ignore[return-value]


def walked(max_examples: int) -> int:
    """Run the machine so often; gives how many steps that were."""

    class Machine(DeskMachine):
        steps = 0

        @invariant()
        def count(self) -> None:
            Machine.steps += 1

    walk = settings(examples(max_examples), stateful_step_count=40, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Machine, settings=walk)
    return Machine.steps


def test_no_order_of_events_releases_twice_or_without_a_quorum() -> None:
    walked(40)


@pytest.mark.slow
def test_nor_do_ten_thousand_steps() -> None:
    assert walked(300) >= 10_000
