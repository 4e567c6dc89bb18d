"""The keys of an issuer in a file."""

from collections.abc import Set as AbstractSet
from pathlib import Path

from gatekeeper.exchange import Instant
from gatekeeper.identity.keys import SIGNATURES, KeySet
from gatekeeper.identity.token import SECOND

LOOK_AGAIN = SECOND  # how often the file is looked at

type Stamp = tuple[int, int, int]


class KeyFile:
    """The owner of one JWK Set file: its keys as last read, and what was wrong with it since, if anything.

    Raises OSError or ValueError where it can't be read at first.
    """

    def __init__(self, path: Path, uses: AbstractSet[str] = SIGNATURES) -> None:
        self.path = path
        self._uses = uses
        self._stamp = self._look()
        self._keys = KeySet.parse(path.read_bytes(), uses)
        self._looked: Instant | None = None
        self.problem: str | None = None

    def keys(self, now: Instant) -> KeySet:
        """Give the keys; the file is looked at again once a second, also when the clock was set back."""
        if self._looked is None or not 0 <= now - self._looked < LOOK_AGAIN:
            self._looked = now
            self._read_again()
        return self._keys

    async def seek(self, _now: Instant) -> bool:
        """Say whether new keys may have come: never, since the file has just been looked at."""
        return False

    async def warm(self) -> None:
        """Do nothing: the file has been read."""

    async def keep_fresh(self) -> None:
        """Do nothing: the file is looked at when it is needed."""

    def _read_again(self) -> None:
        """Read a changed file; a broken one leaves the known keys."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            self._keys = KeySet.parse(self.path.read_bytes(), self._uses)
        except (OSError, ValueError) as error:
            self.problem = f"{self.path}: {cause(error)}; the keys read before stay in force"
            return
        self._stamp, self.problem = stamp, None

    def _look(self) -> Stamp:
        state = self.path.stat()
        return state.st_mtime_ns, state.st_size, state.st_ino


def cause(error: OSError | ValueError) -> str:
    """Say what was wrong with a file, without its name."""
    return f"can't be read: {error.strerror}" if isinstance(error, OSError) else str(error)
