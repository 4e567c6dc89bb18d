"""Fixtures that several kinds of tests share."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from examples import NIGHTLY
from harness import Authority, Background, RunningGateway, Upstream, gateway_config, run_gateway
from hypothesis import HealthCheck, settings

# How fast examples are made says something of the machine's load, nothing of what is tested.
NO_CLOCK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ordinary", NO_CLOCK)
settings.register_profile("nightly", NO_CLOCK, max_examples=NIGHTLY)
settings.load_profile("ordinary")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("upstream-ca"))


@pytest.fixture(scope="session")
def upstream(authority: Authority) -> Iterator[Upstream]:
    server = Upstream(authority.server_context("localhost"))
    background = Background(asyncio.new_event_loop())

    async def start() -> asyncio.Server:
        return await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=server.context)

    listening = background.run(start())
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    background.loop.call_soon_threadsafe(listening.close)
    background.end()


@pytest.fixture
def start_gateway(tmp_path: Path, authority: Authority, upstream: Upstream) -> Iterator[Callable[..., RunningGateway]]:
    """Start gateways with rules (TOML) of the test's own; all are stopped, and the journal closed, at its end."""
    stops: list[Callable[[], None]] = []

    def start(rules: str = "", more: str = "", port: int = 0) -> RunningGateway:
        config = gateway_config(tmp_path, authority, upstream, rules, more, port)
        running, stop = run_gateway(config)
        stops.append(stop)
        return running

    yield start
    for stop in stops:
        stop()
