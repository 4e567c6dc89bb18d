"""Keys from a URL: what is fetched when, and what serves meanwhile."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from forgery import ED, ED_2, INSTANT, ISSUER, NOW, claims, forge, header, jwk

from gatekeeper.config import IdentityConfig, IssuerConfig
from gatekeeper.exchange import Instant, Reason
from gatekeeper.identity import IdentityError, StaleKeys, Verifier
from gatekeeper.identity.fetch import Document
from gatekeeper.identity.token import SECOND

pytestmark = pytest.mark.anyio

DISCOVERY = f"{ISSUER.issuer}/.well-known/openid-configuration"
KEYS = "https://keys.example/jwks"


def keys(*listed: dict[str, object]) -> bytes:
    return json.dumps({"keys": listed}).encode()


def discovery(**changes: object) -> bytes:
    return json.dumps({"issuer": ISSUER.issuer, "jwks_uri": KEYS, **changes}).encode()


class Web:
    """A fetcher over a dictionary, which counts, fails and waits as told; and the clock."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {DISCOVERY: discovery(), KEYS: keys(jwk(ED, kid="a"))}
        self.fetched: list[str] = []
        self.down = False
        self.gate: asyncio.Event | None = None
        self.now = INSTANT
        self.stale: list[StaleKeys] = []

    async def fetch(self, url: str) -> Document:
        self.fetched.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if self.down or url not in self.pages:
            msg = "answered with status 503"
            raise ValueError(msg)
        return Document(self.pages[url], 3600)

    def pass_time(self, seconds: float) -> None:
        self.now = Instant(self.now + int(seconds * SECOND))

    def verifier(self, jwks: str = "") -> Verifier:
        config = IdentityConfig(
            issuers=(IssuerConfig(issuer=ISSUER.issuer, jwks=jwks, algorithms=("EdDSA",), max_life=ISSUER.max_life),)
        )
        verifier = Verifier.load(config, clock=lambda: self.now, fetch=self.fetch)
        verifier.tell_stale(self.stale.append)
        return verifier


@pytest.fixture
def web() -> Web:
    return Web()


def token(web: Web, kid: str = "a", **changes: object) -> str:
    now = web.now // SECOND
    times = {"iat": now - 5, "exp": now + 600}
    return forge(header(kid=kid), claims(**(times | changes)), ED if kid == "a" else ED_2)


async def test_discovery_leads_to_the_keys(web: Web) -> None:
    verifier = web.verifier()
    await verifier.warm()
    assert web.fetched == [DISCOVERY, KEYS]
    assert verifier.verify(token(web), web.now).sub == "billing-bot"
    assert verifier.problems == ()


async def test_a_url_is_fetched_without_discovery(web: Web) -> None:
    await web.verifier(KEYS).warm()
    assert web.fetched == [KEYS]


async def test_without_warming_the_first_token_fetches(web: Web) -> None:
    verifier = web.verifier()
    assert (await verifier.identify(token(web), web.now)).sub == "billing-bot"


BAD_PAGES = {
    "another issuer": (DISCOVERY, discovery(issuer="https://evil.example"), "is of another issuer"),
    "the issuer with a slash": (DISCOVERY, discovery(issuer=ISSUER.issuer + "/"), "is of another issuer"),
    "no issuer": (DISCOVERY, b'{"jwks_uri": "https://keys.example/jwks"}', "is of another issuer"),
    "no jwks_uri": (DISCOVERY, discovery(jwks_uri=None), "names no jwks_uri"),
    "jwks over http": (DISCOVERY, discovery(jwks_uri="http://keys.example/jwks"), "is no https URL"),
    "jwks in a file": (DISCOVERY, discovery(jwks_uri="file:///etc/passwd"), "is no https URL"),
    "a key twice": (DISCOVERY, discovery()[:-1] + b', "issuer": "https://one.example"}', "has a key twice"),
    "no JSON": (DISCOVERY, b"<html>", "is no JSON object"),
    "a list": (DISCOVERY, b"[]", "is no JSON object"),
    "no key set": (KEYS, b"{}", "is no JWK Set"),
    "no keys": (KEYS, keys(), "holds no key"),
    "a symmetric key": (KEYS, keys({"kty": "oct", "k": "AA"}), "holds no key"),
    "a private key": (KEYS, keys({**jwk(ED, kid="a"), "d": "AA"}), "holds a private key"),
    "too many keys": (KEYS, keys(*[jwk(ED, kid=str(number)) for number in range(101)]), "more than 100 keys"),
    "two keys of one name": (KEYS, keys(jwk(ED, kid="a"), jwk(ED_2, kid="a")), "two keys with the same kid"),
}


@pytest.mark.parametrize(("page", "data", "said"), BAD_PAGES.values(), ids=BAD_PAGES)
async def test_a_bad_document_gives_no_keys_and_says_why(web: Web, page: str, data: bytes, said: str) -> None:
    web.pages[page] = data
    verifier = web.verifier()
    with pytest.raises(IdentityError) as caught:
        await verifier.identify(token(web), web.now)
    assert caught.value.reason is Reason.ISSUER_UNAVAILABLE
    assert said in verifier.problems[0]
    assert ISSUER.issuer in verifier.problems[0]


@pytest.mark.parametrize(("page", "data", "said"), BAD_PAGES.values(), ids=BAD_PAGES)
async def test_a_document_that_goes_bad_leaves_the_known_keys(web: Web, page: str, data: bytes, said: str) -> None:
    verifier = web.verifier()
    await verifier.warm()
    web.pages[page] = data
    with pytest.raises(IdentityError):
        await verifier.identify(token(web, "b"), web.now)
    assert said in verifier.problems[0]
    assert (await verifier.identify(token(web), web.now)).sub == "billing-bot"


async def test_a_new_key_is_fetched_for_the_token_that_brings_it(web: Web) -> None:
    verifier = web.verifier(KEYS)
    await verifier.warm()
    web.pages[KEYS] = keys(jwk(ED, kid="a"), jwk(ED_2, kid="b"))
    assert (await verifier.identify(token(web, "b"), web.now)).sub == "billing-bot"
    assert len(web.fetched) == 2


async def test_unknown_keys_have_keys_fetched_once_a_minute_and_no_more(web: Web) -> None:
    verifier = web.verifier(KEYS)
    await verifier.warm()
    for number in range(50):
        with pytest.raises(IdentityError, match="does not list"):
            await verifier.identify(token(web, f"x{number}"), web.now)
    assert len(web.fetched) == 2
    web.pass_time(60)
    for number in range(50):
        with pytest.raises(IdentityError):
            await verifier.identify(token(web, f"y{number}"), web.now)
    assert len(web.fetched) == 3


async def test_all_who_need_keys_wait_for_one_fetch(web: Web) -> None:
    verifier = web.verifier(KEYS)
    web.gate = asyncio.Event()
    calls = [asyncio.create_task(verifier.identify(token(web, sub=str(number)), web.now)) for number in range(20)]
    await asyncio.sleep(0)
    web.gate.set()
    assert [(await call).sub for call in calls] == [str(number) for number in range(20)]
    assert web.fetched == [KEYS]


async def test_a_caller_that_goes_away_takes_nobody_elses_fetch_with_it(web: Web) -> None:
    verifier = web.verifier(KEYS)
    web.gate = asyncio.Event()
    first, second = (asyncio.create_task(verifier.identify(token(web), web.now)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    web.gate.set()
    assert (await second).sub == "billing-bot"


async def test_known_keys_need_no_answer_while_one_is_awaited(web: Web) -> None:
    verifier = web.verifier(KEYS)
    await verifier.warm()
    web.gate = asyncio.Event()
    asking = asyncio.create_task(verifier.identify(token(web, "b"), web.now))
    await asyncio.sleep(0)
    assert (await verifier.identify(token(web), web.now)).sub == "billing-bot"
    assert not asking.done()
    web.gate.set()
    with pytest.raises(IdentityError):
        await asking


async def until(reached: Callable[[], bool]) -> None:
    for _ in range(1000):
        if reached():
            return
        await asyncio.sleep(0)
    pytest.fail("it did not come")


async def refreshed(verifier: Verifier, web: Web, fetches: int) -> None:
    """Let the background have its turn, as it would at this time."""
    background = asyncio.create_task(verifier.keep_fresh())
    await until(lambda: len(web.fetched) >= fetches)
    for _ in range(20):
        await asyncio.sleep(0.001)
    background.cancel()
    with suppress(asyncio.CancelledError):
        await background


async def test_keys_are_fetched_again_in_the_background_at_half_of_their_life(web: Web) -> None:
    verifier = web.verifier(KEYS)
    await verifier.warm()
    web.pass_time(1799)
    await refreshed(verifier, web, 1)
    assert len(web.fetched) == 1
    web.pass_time(1)
    web.pages[KEYS] = keys(jwk(ED_2, kid="b"))
    await refreshed(verifier, web, 2)
    assert verifier.verify(token(web, "b"), web.now).sub == "billing-bot"


async def test_a_key_that_is_gone_takes_its_tokens_with_it(web: Web) -> None:
    verifier = web.verifier(KEYS)
    old = token(web, exp=NOW + 3000)
    await verifier.identify(old, web.now)
    web.pages[KEYS] = keys(jwk(ED_2, kid="b"))
    web.pass_time(1800)
    await refreshed(verifier, web, 2)
    with pytest.raises(IdentityError, match="does not list"):
        verifier.verify(old, web.now)


async def test_the_same_keys_again_leave_seen_tokens_seen(web: Web) -> None:
    verifier = web.verifier(KEYS)
    kept = token(web)
    subject = await verifier.identify(kept, web.now)
    web.pass_time(1800)
    await refreshed(verifier, web, 2)
    assert len(web.fetched) == 2
    web.now = INSTANT
    assert verifier.verify(kept, web.now) is subject


async def test_while_the_issuer_is_down_known_keys_serve_for_a_bounded_time_that_is_told_once(web: Web) -> None:
    verifier = web.verifier(KEYS)
    await verifier.warm()
    web.down = True
    web.pass_time(3599)
    await refreshed(verifier, web, 2)
    assert web.stale == []
    for _ in range(3):
        web.pass_time(3600)
        await refreshed(verifier, web, 2)
        assert verifier.verify(token(web), web.now).sub == "billing-bot"
    assert web.stale == [
        StaleKeys(ISSUER.issuer, Instant(INSTANT + 3600 * SECOND), Instant(INSTANT + (3600 + 86400) * SECOND))
    ]
    web.pass_time(86400)
    with pytest.raises(IdentityError) as caught:
        await verifier.identify(token(web), web.now)
    assert caught.value.reason is Reason.ISSUER_UNAVAILABLE


async def test_a_token_that_was_seen_does_not_outlive_the_keys_that_may_serve(web: Web) -> None:
    verifier = web.verifier(KEYS)
    await verifier.warm()
    web.down = True
    web.pass_time(3600 + 86400 - 1)
    seen = token(web)
    assert verifier.verify(seen, web.now).sub == "billing-bot"
    web.pass_time(1)
    with pytest.raises(IdentityError) as caught:
        verifier.verify(seen, web.now)
    assert caught.value.reason is Reason.ISSUER_UNAVAILABLE


async def test_an_issuer_that_comes_back_is_used_again(web: Web) -> None:
    verifier = web.verifier(KEYS)
    web.down = True
    await verifier.warm()
    assert "503" in verifier.problems[0]
    web.down = False
    with pytest.raises(IdentityError):  # the pause after the failure holds
        await verifier.identify(token(web), web.now)
    web.pass_time(5)
    assert (await verifier.identify(token(web), web.now)).sub == "billing-bot"
    assert verifier.problems == ()


async def test_one_issuer_that_is_down_is_no_trouble_to_another(web: Web) -> None:
    config = IdentityConfig(
        issuers=(
            IssuerConfig(issuer="https://down.example", jwks="https://down.example/keys"),
            IssuerConfig(issuer=ISSUER.issuer, jwks=KEYS, algorithms=("EdDSA",)),
        )
    )
    verifier = Verifier.load(config, clock=lambda: web.now, fetch=web.fetch)
    await verifier.warm()
    assert verifier.verify(token(web), web.now).sub == "billing-bot"
    assert len(verifier.problems) == 1


async def test_a_token_names_no_place_to_fetch_keys_from(web: Web) -> None:
    verifier = web.verifier(KEYS)
    for name in ("jku", "x5u"):
        with pytest.raises(IdentityError):
            await verifier.identify(forge(header(**{name: "https://evil.example/keys"}), claims()), web.now)
    with pytest.raises(IdentityError):
        await verifier.identify(forge(header(), claims(iss="https://evil.example", jwks_uri=KEYS)), web.now)
    assert web.fetched == []


async def test_a_reload_keeps_the_keys_that_are_at_hand_also_while_the_issuer_is_down(web: Web) -> None:
    verifier = web.verifier(KEYS)
    await verifier.warm()
    web.down = True
    config = IdentityConfig(issuers=(IssuerConfig(issuer=ISSUER.issuer, jwks=KEYS, algorithms=("EdDSA",)),))
    renewed = Verifier.load(config, clock=lambda: web.now, fetch=web.fetch, earlier=verifier)
    assert renewed.verify(token(web), web.now).sub == "billing-bot"


async def test_a_reload_that_names_another_place_takes_nothing_from_the_old_one(web: Web) -> None:
    verifier = web.verifier(KEYS)
    await verifier.warm()
    config = IdentityConfig(issuers=(IssuerConfig(issuer=ISSUER.issuer, jwks="https://other.example/keys"),))
    renewed = Verifier.load(config, clock=lambda: web.now, fetch=web.fetch, earlier=verifier)
    with pytest.raises(IdentityError):
        renewed.verify(token(web), web.now)
