import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from forgery import claims, forge, header

from gatekeeper.exchange import Instant
from gatekeeper.identity import EmbeddedIssuer
from gatekeeper.relay import FileToken, RenewedToken, TokenUnavailable, command_token, issued_token

START = 1_800_000_000
TOKEN = forge(header(), claims())


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = float(START)

    def __call__(self) -> Instant:
        return Instant(int(self.seconds * 1_000_000))


class Source:
    """Makes tokens, each good for 100 seconds, and counts them; raises what it is told to."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.made = 0
        self.fault: str | None = None

    async def __call__(self) -> str:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise TokenUnavailable(self.fault)
        self.made += 1
        issued = int(self.time.seconds)
        return forge(header(), claims(iat=issued, exp=issued + 100, jti=str(self.made)))


def current(source: FileToken | RenewedToken) -> str:
    async def get() -> str:
        return (await source.current()).token

    return asyncio.run(get())


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def made(time: Time) -> Source:
    return Source(time)


@pytest.mark.parametrize("around", ["{}", "{}\n", "  {}\r\n\n"])
def test_a_file_gives_its_token(tmp_path: Path, around: str) -> None:
    path = tmp_path / "token"
    path.write_text(around.format(TOKEN))
    assert current(FileToken(path)) == TOKEN


def test_a_file_that_is_exchanged_gives_the_new_token(tmp_path: Path) -> None:
    """As Kubernetes does it: a link to a folder that is exchanged."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(forge(header(), claims(jti=name)))
    link = tmp_path / "data"
    link.symlink_to("one")
    source = FileToken(link / "token")
    first = current(source)
    link.unlink()
    link.symlink_to("two")
    assert current(source) != first


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"no token", TOKEN.encode() + b"\nmore", b"a.b.c\xff", b"a.b." + b"c" * 17_000]
)
def test_a_file_without_a_token_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(TokenUnavailable, match="holds no token") as caught:
        current(FileToken(path))
    assert str(path) in str(caught.value)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(TokenUnavailable, match="No such file"):
        current(FileToken(tmp_path / "token"))


def test_a_token_is_renewed_when_four_fifths_of_its_life_are_over(time: Time, made: Source) -> None:
    async def run() -> None:
        source = RenewedToken(made, time)
        first = await source.current()
        time.seconds += 79
        assert await source.current() == first
        time.seconds += 1
        assert await source.current() != first
        assert made.made == 2

    asyncio.run(run())


def test_callers_at_the_same_time_wait_for_one_and_the_same(time: Time, made: Source) -> None:
    async def run() -> None:
        source = RenewedToken(made, time)
        tokens = await asyncio.gather(*(source.current() for _ in range(20)))
        assert len({token.token for token in tokens}) == made.made == 1

    asyncio.run(run())


def test_while_renewal_fails_the_token_at_hand_serves_until_it_expires(time: Time, made: Source) -> None:
    async def run() -> None:
        source = RenewedToken(made, time)
        first = await source.current()
        made.fault = "the issuer is down"
        time.seconds += 99
        assert await source.current() == first
        time.seconds += 1
        with pytest.raises(TokenUnavailable, match="the issuer is down"):
            await source.current()
        made.fault = None
        time.seconds += 5
        assert await source.current() != first

    asyncio.run(run())


def test_there_is_a_pause_after_a_failure(time: Time, made: Source) -> None:
    async def run() -> None:
        source = RenewedToken(made, time)
        made.fault = "down"
        for _ in range(2):
            with pytest.raises(TokenUnavailable):
                await source.current()
            made.fault = None
        time.seconds += 5
        await source.current()

    asyncio.run(run())


def test_a_source_that_gives_an_old_token_again_is_not_asked_each_time(time: Time) -> None:
    asked = 0

    async def stale() -> str:
        nonlocal asked
        asked += 1
        return forge(header(), claims(iat=START - 90, exp=START + 10))

    async def run() -> None:
        source = RenewedToken(stale, time)
        for _ in range(5):
            await source.current()
        assert asked == 1
        time.seconds += 5
        await source.current()
        assert asked == 2

    asyncio.run(run())


def python(code: str, time: Time, limit: float = 30) -> RenewedToken:
    return command_token([sys.executable, "-c", code], time, limit)


def test_a_command_gives_its_output(time: Time) -> None:
    assert current(python(f"print({TOKEN!r})", time)) == TOKEN


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda time: python("raise SystemExit(3)", time), "exit code 3"),
        (lambda time: python("pass", time), "holds no token"),
        (lambda time: python("print('a.b.c')", time), "token"),
        (lambda time: python("import time; time.sleep(600)", time, 0.2), "within 0.2s"),
        (lambda time: command_token(["sh", "-c", "sleep 600; true"], time, 0.2), "within 0.2s"),
        (lambda time: command_token(["/nonexistent/command"], time), "can't be run: No such file"),
    ],
)
def test_a_command_that_gives_none_says_why(time: Time, make: Callable[[Time], RenewedToken], said: str) -> None:
    with pytest.raises(TokenUnavailable, match=said):
        current(make(time))


def test_the_embedded_issuer_gives_tokens(tmp_path: Path, time: Time) -> None:
    issuer = EmbeddedIssuer.create(tmp_path / "key", tmp_path / "jwks")

    async def run() -> None:
        source = issued_token(issuer, "bot", ["g"], "w", 100, time)
        first = await source.current()
        assert await source.current() == first
        time.seconds += 80
        assert await source.current() != first

    asyncio.run(run())


def test_the_embedded_issuer_refuses_at_once_what_it_would_not_issue(tmp_path: Path, time: Time) -> None:
    issuer = EmbeddedIssuer.create(tmp_path / "key", tmp_path / "jwks")
    with pytest.raises(ValueError, match="lives"):
        issued_token(issuer, "bot", (), None, 10**6, time)


def test_a_source_does_not_show_its_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    assert TOKEN not in repr(asyncio.run(FileToken(path).current()))


def test_a_file_that_is_being_written_leaves_the_last_token_until_it_expires(tmp_path: Path) -> None:
    path, time = tmp_path / "token", Time()
    source = FileToken(path, time)
    path.write_text(TOKEN)
    first = asyncio.run(source.current())
    for state in ("", TOKEN[:40], "\0" * 10):
        path.write_text(state)
        assert asyncio.run(source.current()) == first
    path.unlink()
    assert asyncio.run(source.current()) == first
    time.seconds = START + 600
    with pytest.raises(TokenUnavailable, match="can't be read"):
        asyncio.run(source.current())


def test_a_file_that_never_held_a_token_gives_none(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("")
    with pytest.raises(TokenUnavailable, match="holds no token"):
        asyncio.run(FileToken(tmp_path / "token").current())
