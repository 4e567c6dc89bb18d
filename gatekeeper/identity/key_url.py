"""The keys of an issuer behind a URL, or found by discovery: kept fresh in the background, kept when it is down."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from gatekeeper.exchange import Clock, Instant, Reason
from gatekeeper.identity.fetch import WELL_KNOWN, Fetch, check_address, read_discovery, shown
from gatekeeper.identity.freshness import Freshness
from gatekeeper.identity.keys import SIGNATURES, KeySet
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import SECOND

LONGEST_SLEEP: Final = 60.0
"""Seconds after which the clock is looked at again, lest a clock that was set ahead or back be slept through."""


class StaleKeys(msgspec.Struct, frozen=True):
    """An issuer's keys have outlived themselves and serve on, at most until `until`."""

    issuer: str
    since: Instant
    until: Instant


class KeyPlace(msgspec.Struct, frozen=True):
    """Where keys are, and which of them count. `url` empty: found by discovery. `stale_limit` in seconds."""

    issuer: str
    url: str
    stale_limit: float
    uses: frozenset[str] = SIGNATURES


class KeyUrl:
    """The owner of one issuer's keys: the set last fetched, when, and what was wrong since, if anything.

    One fetch at a time; whoever needs keys meanwhile waits for that one. `tell` is called once in an outage.
    """

    def __init__(self, place: KeyPlace, fetch: Fetch, clock: Clock) -> None:
        self.place = place
        self.tell: Callable[[StaleKeys], None] = lambda _: None
        self._fetch = fetch
        self._clock = clock
        self._told = False
        self._state = Freshness(int(place.stale_limit * SECOND))
        self._keys: KeySet | None = None
        self._flight: asyncio.Task[None] | None = None
        self.problem: str | None = None

    def keys(self, now: Instant) -> KeySet:
        """Give the keys at hand; raises IdentityError where there are none that may serve."""
        if self._keys is None or now >= self._state.until:
            raise IdentityError(
                Reason.ISSUER_UNAVAILABLE,
                "the keys of the token's issuer can't be had now; try again in a minute, or ask the gateway's operator",
            )
        return self._keys

    async def seek(self, now: Instant) -> bool:
        """Fetch for a token whose key is not at hand, where it may be; says whether it was fetched."""
        if self._flight is None:
            if not self._state.may_seek(now):
                return False
            self._state = self._state.sought_at(now)
        await self._refresh()
        return True

    async def warm(self) -> None:
        """Fetch for the first time, so that the first call need not wait."""
        if self._keys is None:
            await self._refresh()

    async def keep_fresh(self) -> None:
        """Fetch whenever it is due, until cancelled."""
        while True:
            now = self._clock()
            if self._state.is_due(now):
                await self._refresh()
            else:
                await asyncio.sleep(min((self._state.due - now) / SECOND, LONGEST_SLEEP))

    async def _refresh(self) -> None:
        if self._flight is None:
            self._flight = asyncio.create_task(self._load())
        # Shielded: a caller that gives up does not take the others' fetch with it.
        await asyncio.shield(self._flight)

    async def _load(self) -> None:
        try:
            keys, max_age = await self._get()
        except ValueError as error:
            self.problem = f"identity: keys of {self.place.issuer}: {error}"
            self._state = self._state.failed(self._clock())
            self._note_stale()
        else:
            # The same keys stay the same object: tokens that were verified with them need not be again.
            self._keys = self._keys if keys == self._keys else keys
            self.problem, self._told = None, False
            self._state = self._state.succeeded(self._clock(), max_age)
        finally:
            self._flight = None

    async def _get(self) -> tuple[KeySet, int | None]:
        """Fetch the key set; raises ValueError with what was wrong, and where."""
        url = self.place.url
        if not url:
            place = self.place.issuer.removesuffix("/") + WELL_KNOWN
            with _naming(place):
                url = read_discovery((await self._fetch(place)).data, self.place.issuer)
                check_address(url)
        with _naming(url):
            document = await self._fetch(url)
            # In a thread: a hostile set of 256 KiB must not hold up the calls of others.
            return await asyncio.to_thread(KeySet.parse, document.data, self.place.uses), document.max_age

    def _note_stale(self) -> None:
        now, state = self._clock(), self._state
        if state.fetched is not None and state.is_stale(now) and not self._told:
            self._told = True
            self.tell(StaleKeys(self.place.issuer, Instant(state.fetched + state.life), state.until))


class _naming:  # noqa: N801 - reads as what it does
    """Puts the address before what was wrong there."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ValueError):
            msg = f"{shown(self._place)} {error}"
            raise ValueError(msg) from error  # noqa: TRY004 - the same error, with its place
