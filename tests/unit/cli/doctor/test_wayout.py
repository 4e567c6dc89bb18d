import socket
import threading
from collections.abc import Iterator

import pytest

from gatekeeper.cli.doctor.outcome import State
from gatekeeper.cli.doctor.wayout import Targets, proxy_variables, ways_out

NOTHING = Targets(tcp=(), udp=(), dns=(), names=(), metadata=())
SET = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://gateway:8080")


def states(targets: Targets = NOTHING, **environment: str) -> dict[str, State]:
    return {one.check: one.state for one in ways_out(targets, SET | environment, 0.3)}


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.fixture
def closed() -> Iterator[tuple[str, int]]:
    """A port that is taken and at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()


@pytest.fixture
def answering() -> Iterator[tuple[str, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            _, peer = server.recvfrom(2048)
            server.sendto(b"here I am", peer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        yield server.getsockname()


@pytest.mark.parametrize("way", ["tcp", "metadata"])
def test_a_connection_that_is_made_is_wrong_and_has_its_mend(way: str, listener: tuple[str, int]) -> None:
    outcome = next(iter(ways_out(Targets(**{**_none(), way: (listener,)}), SET)))
    assert outcome.state is State.WRONG
    assert outcome.mend


@pytest.mark.parametrize("way", ["tcp", "metadata"])
def test_a_connection_that_is_refused_is_fine(way: str, closed: tuple[str, int]) -> None:
    assert State.WRONG not in states(Targets(**{**_none(), way: (closed,)})).values()


@pytest.mark.parametrize("way", ["udp", "dns"])
def test_a_datagram_that_is_answered_is_wrong(way: str, answering: tuple[str, int]) -> None:
    assert State.WRONG in states(Targets(**{**_none(), way: (answering,)})).values()


@pytest.mark.parametrize("way", ["udp", "dns"])
def test_a_datagram_without_an_answer_is_fine(way: str, silent: tuple[str, int]) -> None:
    assert State.WRONG not in states(Targets(**{**_none(), way: (silent,)})).values()


def test_a_name_that_is_resolved_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(name: str, _port: int) -> list[object]:
        if name == "inner.example":
            raise socket.gaierror(-2, "unknown")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    found = states(Targets(**{**_none(), "names": ("outer.example", "inner.example")}))
    assert found["resolving outer.example"] is State.WRONG
    assert found["resolving inner.example"] is State.OK


def _none() -> dict[str, tuple[()]]:
    return {"tcp": (), "udp": (), "dns": (), "names": (), "metadata": ()}


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, []),
        ({"HTTPS_PROXY": "", "https_proxy": ""}, ["HTTPS_PROXY"]),
        ({"https_proxy": ""}, ["HTTPS_PROXY"]),
        ({"http_proxy": "http://elsewhere:1"}, ["HTTP_PROXY"]),
        ({"NO_PROXY": "localhost,127.0.0.1,::1"}, []),
        ({"NO_PROXY": "*"}, ["NO_PROXY entry *"]),
        ({"no_proxy": ".com"}, ["NO_PROXY entry .com"]),
        ({"no_proxy": "localhost, internal"}, ["NO_PROXY entry internal"]),
    ],
)
def test_the_variables_that_libraries_go_by(changed: dict[str, str], wrong: list[str]) -> None:
    found = list(proxy_variables(SET | changed))
    assert [one.check for one in found if one.state is State.WRONG] == wrong
    assert all(one.mend for one in found if one.state is State.WRONG)


def test_what_no_proxy_names_is_tried(listener: tuple[str, int], closed: tuple[str, int]) -> None:
    host = "127.0.0.2"  # not one of those that everybody leaves out
    with socket.create_server((host, 0)) as other:
        reached, not_reached = f"{host}:{other.getsockname()[1]}", f"{host}:{closed[1]}"
        found = states(NO_PROXY=f"{reached},{not_reached},127.0.0.1:{listener[1]}")
    assert found[f"NO_PROXY entry {reached}"] is State.WRONG
    assert found[f"NO_PROXY entry {not_reached}"] is State.NOTE
