"""Invariant 8: upstream credentials, identity tokens and signing keys never reach the other side, journal or log."""

import re
import ssl

import httpx
import pytest
from e2e.stage import Installation, config
from harness import Authority, Upstream

SECRET = "sk-live-Zx81QpL0vTn2Kd93WbRm47Yc"
OWN_KEY = "sk-own-Hh28FgT6uJm1Ld05XcBn93Qw"
HEADER = re.compile(rb"^authorization: (.*?)\r?$", re.IGNORECASE | re.MULTILINE)


@pytest.fixture
def gateway(installation: Installation, authority: Authority, upstream: Upstream) -> Installation:
    upstream.reset()
    more = '[credentials."localhost"]\nvalue = "Bearer ${env:PROVIDER_KEY}"\n'
    installation.configure(config(authority.certificate, upstream.port, more=more))
    installation.make_reviewer()
    installation.environment = {"PROVIDER_KEY": SECRET}
    installation.start()
    return installation


def _call(gateway: Installation, port: int, token: str, **more: str) -> httpx.Response:
    trust = ssl.create_default_context(cafile=str(gateway.bundle))
    with httpx.Client(proxy=gateway.proxy(token), verify=trust, trust_env=False, timeout=30) as client:
        return client.post(
            f"https://localhost:{port}/v1/chat/completions", json={"model": "m", "messages": []}, headers=more
        )


def _secrets_of(gateway: Installation, token: str) -> list[str]:
    files = [gateway.data / "keys" / name for name in ("journal.key", "issuer.key", "ca.key")]
    keys = [line for file in files for line in file.read_text().splitlines() if not line.startswith("-")]
    return [SECRET, OWN_KEY, token, token.split(".")[2], *keys]


def _outside_the_keys_folder(gateway: Installation, secrets: list[str]) -> list[tuple[str, str]]:
    kept = gateway.data / "keys"
    first_token = gateway.data / "first-token.jwt"  # made to be handed out
    return [
        (secret[:6], str(path))
        for secret, path in gateway.found(secrets)
        if kept not in path.parents and path != first_token
    ]


def test_the_credential_goes_upstream_and_nowhere_else(gateway: Installation, upstream: Upstream) -> None:
    token = gateway.token("test-bot")
    answer = _call(gateway, upstream.port, token, Authorization=f"Bearer {OWN_KEY}")
    assert answer.status_code == 200
    assert HEADER.findall(bytes(upstream.received)) == [f"Bearer {SECRET}".encode()]
    for hidden in (OWN_KEY, token, "roxy-"):
        assert hidden.encode() not in upstream.received
    assert SECRET not in answer.text + repr(answer.headers)
    secrets = _secrets_of(gateway, token)
    assert not _outside_the_keys_folder(gateway, secrets)
    assert SECRET not in gateway.command("config", "check")
    assert gateway.stop() == 0
    assert not _outside_the_keys_folder(gateway, secrets)


def test_an_identity_header_stays_in_too(gateway: Installation, upstream: Upstream) -> None:
    token = gateway.token("test-bot")
    assert _call(gateway, upstream.port, token, **{"X-Gatekeeper-Identity": token}).status_code == 200
    assert token.encode() not in upstream.received
    assert b"gatekeeper" not in upstream.received.lower()
    assert not _outside_the_keys_folder(gateway, [token])


def test_a_refused_token_is_not_recorded(gateway: Installation, upstream: Upstream) -> None:
    token = gateway.token("test-bot")[:-6] + "AAAAAA"
    with pytest.raises(httpx.ProxyError) as refused:
        _call(gateway, upstream.port, token)
    assert token not in str(refused.value)
    assert upstream.connections == 0
    assert not _outside_the_keys_folder(gateway, [token, token.split(".")[1]])


def test_an_upstream_that_sends_the_credential_back(gateway: Installation, upstream: Upstream) -> None:
    def echo(head: bytes) -> bytes:
        body = b'{"you sent":"' + HEADER.findall(head)[0] + b'"}'
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            + str(len(body)).encode() + b"\r\n\r\n" + body
        )  # fmt: skip

    upstream.reset(echo)
    answer = _call(gateway, upstream.port, gateway.token("test-bot"))
    assert answer.status_code == 200
    assert SECRET not in answer.text
    assert not _outside_the_keys_folder(gateway, [SECRET])


def test_the_files_of_secrets_are_private(gateway: Installation) -> None:
    for path in (gateway.data / "keys").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert (gateway.data / "keys").stat().st_mode & 0o077 == 0
    assert gateway.data.stat().st_mode & 0o077 == 0
    assert (gateway.data / "first-token.jwt").stat().st_mode & 0o077 == 0
