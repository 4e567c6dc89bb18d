"""Where secrets are fetched that take a while: a program's output, and a Vault-style HTTP service.

They are fetched in a thread, kept for a time, and renewed without a restart. No text of theirs, nor of their
errors, is ever shown: both may hold the secret.
"""

import asyncio
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, override

import httpx
import msgspec

TIME_LIMIT: Final = 10.0
"""Seconds for one fetch."""

SIZE_LIMIT: Final = 64 * 1024

KEEP: Final = 3600.0
"""Seconds for which the last secret is used on while its source fails."""

PAUSE: Final = 5.0
"""Seconds after a fetch that failed before the next one."""


class FetchFailed(ValueError):
    """A source gave no secret. The text is ours."""


class Fetched:
    """A secret from a slow source. `prepare` sees that there is one, `read` gives it."""

    def __init__(self, shown: str, fetch: Callable[[], str], life: float) -> None:
        self.shown = shown
        self._fetch = fetch
        self._life = life
        self._value: str | None = None
        self._at = 0.0
        self._failed: tuple[float, str] | None = None
        self._task: asyncio.Task[None] | None = None

    @override
    def __repr__(self) -> str:
        return f"Fetched({self.shown!r}, ‹secret›)"

    async def prepare(self) -> None:
        """Fetch what is missing or old; several callers wait for one fetch. An old secret is renewed on the side."""
        age = time.monotonic() - self._at
        if self._value is not None and age < self._life:
            return
        if self._failed is not None and time.monotonic() - self._failed[0] < PAUSE:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._load())
        if self._value is None or age > 2 * self._life:
            await asyncio.shield(self._task)

    def read(self) -> str:
        """Give the secret; raises FetchFailed where there is none, or none that is recent enough."""
        if self._value is None or time.monotonic() - self._at > self._life + KEEP:
            raise FetchFailed(self._failed[1] if self._failed else "was not fetched yet")
        return self._value

    async def _load(self) -> None:
        try:
            value = await asyncio.to_thread(self._fetch)
        except FetchFailed as error:
            self._failed = time.monotonic(), str(error)
            return
        self._value, self._at, self._failed = value, time.monotonic(), None


def command(line: str) -> Callable[[], str]:
    """Fetch from a program: no shell, an absolute path, its first line is the secret. Raises ValueError."""
    words = shlex.split(line)
    if not words or not Path(words[0]).is_absolute():
        msg = "names a program by its absolute path, with its arguments"
        raise ValueError(msg)

    def fetch() -> str:
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own words, and no shell
                words, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIME_LIMIT, check=False
            )
        except subprocess.TimeoutExpired as error:
            msg = f"took longer than {TIME_LIMIT:g}s"
            raise FetchFailed(msg) from error
        except OSError as error:
            msg = f"can't be run: {error.strerror}"
            raise FetchFailed(msg) from error
        if done.returncode:
            msg = f"ended with {done.returncode}"
            raise FetchFailed(msg)
        return _plain(done.stdout)

    return fetch


class _Answer(msgspec.Struct):
    data: dict[str, msgspec.Raw]


def service(address: str, place: str, token: Callable[[], str], trust: str) -> Callable[[], str]:
    """Fetch `PATH#FIELD` as from HashiCorp Vault's HTTP API, KV version 1 or 2. Raises ValueError."""
    path, mark, field = place.partition("#")
    if not mark or not path or not field:
        msg = "has the form PATH#FIELD, as in secret/data/openai#key"
        raise ValueError(msg)
    if not address.startswith("https://") and not address.startswith(("http://127.0.0.1:", "http://[::1]:")):
        msg = "needs vault.address, https or on this machine"
        raise ValueError(msg)

    def fetch() -> str:
        url = f"{address.rstrip('/')}/v1/{path.lstrip('/')}"
        try:
            with httpx.Client(verify=trust or True, trust_env=False, timeout=TIME_LIMIT) as client:
                answer = client.get(url, headers={"X-Vault-Token": token()})
        except httpx.HTTPError as error:
            msg = "the service can't be reached"
            raise FetchFailed(msg) from error
        if answer.status_code != 200 or len(answer.content) > SIZE_LIMIT:  # noqa: PLR2004
            msg = f"the service answered {answer.status_code}"
            raise FetchFailed(msg)
        return _field(answer.content, field)

    return fetch


def _field(content: bytes, field: str) -> str:
    try:
        data = msgspec.json.decode(content, type=_Answer).data
        inner = msgspec.json.decode(data["data"], type=dict[str, msgspec.Raw]) if "data" in data else data
        return _plain(msgspec.json.decode(inner[field], type=str).encode())
    except (msgspec.MsgspecError, KeyError):
        problem = "the service's answer has no such field with a text"
    raise FetchFailed(problem)


def _plain(data: bytes) -> str:
    # Not by a failing decode: its error holds the whole secret.
    if not data.isascii() or len(data) > SIZE_LIMIT:
        msg = "gave no short ASCII text"
        raise FetchFailed(msg)
    lines = data.decode("ascii").splitlines()
    if not lines or not lines[0]:
        msg = "gave nothing"
        raise FetchFailed(msg)
    return lines[0]
