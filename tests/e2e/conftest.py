"""Mock providers that others wrote, behind real TLS, and gateways as processes of their own."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e.stage import CANARIES, Installation, config

from gatekeeper.cli.demo.certificates import ServerCertificate, make_certificate
from gatekeeper.cli.demo.processes import Processes
from gatekeeper.cli.demo.upstreams import Upstream, start_upstream


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    return make_certificate(tmp_path_factory.mktemp("upstreams") / "tls")


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("processes")) as running:
        yield running


@pytest.fixture(scope="session")
def model(processes: Processes, certificate: ServerCertificate) -> Upstream:
    """Llmock: OpenAI's, Anthropic's and Gemini's formats."""
    return start_upstream(processes, "model", "llmock.main:app", certificate)


@pytest.fixture(scope="session")
def refunds(processes: Processes, certificate: ServerCertificate) -> Upstream:
    return start_upstream(processes, "refunds", "gatekeeper.cli.demo.refunds:app", certificate)


@pytest.fixture(scope="session")
def untrusted(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    """An upstream whose certificate is signed by a CA that the gateway does not know."""
    other = make_certificate(tmp_path_factory.mktemp("untrusted") / "tls")
    return start_upstream(processes, "untrusted", "gatekeeper.cli.demo.refunds:app", other)


@pytest.fixture(scope="session")
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and that nobody can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="session")
def gateway(
    tmp_path_factory: pytest.TempPathFactory,
    certificate: ServerCertificate,
    model: Upstream,
    refunds: Upstream,
    untrusted: Upstream,
    closed_port: int,
) -> Iterator[Installation]:
    """The gateway that most tests share. At its end its journal must verify, and hold no canary."""
    running = Installation(tmp_path_factory.mktemp("gateway"))
    running.make_reviewer()
    running.configure(config(certificate.ca, model.port, refunds.port, untrusted.port, closed_port))
    running.start()
    try:
        yield running
        assert not running.found(CANARIES)  # the WAL included
        assert running.stop() == 0
        assert not running.found(CANARIES)
        running.command("journal", "verify")
    finally:
        running.kill()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """A gateway of the test's own, not yet configured or started."""
    own = Installation(tmp_path / "own")
    own.folder.mkdir()
    yield own
    own.kill()


@pytest.fixture
def reply(model: Upstream) -> Iterator[Callable[..., None]]:
    """Tell the mock model what it answers next."""

    def script(text: str, times: int = 1, **more: object) -> None:
        behavior = {"type": "reply", "text": text, "times": times, **more}
        model.client.post("/_llmock/scenario", json={"behaviors": [behavior]}).raise_for_status()

    model.client.post("/_llmock/reset").raise_for_status()
    yield script
    model.client.post("/_llmock/reset").raise_for_status()


@pytest.fixture
def as_client(gateway: Installation, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make this process a client of the shared gateway, by its environment alone; gives its subject."""
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in gateway.client("library-bot").items():
        monkeypatch.setenv(name, value)
    return "library-bot"
