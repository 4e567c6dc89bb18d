"""Who is locked out, and that the journal's entries alone say so."""

from typing import Any

import pytest
from forgery import INSTANT
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.exchange import Instant, Party, Reason, Subject
from gatekeeper.identity import Held, IdentityError, Lock, LockKind, Locks, lock_data, make_lock
from gatekeeper.journal import AdminData, AdminEvent

ONE, TWO = "https://one.example", "https://two.example"
SUBJECT = Subject(
    iss=ONE, sub="bot", workflow="close", token="f" * 64, jti="7", expires=INSTANT, keys=(Party(ONE, "k1"),),
    earlier=("old-jti",), actors=(Party(TWO, "agent"),),
)  # fmt: skip


def lock(kind: LockKind, value: str = "", issuer: str = "") -> Lock:
    return Lock(kind=kind, value=value, issuer=issuer)


def locks(*wanted: Lock) -> Locks:
    return Locks([Held(lock=one, since=INSTANT, by="ops", reason="") for one in wanted])


FITTING = [
    (lock(LockKind.ALL), Reason.LOCKED),
    (lock(LockKind.WORKFLOW, "close"), Reason.LOCKED),
    (lock(LockKind.SUBJECT, "bot"), Reason.LOCKED),
    (lock(LockKind.SUBJECT, "bot", ONE), Reason.LOCKED),
    (lock(LockKind.SUBJECT, "agent", TWO), Reason.LOCKED),
    (lock(LockKind.TOKEN, "7"), Reason.REVOKED),
    (lock(LockKind.TOKEN, "7", ONE), Reason.REVOKED),
    (lock(LockKind.TOKEN, "f" * 64), Reason.REVOKED),
    (lock(LockKind.TOKEN, "old-jti"), Reason.REVOKED),
    (lock(LockKind.KEY, "k1"), Reason.REVOKED),
    (lock(LockKind.KEY, "k1", ONE), Reason.REVOKED),
]
OTHERS = [
    lock(LockKind.WORKFLOW, "open"), lock(LockKind.SUBJECT, "bot", TWO), lock(LockKind.SUBJECT, "bo"),
    lock(LockKind.SUBJECT, "agent", ONE), lock(LockKind.TOKEN, "8"), lock(LockKind.TOKEN, "7", TWO),
    lock(LockKind.KEY, "k2"), lock(LockKind.KEY, "k1", TWO), lock(LockKind.WORKFLOW, "bot"), lock(LockKind.KEY, "7"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "reason"), FITTING)
def test_locks_out(wanted: Lock, reason: Reason) -> None:
    with pytest.raises(IdentityError) as caught:
        locks(*OTHERS, wanted).check(SUBJECT)
    assert caught.value.reason is reason


def test_others_are_not_locked_out() -> None:
    locks(*OTHERS).check(SUBJECT)
    Locks().check(SUBJECT)


def test_what_is_taken_off_locks_nobody_out_and_can_not_be_taken_off_again() -> None:
    held = locks(lock(LockKind.ALL))
    held.take_off(lock(LockKind.ALL))
    held.check(SUBJECT)
    with pytest.raises(LookupError):
        held.take_off(lock(LockKind.ALL))


def entry(event: AdminEvent, wanted: Lock, reason: str = "") -> tuple[Instant, AdminData]:
    return INSTANT, lock_data(event, wanted, "ops", reason)


EVERY = st.builds(
    lambda kind, value, issuer: (
        lock(kind) if kind is LockKind.ALL else lock(kind, value, "" if kind is LockKind.WORKFLOW else issuer)
    ),
    st.sampled_from(LockKind),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", ONE]),
)


@given(st.lists(st.tuples(st.booleans(), EVERY), max_size=12))
def test_the_entries_give_back_what_is_in_force(steps: list[tuple[bool, Lock]]) -> None:
    live, entries = Locks(), []
    for sets, one in steps:
        if sets:
            live.set(Held(lock=one, since=INSTANT, by="ops", reason="r"))
            entries.append(entry(one.event, one, "r"))
        elif one in {held.lock for held in live.held}:
            live.take_off(one)
            entries.append(entry(AdminEvent.UNLOCK, one))
    assert Locks.replay(entries).held == live.held


def test_other_entries_lock_nobody() -> None:
    backup = AdminData(event=AdminEvent.BACKUP, by="ops", detail={"what": "all"})
    assert Locks.replay([(INSTANT, backup)]).held == ()


@pytest.mark.parametrize("detail", [{}, {"what": "planet"}, {"what": "subject"}, {"what": "all", "value": "x"}])
def test_an_entry_that_can_not_be_read_is_an_error_and_no_open_door(detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="lock"):
        Locks.replay([(INSTANT, AdminData(event=AdminEvent.LOCK, by="ops", detail=detail))])


@pytest.mark.parametrize(
    ("kind", "value", "issuer"),
    [("planet", "x", ""), ("all", "x", ""), ("all", "", ONE), ("workflow", "w", ONE), ("workflow", "", ""),
     ("subject", "a\nb", ""), ("subject", "x" * 2049, ""), ("key", "k", " "), ("token", "", "")],
)  # fmt: skip
def test_refuses_a_lock_on_nothing(kind: str, value: str, issuer: str) -> None:
    with pytest.raises(ValueError, match=r"lock|issuer"):
        make_lock(kind, value, issuer)


def test_a_lock_says_what_it_is_on() -> None:
    assert str(lock(LockKind.SUBJECT, "bot", ONE)) == f"subject bot of {ONE}"
    assert str(lock(LockKind.ALL)) == "all"
