"""What `/token` gives, for what, and to whom."""

from typing import Any
from urllib.parse import urlencode

import pytest
from forgery import INSTANT

from gatekeeper.config.model import ExchangeConfig
from gatekeeper.exchange import Instant, Party, Subject
from gatekeeper.identity import Permission, TradeFault, TradeRefused, make_deal, read_offer
from gatekeeper.identity.trade import GRANT, JWT, lifetime

VALID = {"grant_type": GRANT, "subject_token": "a.b.c", "subject_token_type": JWT, "scope": "workflow:close"}
ONE, TWO = "https://one.example", "https://two.example"


def form(**changes: str | None) -> bytes:
    fields = {name: value for name, value in {**VALID, **changes}.items() if value is not None}
    return urlencode(fields).encode()


def test_reads_an_offer() -> None:
    offer = read_offer(form(actor_token="d.e.f", actor_token_type=JWT, audience="gatekeeper"), "gatekeeper")
    assert (offer.subject_token, offer.actor_token, offer.workflow) == ("a.b.c", "d.e.f", "close")
    assert "a.b.c" not in repr(offer)


OFFERS = [
    (form(grant_type="client_credentials"), TradeFault.UNSUPPORTED_GRANT),
    (form(grant_type=None), TradeFault.UNSUPPORTED_GRANT),
    (form(subject_token=None), TradeFault.INVALID_REQUEST),
    (form(subject_token_type=None), TradeFault.INVALID_REQUEST),
    (form(actor_token="d.e.f"), TradeFault.INVALID_REQUEST),
    (form(actor_token_type=JWT), TradeFault.INVALID_REQUEST),
    (form(actor_token="d.e.f", actor_token_type="urn:x"), TradeFault.INVALID_REQUEST),
    (form(requested_token_type="urn:ietf:params:oauth:token-type:saml2"), TradeFault.INVALID_REQUEST),
    (form(requested_token_type="urn:ietf:params:oauth:token-type:refresh_token"), TradeFault.INVALID_REQUEST),
    (form(audience="api"), TradeFault.INVALID_TARGET),
    (form(resource="https://api.example"), TradeFault.INVALID_TARGET),
    (form(scope="close"), TradeFault.INVALID_SCOPE),
    (form(scope="workflow:"), TradeFault.INVALID_SCOPE),
    (form(scope="workflow:a workflow:b"), TradeFault.INVALID_SCOPE),
    (form(scope="workflow:a\nb"), TradeFault.INVALID_SCOPE),
    (form(client_secret="x"), TradeFault.INVALID_REQUEST),
    (form() + b"&scope=workflow:open", TradeFault.INVALID_REQUEST),
    (form() + b"&subject_token=d.e.f", TradeFault.INVALID_REQUEST),
    (b"", TradeFault.UNSUPPORTED_GRANT),
    (b"{}", TradeFault.INVALID_REQUEST),
    (b"\xff", TradeFault.INVALID_REQUEST),
    (b"grant_type=%ff", TradeFault.INVALID_REQUEST),
]


@pytest.mark.parametrize(("body", "fault"), OFFERS)
def test_refuses_an_offer(body: bytes, fault: TradeFault) -> None:
    with pytest.raises(TradeRefused) as caught:
        read_offer(body, "gatekeeper")
    assert caught.value.fault is fault
    assert "\n" not in str(caught.value)


def subject(sub: str = "alice", iss: str = ONE, **more: Any) -> Subject:
    values = {"token": f"sha-{sub}", "expires": Instant(INSTANT + 3600 * 1_000_000), "keys": (Party(iss, "k"),), **more}
    return Subject(iss=iss, sub=sub, **values)


def permission(*workflows: str, **more: tuple[str, ...]) -> Permission:
    return Permission.of(ExchangeConfig(workflows=workflows, **more))


ANY = permission("*")

GIVEN = [
    ("close", subject(), None, ANY),
    ("close", subject(workflow="close"), None, ANY),
    (None, subject(workflow="close"), None, ANY),
    ("close", subject(), None, permission("clo*")),
    ("close", subject(), None, permission("close", issuers=(ONE,), subjects=(f"{ONE}|ali*",))),
    ("close", subject(groups=("g",)), None, permission("close", groups=("g", "h"))),
    ("close", subject(), subject("bot"), permission("close", actors=("bot",))),
    ("close", subject(may_act=Party(ONE, "bot")), subject("bot"), ANY),
    ("close", subject(actors=(Party(ONE, "bot"),)), None, permission("close", actors=("bot",))),
]


@pytest.mark.parametrize(("workflow", "who", "actor", "allowed"), GIVEN)
def test_gives(workflow: str | None, who: Subject, actor: Subject | None, allowed: Permission) -> None:
    deal = make_deal(workflow, who, actor, [permission("other"), allowed], 600)
    assert (deal.workflow, deal.life) == ("close", 600)


REFUSED = [
    ("close", subject(workflow="open"), None, ANY, TradeFault.INVALID_SCOPE),
    (None, subject(), None, ANY, TradeFault.INVALID_SCOPE),
    ("closed", subject(), None, permission("close"), TradeFault.UNAUTHORIZED),
    ("close", subject(iss=TWO), None, permission("close", issuers=(ONE,)), TradeFault.UNAUTHORIZED),
    ("close", subject(iss=TWO), None, permission("close", subjects=(f"{ONE}|alice",)), TradeFault.UNAUTHORIZED),
    ("close", subject(groups=("x",)), None, permission("close", groups=("g",)), TradeFault.UNAUTHORIZED),
    ("close", subject(), None, permission("close", actors=("bot",)), TradeFault.UNAUTHORIZED),
    ("close", subject(), subject("rob"), permission("close", actors=("bot",)), TradeFault.UNAUTHORIZED),
    ("close", subject(), subject("bot", TWO), permission("close", actors=(f"{ONE}|bot",)), TradeFault.UNAUTHORIZED),
    ("close", subject(may_act=Party(ONE, "bot")), subject("rob"), ANY, TradeFault.UNAUTHORIZED),
    ("close", subject(may_act=Party(ONE, "bot")), subject("bot", TWO), ANY, TradeFault.UNAUTHORIZED),
    ("close", subject(), subject("bot", actors=(Party(ONE, "x"),)), ANY, TradeFault.INVALID_REQUEST),
    ("close", subject(actors=(Party(ONE, "x"),) * 8), subject("bot"), ANY, TradeFault.INVALID_REQUEST),
]


@pytest.mark.parametrize(("workflow", "who", "actor", "allowed", "fault"), REFUSED)
def test_refuses_a_deal(
    workflow: str | None, who: Subject, actor: Subject | None, allowed: Permission, fault: TradeFault
) -> None:
    with pytest.raises(TradeRefused) as caught:
        make_deal(workflow, who, actor, [allowed], 600)
    assert caught.value.fault is fault


def test_nobody_gets_anything_where_nothing_is_permitted() -> None:
    with pytest.raises(TradeRefused):
        make_deal("close", subject(), None, [], 600)


def test_the_chain_of_actors_and_what_can_be_revoked_is_kept() -> None:
    who = subject(jti="1", actors=(Party(TWO, "old"),), earlier=("0",), facts=(("pod", "p"),))
    deal = make_deal("close", who, subject("bot", jti="2"), [ANY], 600)
    assert deal.actors == (Party(ONE, "bot"), Party(TWO, "old"))
    assert deal.origin.ids == ("1", "sha-alice", "0", "2", "sha-bot")
    assert deal.origin.keys == (Party(ONE, "k"),)
    assert (deal.origin.iss, deal.origin.facts) == (ONE, {"pod": "p"})


def test_trading_again_and_again_does_not_make_a_token_live_on() -> None:
    left = subject(expires=Instant(INSTANT + 90 * 1_000_000))
    assert lifetime(make_deal("close", left, None, [ANY], 600), INSTANT) == 600
    again = subject(expires=Instant(INSTANT + 90 * 1_000_000), earlier=("0",))
    assert lifetime(make_deal("close", again, None, [ANY], 600), INSTANT) == 90
