import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.exchange import Instant, SessionSource, Subject, session_id
from gatekeeper.identity import SessionWindows
from gatekeeper.identity.session import IDLE, trace_id

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{PARENT}-01"
START = Instant(1_800_000_000_000_000)


def subject(sub: str = "bot", jti: str | None = None) -> Subject:
    return Subject(iss="https://one.example", sub=sub, token="0" * 64, jti=jti, expires=START)


@pytest.mark.parametrize(
    "field", [VALID, f"00-{TRACE}-{PARENT}-00", f"01-{TRACE}-{PARENT}-01-more", f"cc-{TRACE}-{PARENT}-01"]
)
def test_reads_a_valid_traceparent(field: str) -> None:
    assert trace_id(field) == TRACE


@pytest.mark.parametrize(
    "field",
    [
        "",
        VALID.upper(),
        VALID + " ",
        VALID + "\n",
        VALID + "-more",
        f"{VALID}, {VALID}",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"01-{TRACE}-{PARENT}-01more",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
    ],
)
def test_an_invalid_traceparent_counts_as_none(field: str) -> None:
    assert trace_id(field) is None
    windows = SessionWindows()
    assert windows.session_for(subject(jti="7"), field, START) == windows.session_for(subject(jti="7"), None, START)


@given(st.text())
def test_any_text_is_a_trace_or_none(field: str) -> None:
    assert trace_id(field) is None or len(field) >= 55


def test_the_trace_comes_before_the_token_and_the_token_before_the_window() -> None:
    windows = SessionWindows()
    who = subject(jti="7")
    assert windows.session_for(who, VALID, START) == session_id(who.iss, who.sub, SessionSource.TRACE, TRACE)
    assert windows.session_for(who, None, START) == session_id(who.iss, who.sub, SessionSource.JTI, "7")
    assert windows.session_for(subject(), None, START) == session_id(who.iss, who.sub, SessionSource.WINDOW, str(START))


def test_two_subjects_never_share_a_session() -> None:
    windows = SessionWindows()
    assert windows.session_for(subject("a"), VALID, START) != windows.session_for(subject("b"), VALID, START)


def test_a_window_lasts_while_calls_come_and_ends_after_quiet() -> None:
    windows = SessionWindows()
    first = windows.session_for(subject(), None, START)
    again = Instant(START + IDLE)
    assert windows.session_for(subject(), None, again) == first
    assert windows.session_for(subject(), None, Instant(again + IDLE)) == first
    assert windows.session_for(subject(), None, Instant(again + 2 * IDLE + 1)) != first


def test_a_clock_that_is_set_back_does_not_end_a_window() -> None:
    windows = SessionWindows()
    first = windows.session_for(subject(), None, START)
    assert windows.session_for(subject(), None, Instant(START - IDLE)) == first
    assert windows.session_for(subject(), None, Instant(START + IDLE)) == first


def test_memory_is_bounded_and_the_quietest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekeeper.identity.session.WINDOWS_LIMIT", 2)
    windows = SessionWindows()
    kept = windows.session_for(subject("kept"), None, START)
    gone = windows.session_for(subject("gone"), None, START)
    windows.session_for(subject("kept"), None, Instant(START + 1))
    windows.session_for(subject("third"), None, Instant(START + 2))
    assert windows.session_for(subject("kept"), None, Instant(START + 3)) == kept
    assert windows.session_for(subject("gone"), None, Instant(START + 4)) != gone
    assert len(windows._windows) == 2
