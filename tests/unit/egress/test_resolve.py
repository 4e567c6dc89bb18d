import asyncio
import socket

import pytest

from gatekeeper.egress import AddressRefused, Pin, Unresolvable, resolve
from gatekeeper.exchange import Reason


class Resolver:
    """Answers as DNS would, and remembers the questions."""

    def __init__(self, *answers: str, error: OSError | None = None) -> None:
        self.answers = answers
        self.error = error
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int, *, type: int) -> list[object]:  # noqa: A002
        assert type == socket.SOCK_STREAM
        self.asked.append((host, port))
        if self.error:
            raise self.error
        return [
            (socket.AF_INET6, type, 6, "", (ip, port, 0, 0)) if ":" in ip else (socket.AF_INET, type, 6, "", (ip, port))
            for ip in self.answers
        ]


def run(host: str, resolver: Resolver, networks: tuple[str, ...] = ()) -> tuple[Pin, ...]:
    return asyncio.run(resolve(host, 443, networks, resolver))


def test_pins_every_answer_in_order_and_once() -> None:
    resolver = Resolver("2606:4700::1", "1.1.1.1", "1.1.1.1")
    assert run("a.example", resolver) == (Pin("2606:4700::1", socket.AF_INET6), Pin("1.1.1.1", socket.AF_INET))
    assert resolver.asked == [("a.example", 443)]


@pytest.mark.parametrize(
    "answers", [("1.1.1.1", "10.0.0.1"), ("169.254.169.254",), ("::1", "1.1.1.1"), ("1.1.1.1", "fe80::1%2")]
)
def test_one_bad_answer_refuses_all(answers: tuple[str, ...]) -> None:
    with pytest.raises(AddressRefused):
        run("a.example", Resolver(*answers))


def test_a_private_network_that_is_named_may_answer() -> None:
    assert run("a.example", Resolver("10.0.0.1"), ("10.0.0.0/8",)) == (Pin("10.0.0.1", socket.AF_INET),)


@pytest.mark.parametrize("host", ["1.1.1.1", "2606:4700::1"])
def test_an_address_is_not_looked_up(host: str) -> None:
    resolver = Resolver()
    assert run(host, resolver)[0].ip == host
    assert resolver.asked == []


def test_an_address_is_checked_too() -> None:
    with pytest.raises(AddressRefused):
        run("127.0.0.1", Resolver())


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), OSError("broken"), None])
def test_a_name_without_an_answer_is_unresolvable(error: OSError | None) -> None:
    with pytest.raises(Unresolvable, match=r"a\.example") as caught:
        run("a.example", Resolver(error=error))
    assert caught.value.reason is Reason.UNRESOLVABLE


def test_a_resolver_that_does_not_answer_is_given_up() -> None:
    async def never(host: str, port: int, *, type: int) -> list[object]:  # noqa: A002, ARG001
        await asyncio.Event().wait()
        return []

    with pytest.raises(Unresolvable, match=r"within 0\.01s"):
        asyncio.run(resolve("a.example", 443, (), never, 0.01))


def test_the_event_loops_own_resolver_fits() -> None:
    async def localhost() -> tuple[Pin, ...]:
        loop = asyncio.get_running_loop()
        return await resolve("localhost", 443, ("127.0.0.0/8", "::1/128"), loop.getaddrinfo)

    assert {pin.ip for pin in asyncio.run(localhost())} <= {"127.0.0.1", "::1"}
