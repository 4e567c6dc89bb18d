"""The table of states, in full, and the value that moves through it."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.approvals.lifecycle import (
    CLOCK_SKEW,
    ENDS,
    TRANSITIONS,
    Approval,
    ApprovalId,
    Asked,
    Decision,
    Event,
    State,
    Windows,
)
from gatekeeper.exchange import Digest, ExchangeId, Instant, Seq
from gatekeeper.journal.entries import RequirementData
from gatekeeper.journal.statement import Answer, Scope

EXPECTED = {
    State.PENDING: {
        Event.APPROVE: State.APPROVED,
        Event.DENY: State.DENIED,
        Event.TIME_OUT: State.EXPIRED,
        Event.WITHDRAW: State.WITHDRAWN,
        Event.GRANT: State.GRANTED,
    },
    State.APPROVED: {Event.USE: State.USED, Event.TIME_OUT: State.LAPSED},
    State.DENIED: {},
    State.EXPIRED: {},
    State.USED: {},
    State.LAPSED: {},
    State.WITHDRAWN: {},
    State.GRANTED: {},
}
CREATED, EXPIRES = Instant(1_000), Instant(2_000)
TIMEOUT = EXPIRES - CREATED
WINDOWS = Windows(used=100, denied=300)
REVIEWERS = ("a", "b", "c")
EXCHANGE = ExchangeId("0" * 16)


def an_approval(quorum: int = 1, state: State = State.PENDING) -> Approval:
    asked = Asked(
        digest=Digest("d"),
        iss="i",
        sub="s",
        rule="r",
        require=(RequirementData(REVIEWERS, quorum),),
        excluded=None,
        break_glass=("z",),
        tool=None,
        seen="v",
    )
    return Approval(
        id=ApprovalId("apr-aaaaaaaaaa"), asked=asked, request="leaf", created=CREATED, expires=EXPIRES, state=state
    )


def a_decision(
    reviewer: str = "a", answer: Answer = Answer.APPROVE, signed: int = CREATED, scope: Scope = Scope.ONCE
) -> Decision:
    return Decision(
        reviewer=reviewer,
        answer=answer,
        reason="",
        scope=scope,
        statement="",
        signature="",
        key=reviewer,
        signed=Instant(signed),
        recorded=Instant(signed),
        seq=Seq(1),
    )


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_each_step_is_the_one_of_the_table_or_an_error(state: State, event: Event) -> None:
    approval = an_approval(state=state)
    after = EXPECTED[state].get(event)
    assert TRANSITIONS.get((state, event)) == after
    if after is None:
        with pytest.raises(ValueError, match=f"{state.value} can't {event.value}"):
            approval.moved(event)
    else:
        assert approval.moved(event).state is after


def test_every_state_says_what_it_means_for_a_waiting_call() -> None:
    assert set(ENDS) == set(State)
    assert [state for state, end in ENDS.items() if end is None] == [State.PENDING, State.APPROVED]


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("now", [EXPIRES - 1, EXPIRES, EXPIRES + 1])
def test_time_ends_what_is_pending_or_unused_and_nothing_else(state: State, now: int) -> None:
    over = {State.PENDING: State.EXPIRED, State.APPROVED: State.LAPSED} if now >= EXPIRES else {}
    assert an_approval(state=state).timed(Instant(now)).state is over.get(state, state)


@given(st.lists(st.tuples(st.sampled_from(REVIEWERS), st.sampled_from(Answer)), max_size=5), st.integers(1, 3))
def test_it_is_approved_by_the_quorum_of_distinct_reviewers_and_denied_by_one(
    answers: list[tuple[str, Answer]], quorum: int
) -> None:
    approval, approvers, expected = an_approval(quorum), set[str](), State.PENDING
    for reviewer, answer in answers:
        if expected is not State.PENDING:
            with pytest.raises(ValueError, match="takes no decisions"):
                approval.decided(a_decision(reviewer, answer))
            continue
        approval = approval.decided(a_decision(reviewer, answer))
        approvers |= {reviewer} if answer is Answer.APPROVE else set()
        if answer is Answer.DENY:
            expected = State.DENIED
        elif len(approvers) >= quorum:
            expected = State.APPROVED
        assert (approval.state, approval.approvers()) == (expected, approvers)


def test_all_requirements_must_be_met() -> None:
    asked = msgspec.structs.replace(
        an_approval().asked, require=(RequirementData(("a", "b"), 1), RequirementData(("c",), 1))
    )
    approval = msgspec.structs.replace(an_approval(), asked=asked).decided(a_decision("a")).decided(a_decision("b"))
    assert approval.state is State.PENDING
    assert approval.decided(a_decision("c")).state is State.APPROVED


def test_it_is_used_once_and_keeps_by_whom() -> None:
    used = an_approval().decided(a_decision()).used(EXCHANGE, EXPIRES)
    assert (used.state, used.used_by, used.ended) == (State.USED, EXCHANGE, EXPIRES)
    with pytest.raises(ValueError, match="can't use"):
        used.used(ExchangeId("1" * 16), EXPIRES)


@pytest.mark.parametrize("state", list(State))
def test_bare_forgets_all_decisions_and_spent_remembers_a_use(state: State) -> None:
    approval = msgspec.structs.replace(an_approval(state=state), decisions=(a_decision(),), used_by=EXCHANGE)
    assert approval.bare() == an_approval()
    spent = approval.spent(EXCHANGE, EXPIRES)
    assert (spent.state, spent.used_by, spent.ended) == (State.USED, EXCHANGE, EXPIRES)
    assert spent.spent(EXCHANGE, Instant(EXPIRES + 1)).ended == EXPIRES


@pytest.mark.parametrize(
    ("change", "now", "joins"),
    [
        ({}, CREATED, True),
        ({}, EXPIRES - 1, True),
        ({}, EXPIRES, False),
        ({"expires": EXPIRES + 1}, CREATED, False),
        ({"decisions": (a_decision(signed=CREATED),)}, EXPIRES - 1, True),
        ({"decisions": (a_decision(signed=CREATED - CLOCK_SKEW - 1),)}, EXPIRES, False),
        ({"expires": EXPIRES + 9, "decisions": (a_decision(signed=CREATED - CLOCK_SKEW),)}, EXPIRES + 1, False),
        ({"expires": EXPIRES + 9, "decisions": (a_decision(signed=CREATED - CLOCK_SKEW),)}, EXPIRES, True),
    ],
)
def test_a_call_joins_in_time_and_only_in_time(change: dict[str, object], now: int, joins: bool) -> None:  # noqa: FBT001
    approval = msgspec.structs.replace(an_approval(), **change)
    assert approval.joined_by(an_approval().asked, TIMEOUT, WINDOWS, Instant(now)) is joins


@pytest.mark.parametrize("field", Asked.__struct_fields__)
def test_a_call_that_asks_something_else_does_not_join(field: str) -> None:
    asked = msgspec.structs.replace(an_approval().asked, **{field: "other"})
    assert not an_approval().joined_by(asked, TIMEOUT, WINDOWS, CREATED)


@pytest.mark.parametrize(
    ("state", "window"), [(State.USED, WINDOWS.used), (State.DENIED, WINDOWS.denied), *((s, 0) for s in (
        State.EXPIRED, State.LAPSED, State.WITHDRAWN, State.GRANTED))],
)  # fmt: skip
def test_what_is_over_answers_the_same_call_for_its_window_and_then_no_more(state: State, window: int) -> None:
    ended = Instant(EXPIRES + 50)  # the windows run from the end, whatever was left of the approval's own time
    approval = msgspec.structs.replace(an_approval(state=state), ended=ended)
    joins = [
        approval.joined_by(approval.asked, TIMEOUT, WINDOWS, Instant(ended + after))
        for after in (0, window - 1, window)
    ]
    assert joins == [bool(window), bool(window), False]


def test_who_is_of_two_groups_counts_for_one_of_them() -> None:
    both = (RequirementData(("a", "b"), 1), RequirementData(("a", "c"), 1))
    approval = msgspec.structs.replace(
        an_approval(), asked=msgspec.structs.replace(an_approval().asked, require=both)
    ).decided(a_decision("a"))
    assert approval.state is State.PENDING
    assert approval.decided(a_decision("b")).state is State.APPROVED
    assert approval.decided(a_decision("c")).state is State.APPROVED


def test_one_who_breaks_the_glass_needs_no_quorum_and_stands_alone() -> None:
    approval = an_approval(quorum=2).decided(a_decision("a"))
    broken = approval.decided(a_decision("z", scope=Scope.BREAK_GLASS))
    assert broken.state is State.APPROVED
    assert broken.broken_by() == a_decision("z", scope=Scope.BREAK_GLASS)
    assert approval.broken_by() is None
