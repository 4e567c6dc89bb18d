"""Who asks too often is told so."""

from gatekeeper.approvals.limits import MINUTE, Limits
from gatekeeper.exchange import Instant

BOT, OTHER = ("iss", "bot"), ("iss", "other")


def test_so_many_may_wait_and_no_more() -> None:
    limits = Limits(pending=2, per_minute=100)
    assert limits.refusal(BOT, 1, Instant(0)) is None
    assert "approvals.max_pending" in str(limits.refusal(BOT, 2, Instant(0)))


def test_so_many_may_be_asked_within_any_minute_by_each_subject() -> None:
    limits = Limits(pending=100, per_minute=2)
    for time in (0, 10):
        assert limits.refusal(BOT, 0, Instant(time)) is None
        limits.opened(BOT, Instant(time))
    assert "approvals.max_per_minute" in str(limits.refusal(BOT, 0, Instant(MINUTE - 1)))
    assert limits.refusal(OTHER, 0, Instant(MINUTE - 1)) is None
    assert limits.refusal(BOT, 0, Instant(MINUTE)) is None  # the first of them is a minute ago
    limits.opened(BOT, Instant(MINUTE))
    assert limits.refusal(BOT, 0, Instant(MINUTE + 9)) is not None
    assert limits.refusal(BOT, 0, Instant(2 * MINUTE)) is None
