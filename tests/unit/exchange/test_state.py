import itertools

import pytest

from gatekeeper.exchange import Exchange, ExchangeId, Instant, Phase, Reason, Refusal, established
from gatekeeper.exchange.state import TRANSITIONS, new_exchange_id

REFUSAL = Refusal(status=403, reason=Reason.NO_RULE, message="no")


def an_exchange(phase: Phase = Phase.RECEIVED) -> Exchange:
    return Exchange(id=ExchangeId("00" * 8), received=Instant(0), phase=phase)


def test_every_phase_has_its_row() -> None:
    assert set(TRANSITIONS) == set(Phase)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Phase, Phase)))
def test_only_listed_steps_can_be_taken(before: Phase, after: Phase) -> None:
    exchange = an_exchange(before)
    if after in TRANSITIONS[before]:
        exchange.advance(after)
        assert exchange.phase is after
    else:
        with pytest.raises(ValueError, match=f"{before.name} to {after.name}"):
            exchange.advance(after)
        assert exchange.phase is before


def test_nothing_is_sealed_but_what_was_released() -> None:
    assert [phase for phase, after in TRANSITIONS.items() if Phase.SEALED in after] == [Phase.RELEASED]


def test_what_was_refused_never_goes_upstream() -> None:
    assert TRANSITIONS[Phase.REFUSED] == {Phase.DONE}


def test_the_first_refusal_stays() -> None:
    exchange = an_exchange()
    exchange.refuse(REFUSAL)
    exchange.refuse(Refusal(status=500, reason=Reason.INTERNAL, message="later"))
    assert exchange.refusal == REFUSAL
    assert exchange.over


def test_established_gives_what_is_there_and_refuses_what_is_not() -> None:
    assert established("subject") == "subject"
    assert established(()) == ()
    with pytest.raises(ValueError, match="earlier link"):
        established(None)


def test_ids_are_sixteen_hex_digits_and_do_not_repeat() -> None:
    ids = {new_exchange_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in ids)
