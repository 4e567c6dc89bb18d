"""Where the relay has its token from: a file, a command, or the embedded issuer."""

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from gatekeeper.exchange import Clock, Instant, now
from gatekeeper.identity import Credential, EmbeddedIssuer, IdentityError, read_life

COMMAND_LIMIT: Final = 30.0  # seconds
KILL_LIMIT: Final = 1.0
TOKEN_LIMIT: Final = 16 * 1024
RETRY_AFTER: Final = 5_000_000  # µs between two tries to renew

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenUnavailable(RuntimeError):
    """There is no token to add. The text is one line: what, where, what to do."""


class TokenSource(Protocol):
    """Gives the token that is current now."""

    async def current(self) -> Credential:
        """Give the token; raises TokenUnavailable."""
        ...


class FileToken:
    """A token in a file that others renew, as Kubernetes does; read for each request.

    Who renews it may be in the middle of writing: then the token that was read last serves, until it expires.
    """

    def __init__(self, path: Path, clock: Clock = now) -> None:
        self._path = path
        self._clock = clock
        self._last: tuple[Credential, Instant] | None = None

    async def current(self) -> Credential:
        """Read the file; raises TokenUnavailable."""
        try:
            token = self._read()
        except TokenUnavailable:
            if self._last is not None and self._clock() < self._last[1]:
                return self._last[0]
            raise
        if self._last is None or self._last[0] != token:
            self._last = token, _expiry(token)
        return token

    def _read(self) -> Credential:
        try:
            with self._path.open("rb") as file:
                data = file.read(TOKEN_LIMIT + 1)
        except OSError as error:
            msg = f"{self._path}: the token can't be read: {error.strerror}"
            raise TokenUnavailable(msg) from error
        return Credential(_token(data, str(self._path)))


class RenewedToken:
    """A token that is made anew when 80 % of its life is over; callers meanwhile wait for one and the same.

    Where a renewal fails, the token at hand serves until it expires, and there is a pause before the next try.
    """

    def __init__(self, make: Callable[[], Awaitable[str]], clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: Credential | None = None
        self._failure: TokenUnavailable | None = None
        self._due = Instant(0)
        self._expires = Instant(0)

    async def current(self) -> Credential:
        """Give the token at hand, or make one; raises TokenUnavailable."""
        async with self._lock:
            if self._clock() >= self._due:
                await self._renew()
            if self._token is not None and (self._failure is None or self._clock() < self._expires):
                return self._token
            raise self._failure or TokenUnavailable("no token was made yet")

    async def _renew(self) -> None:
        try:
            token = await self._make()
            life = read_life(token)
        except (TokenUnavailable, IdentityError) as error:
            self._failure = TokenUnavailable(str(error))
            self._due = Instant(self._clock() + RETRY_AFTER)
            return
        self._failure = None
        self._token, self._expires = Credential(token), life.expires
        # A source that gives out an old token again is not asked for each request.
        self._due = Instant(max(life.issued + (life.expires - life.issued) * 4 // 5, self._clock() + RETRY_AFTER))


def command_token(command: Sequence[str], clock: Clock, time_limit: float = COMMAND_LIMIT) -> RenewedToken:
    """Take the token from a program's output."""

    async def make() -> str:
        return await _run(command, time_limit)

    return RenewedToken(make, clock)


def issued_token(
    issuer: EmbeddedIssuer, subject: str, groups: Sequence[str], workflow: str | None, ttl: float, clock: Clock
) -> RenewedToken:
    """Take the token from the embedded issuer; raises ValueError where it would not issue such a one."""
    issuer.issue(subject, groups, workflow, ttl, clock())

    async def make() -> str:
        return issuer.issue(subject, groups, workflow, ttl, clock())

    return RenewedToken(make, clock)


async def _run(command: Sequence[str], time_limit: float) -> str:
    name = command[0]
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, start_new_session=True)
    except OSError as error:
        msg = f"{name}: the command for the token can't be run: {error.strerror}"
        raise TokenUnavailable(msg) from error
    try:
        async with asyncio.timeout(time_limit):
            output, _ = await process.communicate()
    except TimeoutError as error:
        msg = f"{name}: the command gave no token within {time_limit:g}s"
        raise TokenUnavailable(msg) from error
    finally:
        await _end(process)
    if process.returncode != 0:
        msg = f"{name}: the command for the token ended with exit code {process.returncode}; run it by hand"
        raise TokenUnavailable(msg)
    return _token(output, name)


async def _end(process: Process) -> None:
    """Kill a command that still runs, with all it started: what inherits its output keeps `wait` waiting."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_LIMIT):
                await process.wait()


def _expiry(token: Credential) -> Instant:
    """Say until when a token serves; one that does not say serves no longer than it stands in its file."""
    try:
        return read_life(token.token).expires
    except IdentityError:
        return Instant(0)


def _token(data: bytes, source: str) -> str:
    text = data.decode("ascii", "replace").strip()
    if len(text) > TOKEN_LIMIT or not _TOKEN.fullmatch(text):
        msg = f"{source}: holds no token; expected one JWT and nothing else"
        raise TokenUnavailable(msg)
    return text
