"""The last link asks for each proof by itself: whatever an earlier link forgets, nothing leaves."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.test import tflow

from addons.guard import Refused
from addons.record import digest_of
from addons.seal import Seal
from addons.state import begin, exchange_of, passage_of
from gatekeeper.config import Action
from gatekeeper.credentials import Vault
from gatekeeper.exchange import (
    DialectName,
    Digest,
    DigestKey,
    Exchange,
    ExchangeId,
    ExchangeSummary,
    Instant,
    Message,
    Phase,
    Reason,
    Receipt,
    Release,
    RuleName,
    Scheme,
    Seq,
    SessionId,
    Subject,
    Target,
    Verdict,
)
from gatekeeper.identity import Held, Lock, LockKind, Locks

RECEIPT = Receipt(Seq(1), "00" * 32, Instant(0))


def complete(action: Action = Action.ALLOW) -> Exchange:
    return Exchange(
        id=ExchangeId("00" * 8),
        received=Instant(0),
        phase=Phase.RELEASED,
        subject=Subject(iss="https://issuer", sub="bot", token="0" * 64, expires=Instant(1)),
        session=SessionId("0" * 32),
        target=Target(Scheme.HTTPS, "api.example.com", 443),
        request=Message(method="GET", path="/"),
        summary=ExchangeSummary(dialect=DialectName.HTTP),
        findings=(),
        verdict=Verdict(action, RuleName("r")),
        recorded=Message(),
        receipt=RECEIPT,
    )


@pytest.fixture
def seal() -> Seal:
    parts: Any = SimpleNamespace(vault=Vault({}, b""), digest_key=DigestKey(bytes(32)), locks=Locks())
    return Seal(parts)


@pytest.fixture
def flow() -> Any:
    return tflow.tflow()


def refused(seal: Seal, flow: Any, exchange: Exchange) -> bool:
    try:
        seal._demand_proof(flow, exchange)
    except Refused as error:
        return (error.refusal.status, error.refusal.reason) == (403, Reason.NO_PROOF)
    return False


def test_what_has_every_proof_may_go(seal: Seal, flow: Any) -> None:
    assert not refused(seal, flow, complete())


@pytest.mark.parametrize(
    "missing", ["subject", "session", "target", "request", "summary", "findings", "verdict", "recorded", "receipt"]
)
def test_without_any_one_of_them_it_may_not(seal: Seal, flow: Any, missing: str) -> None:
    assert refused(seal, flow, replace(complete(), **{missing: None}))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.RELEASED])
def test_only_where_the_chain_has_come_to_its_end(seal: Seal, flow: Any, phase: Phase) -> None:
    assert refused(seal, flow, replace(complete(), phase=phase))


def test_what_was_denied_never_goes(seal: Seal, flow: Any) -> None:
    assert refused(seal, flow, complete(Action.DENY))


def held(seal: Seal, flow: Any) -> Exchange:
    exchange = complete(Action.HOLD)
    exchange.digest = digest_of(flow, exchange, seal.parts)
    exchange.release = Release(exchange.digest, RECEIPT)
    return exchange


def test_what_was_released_may_go(seal: Seal, flow: Any) -> None:
    assert not refused(seal, flow, held(seal, flow))


def test_what_is_held_needs_a_release(seal: Seal, flow: Any) -> None:
    assert refused(seal, flow, replace(held(seal, flow), release=None))


def test_a_release_of_another_digest_releases_nothing(seal: Seal, flow: Any) -> None:
    assert refused(seal, flow, replace(held(seal, flow), release=Release(Digest("1" * 64), RECEIPT)))


CHANGES: dict[str, Callable[[Any], None]] = {
    "body": lambda request: setattr(request, "raw_content", b"other"),
    "path": lambda request: setattr(request, "path", "/other"),
    "method": lambda request: setattr(request, "method", "DELETE"),
    "header": lambda request: request.headers.add("X-Amount", "5"),
    "host": lambda request: setattr(request, "host", "other.example.com"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_after_the_decision_is_not_what_was_approved(seal: Seal, flow: Any, change: str) -> None:
    exchange = held(seal, flow)
    CHANGES[change](flow.request)
    assert refused(seal, flow, exchange)


def test_a_flow_without_an_exchange_can_go_nowhere(flow: Any) -> None:
    with pytest.raises(LookupError):
        exchange_of(flow)
    with pytest.raises(LookupError):
        passage_of(flow)


def test_an_exchange_is_kept_beside_its_flow_and_not_in_it(flow: Any) -> None:
    exchange = complete()
    begin(flow, exchange)
    assert exchange_of(flow) is exchange
    assert not flow.metadata


def test_who_was_locked_out_while_the_call_was_held_goes_nowhere(seal: Seal) -> None:
    subject = complete().subject
    assert subject is not None
    seal._demand_unlocked(subject)
    lock = Lock(kind=LockKind.SUBJECT, value="bot")
    seal.parts.locks.set(Held(lock=lock, since=Instant(0), by="ops", reason=""))
    with pytest.raises(Refused) as caught:
        seal._demand_unlocked(subject)
    assert (caught.value.refusal.status, caught.value.refusal.reason) == (403, Reason.LOCKED)
