import asyncio
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.config import SecretTemplate, VaultConfig
from gatekeeper.credentials import CredentialUnavailable
from gatekeeper.credentials.secret import Secret, Sources
from gatekeeper.credentials.sources import Fetched, FetchFailed


def resolved(text: str, service: VaultConfig | None = None) -> str:
    secret = Secret("a.example", SecretTemplate(text), Sources({"TOKEN": "t0ken"}, service or VaultConfig()), 60)
    asyncio.run(secret.prepare())
    return secret.resolve()


def test_a_program_gives_its_first_line() -> None:
    assert resolved("Bearer ${command:/bin/echo s3cret}") == "Bearer s3cret"


@pytest.mark.parametrize("line", ["echo s3cret", "", "'unbalanced"])
def test_a_program_is_named_by_its_path(line: str) -> None:
    with pytest.raises(ValueError, match="command"):
        Secret("a.example", SecretTemplate(f"${{command:{line} }}"), Sources({}, VaultConfig()), 60)


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("print('s3cret'); raise SystemExit(3)", "ended with 3"),
        ("pass", "gave nothing"),
        ("print('s3crét')", "no short ASCII text"),
        ("print('s3cret' * 20000)", "no short ASCII text"),
    ],
)
def test_a_program_that_gives_no_secret_is_named_and_nothing_of_what_it_said(
    program: str, problem: str, tmp_path: Path
) -> None:
    script = tmp_path / "program.py"
    script.write_text(program)
    with pytest.raises(CredentialUnavailable, match=problem) as caught:
        resolved(f"${{command:{sys.executable} {script}}}")
    assert "s3cr" not in str(caught.value).replace(str(script), "")


class Service(http.server.BaseHTTPRequestHandler):
    answer = (200, b"")
    asked: tuple[str, str | None] = ("", None)

    def do_GET(self) -> None:
        type(self).asked = self.path, self.headers["X-Vault-Token"]
        self.send_response(self.answer[0])
        self.send_header("Location", "http://elsewhere.example/")
        self.end_headers()
        self.wfile.write(self.answer[1])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[VaultConfig]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield VaultConfig(address=f"http://127.0.0.1:{server.server_port}", token=SecretTemplate("${env:TOKEN}"))
    server.shutdown()


@pytest.mark.parametrize("data", [{"data": {"key": "s3cret"}}, {"data": {"data": {"key": "s3cret"}, "metadata": {}}}])
def test_a_service_gives_a_field_of_either_version(data: dict[str, object], service: VaultConfig) -> None:
    Service.answer = 200, json.dumps(data).encode()
    assert resolved("Bearer ${vault:secret/data/openai#key}", service) == "Bearer s3cret"
    assert Service.asked == ("/v1/secret/data/openai", "t0ken")


@pytest.mark.parametrize(
    "answer",
    [
        (404, b'{"errors": ["s3cret"]}'),
        (302, b""),
        (200, b'{"data": {"other": "s3cret"}}'),
        (200, b'{"data": {"key": ["s3cret"]}}'),
        (200, b"s3cret"),
        (200, b'{"data": {"key": ""}}'),
        (200, b'{"data": {"key": "' + b"s3cret" * 20000 + b'"}}'),
    ],
)
def test_a_service_that_gives_no_secret_is_named_and_nothing_of_what_it_said(
    answer: tuple[int, bytes], service: VaultConfig
) -> None:
    Service.answer = answer
    with pytest.raises(CredentialUnavailable) as caught:
        resolved("${vault:secret/data/openai#key}", service)
    assert "s3cret" not in str(caught.value)
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("http://vault.example:8200", "a#b"),
        ("", "a#b"),
        ("https://vault.example", "a"),
        ("https://vault.example", "#b"),
    ],
)
def test_a_service_is_asked_over_https_and_for_a_field(address: str, place: str) -> None:
    with pytest.raises(ValueError, match="vault"):
        Secret("a", SecretTemplate(f"${{vault:{place}}}"), Sources({}, VaultConfig(address=address)), 60)


def test_many_who_wait_share_one_fetch_and_a_new_one_is_made_in_its_time() -> None:
    fetches: list[int] = []

    def fetch() -> str:
        fetches.append(1)
        return f"secret-{len(fetches)}"

    async def play() -> None:
        lasting, short = Fetched("a", fetch, 3600), Fetched("b", fetch, 0)
        await asyncio.gather(*(lasting.prepare() for _ in range(20)))
        assert (len(fetches), lasting.read()) == (1, "secret-1")
        await short.prepare()
        await short.prepare()
        assert (len(fetches), short.read(), lasting.read()) == (3, "secret-3", "secret-1")

    asyncio.run(play())


def test_the_last_secret_is_used_on_while_its_source_fails() -> None:
    answers = iter(["s3cret"])

    def fetch() -> str:
        try:
            return next(answers)
        except StopIteration:
            msg = "failed"
            raise FetchFailed(msg) from None

    async def play() -> None:
        fetched = Fetched("a", fetch, 0)
        await fetched.prepare()
        await fetched.prepare()
        assert fetched.read() == "s3cret"

    asyncio.run(play())
