"""When keys from a URL are fetched again, and for how long they serve. Pure: times come in.

* Fetched keys live as long as their answer says (`Cache-Control: max-age`), within bounds; at half of that they
  are fetched again.
* After a failure there is a pause, which doubles with each further one, up to a minute.
* Past their life the keys are stale, and serve for a bounded time more; then no token of the issuer is accepted.
* A token with a key that is not among them may have them fetched at once, at most once a minute.
"""

from typing import Final, Self

import msgspec

from gatekeeper.exchange import Instant
from gatekeeper.identity.token import SECOND

MINUTE: Final = 60 * SECOND
SHORTEST_LIFE: Final = 5 * MINUTE
USUAL_LIFE: Final = 60 * MINUTE
LONGEST_LIFE: Final = 24 * 60 * MINUTE
FIRST_PAUSE: Final = 5 * SECOND
LONGEST_PAUSE: Final = MINUTE


class Freshness(msgspec.Struct, frozen=True):
    """Where one issuer's keys stand. `fetched` is None where they were never had."""

    stale_limit: int
    fetched: Instant | None = None
    life: int = USUAL_LIFE
    failures: int = 0
    due: Instant = Instant(0)
    sought: Instant | None = None

    def succeeded(self, now: Instant, max_age: int | None) -> Self:
        """Take note of keys that came; `max_age` in seconds, as the answer says."""
        life = USUAL_LIFE if max_age is None else min(max(max_age * SECOND, SHORTEST_LIFE), LONGEST_LIFE)
        return msgspec.structs.replace(self, fetched=now, life=life, failures=0, due=Instant(now + life // 2))

    def failed(self, now: Instant) -> Self:
        """Take note of a failure: the next try comes after a pause."""
        pause = min(FIRST_PAUSE << min(self.failures, 8), LONGEST_PAUSE)
        return msgspec.structs.replace(self, failures=self.failures + 1, due=Instant(now + pause))

    def sought_at(self, now: Instant) -> Self:
        """Take note that a token asked for keys."""
        return msgspec.structs.replace(self, sought=now)

    def may_seek(self, now: Instant) -> bool:
        """Whether a token's unknown key may have keys fetched now; a clock that was set back counts as time gone."""
        if self.failures or self.fetched is None:
            return self.is_due(now)
        return self.sought is None or not 0 <= now - self.sought < MINUTE

    def is_due(self, now: Instant) -> bool:
        """Whether it is time to fetch."""
        return now >= self.due

    def is_stale(self, now: Instant) -> bool:
        """Whether the keys have outlived themselves."""
        return self.fetched is not None and now >= self.fetched + self.life

    @property
    def until(self) -> Instant:
        """When the keys no longer serve at all; at the beginning of time where there are none."""
        return Instant(0) if self.fetched is None else Instant(self.fetched + self.life + self.stale_limit)
