"""Bad input: each gets a clear line where the person or the client sees it, and an entry where one can be written."""

import base64
import random
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from e2e.stage import GATEKEEPER, Installation, basics, bearer, config, wait_for

from gatekeeper.cli.demo.certificates import ServerCertificate
from gatekeeper.cli.demo.upstreams import Upstream
from gatekeeper.exchange import now

HOUR = 3_600_000_000


# --- a client that is not who it must be


def _unknown_issuer(_: Installation) -> str:
    seconds = now() // 1_000_000
    claims = {"iss": "https://elsewhere.example", "aud": "gatekeeper", "sub": "x", "iat": seconds, "exp": seconds + 60}
    return jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "k"})


CREDENTIALS: dict[str, tuple[Callable[[Installation], str], str]] = {
    "no token": (lambda _: "", "no-credential"),
    "expired": (lambda gateway: bearer(gateway.token("x", at=now() - 2 * HOUR)), "expired-token"),
    "unknown issuer": (lambda gateway: bearer(_unknown_issuer(gateway)), "unknown-issuer"),
    "no JWT": (lambda _: bearer("sesame"), "bad-token"),
    "no JWT as password": (
        lambda _: f"Proxy-Authorization: Basic {base64.b64encode(b'joe:sesame').decode()}\r\n",
        "bad-token",
    ),
}


@pytest.mark.parametrize(("credential", "reason"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_a_bad_identity_is_refused_at_connect(
    credential: Callable[[Installation], str], reason: str, gateway: Installation
) -> None:
    start = gateway.size
    # A target of its own: equal refusals within a minute are one entry.
    host = f"{reason}-{len(credential(gateway))}.example"
    head = f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n" + credential(gateway)
    connection, answer = gateway.connect(host, 443, head)
    connection.close()
    assert answer.startswith(b"HTTP/1.1 407 Gatekeeper: "), answer
    assert b"\r\nProxy-Authenticate: " in answer
    entry = gateway.refused(start)
    assert (entry.data.reason, entry.data.target) == (reason, f"{host}:443")
    assert "sesame" not in repr(entry)


@pytest.mark.parametrize("library", ["httpx", "requests"])
def test_a_library_shows_why_the_identity_is_refused(library: str, gateway: Installation) -> None:
    url, proxy = "https://unidentified.example/", f"http://127.0.0.1:{gateway.port}"
    call = {
        "httpx": lambda: httpx.get(url, proxy=proxy, trust_env=False),
        "requests": lambda: requests.get(url, proxies={"https": proxy}, timeout=30),
    }[library]
    with pytest.raises((httpx.ProxyError, requests.exceptions.RequestException), match="no identity; put a token into"):
        call()


# --- what is no CONNECT


MALFORMED = {
    "no port": "CONNECT localhost HTTP/1.1\r\nHost: localhost\r\n",
    "no host": "CONNECT :443 HTTP/1.1\r\nHost: x\r\n",
    "no version": "CONNECT localhost:443\r\n",
    "a path": "CONNECT /v1/chat HTTP/1.1\r\nHost: x\r\n",
    "two spaces": "CONNECT  localhost:443 HTTP/1.1\r\nHost: x\r\n",
    "port of letters": "CONNECT localhost:https HTTP/1.1\r\nHost: x\r\n",
    "another protocol": "SSH-2.0-OpenSSH_9.6\r\n",
    "https in absolute form": "GET https://localhost/ HTTP/1.1\r\nHost: localhost\r\n",
}


@pytest.mark.parametrize("head", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_connect_is_answered_and_recorded(head: str, gateway: Installation) -> None:
    credential = bearer(gateway.token("test-bot")) if "HTTP/1.1" in head else ""
    connection, answer = gateway.connect("", 0, head + credential)
    connection.close()
    assert answer.startswith(b"HTTP/1.1 400 "), answer

    def recorded() -> bool:  # equal refusals within a minute are one entry, so it may be an earlier one
        return any(entry.data.reason == "malformed" for entry in gateway.entries() if entry.kind == "refused")

    wait_for(recorded, "a refused entry")


# --- where it may not go, or can't


def _get(gateway: Installation, url: str) -> httpx.Response:
    with httpx.Client(
        proxy=gateway.proxy(gateway.token("test-bot")), verify=_trust(gateway), trust_env=False
    ) as client:
        return client.get(url, timeout=30)


def _trust(gateway: Installation) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(gateway.bundle))


def test_a_host_that_no_rule_names_is_denied(gateway: Installation, model: Upstream) -> None:
    start = gateway.size
    answer = _get(gateway, f"https://nowhere.example:{model.port}/v1/chat/completions")
    assert answer.status_code == 403
    assert answer.headers["x-should-retry"] == "false"
    message = answer.json()["error"]["message"]
    (exchange,) = gateway.ended(start)
    assert exchange.request.exchange == answer.headers["x-gatekeeper-exchange"]
    assert "nowhere.example" in message
    assert "rule" in message
    assert "\n" not in message
    assert exchange.request.data.verdict.action == "deny"
    assert (exchange.end.data.by, exchange.end.data.reason) == ("gateway", "no-rule")


def test_an_upstream_that_is_down(gateway: Installation, closed_port: int) -> None:
    start = gateway.size
    answer = _get(gateway, f"https://localhost:{closed_port}/thing")
    assert answer.status_code == 502
    assert "can't be reached" in answer.json()["error"]["message"]
    (exchange,) = gateway.ended(start)
    assert exchange.end.data.reason == "upstream-unreachable"


def test_an_upstream_with_an_untrusted_certificate(gateway: Installation, untrusted: Upstream) -> None:
    start = gateway.size
    answer = _get(gateway, f"{untrusted.url}/v1/refunds")
    assert answer.status_code == 502
    assert "certificate is not trusted" in answer.json()["error"]["message"]
    (exchange,) = gateway.ended(start)
    assert exchange.end.data.reason == "upstream-untrusted"


# --- what its operator sees


def _failed_start(installation: Installation) -> str:
    """Start a gateway that can't; gives the one line that says why."""
    done = subprocess.run(
        [*installation.prefix, *GATEKEEPER, "run"],
        cwd=installation.folder,
        env=basics(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("gatekeeper: ")
    return lines[0]


BROKEN = {
    "no TOML": ("[proxy\n", "not TOML"),
    "a wrong type": ("[proxy]\nworkers = 'many'\n", "proxy.workers: expected int, got str"),
    "an unknown key": ("[proxy]\nlissten = 'x'\n", "proxy.lissten: unknown key"),
    "a key of a later version": (
        "[[rules]]\nname = 'x'\naction = 'allow'\nbudget = 'x'\n",
        "rules[0].budget: not acted on by this version",
    ),
    "an unknown group": (
        "[[rules]]\nname = 'x'\naction = 'hold'\nreviewers = ['nobody']\n",
        "rules[0].reviewers[0]: 'nobody' is no group",
    ),
    "a filter that is none": ("[[rules]]\nname = 'x'\naction = 'allow'\nmatch = '~~'\n", "'~~' is no mitmproxy filter"),
    "an upstream CA that is missing": ("[proxy]\nupstream_ca = 'no.pem'\n", "proxy.upstream_ca"),
}


@pytest.mark.parametrize(("text", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_configuration(text: str, expected: str, installation: Installation) -> None:
    installation.configure(text)
    assert expected in _failed_start(installation)


def test_a_secret_that_is_missing(installation: Installation, certificate: ServerCertificate, model: Upstream) -> None:
    more = "[credentials.localhost]\nvalue = 'Bearer ${env:NOT_SET_ANYWHERE}'\n"
    installation.configure(config(certificate.ca, model.port, more=more))
    installation.start()
    answer = _get(installation, f"{model.url}/v1/models")
    assert answer.status_code == 503
    assert "NOT_SET_ANYWHERE" in answer.json()["error"]["message"]
    (exchange,) = installation.ended(0)
    assert exchange.end.data.reason == "credential-unavailable"


def test_a_missing_configuration(installation: Installation) -> None:
    done = subprocess.run(
        [*GATEKEEPER, "run", "--config", "none.toml"],
        cwd=installation.folder,
        env=basics(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "none.toml" in done.stderr


def test_a_port_that_is_taken(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        installation.configure(f'[proxy]\nlisten = "{place}"\n')
        assert f"proxy.listen: {place}: is taken by another program" in _failed_start(installation)
    # The run that could not serve is closed in order, and the next one serves.
    installation.start()
    assert installation.stop() == 0
    installation.command("journal", "verify")


def test_a_data_folder_that_is_read_only(installation: Installation) -> None:
    installation.configure('[proxy]\nlisten = "127.0.0.1:0"\n')
    installation.prefix = without_override()
    installation.data.mkdir()
    installation.data.chmod(0o500)
    assert str(installation.data) in _failed_start(installation)


def test_a_journal_that_is_read_only(installation: Installation) -> None:
    installation.configure('[proxy]\nlisten = "127.0.0.1:0"\n')
    installation.prefix = without_override()
    installation.start()
    assert installation.stop() == 0
    (installation.data / "journal").chmod(0o500)
    (installation.data / "journal" / "journal.db").chmod(0o400)
    assert str(installation.data / "journal") in _failed_start(installation)


def without_override() -> tuple[str, ...]:
    """Give a prefix under which file modes bind root too."""
    probe = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--")
    try:
        subprocess.run([*probe, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        if Path("/proc/self/fd").stat().st_uid == 0:
            pytest.skip("as root, and capabilities can't be dropped: file modes don't bind")
        return ()
    return probe


def test_a_full_disk(
    installation: Installation, certificate: ServerCertificate, model: Upstream, reply: Callable[..., None]
) -> None:
    """No file may grow past a limit: the journal fails, the client is told, and from then on nothing passes."""
    reply("Fine.", times=1000)
    installation.configure(config(certificate.ca, model.port))
    installation.prefix = ("prlimit", "--fsize=400000", "--")
    installation.start()
    answers: list[int] = []
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": ""}]}
    proxy = installation.proxy(installation.token("test-bot"))
    with httpx.Client(proxy=proxy, verify=_trust(installation), trust_env=False, timeout=30) as client:
        for number in range(200):
            body["messages"][0]["content"] = _incompressible(number)
            answer = client.post(f"{model.url}/v1/chat/completions", json=body)
            answers.append(answer.status_code)
            if answer.status_code != 200:
                break
    assert answers[0] == 200
    assert answer.status_code == 503
    assert "Gatekeeper can't record, so nothing passes" in answer.json()["error"]["message"]
    model.client.post("/_llmock/reset").raise_for_status()
    assert _get(installation, f"{model.url}/v1/models").status_code == 503
    assert model.client.get("/_llmock/requests").json()["count"] == 0
    wait_for(lambda: "the journal can't be written" in installation.log, "a line in the log")
    assert "Traceback" not in installation.log
    installation.kill()
    installation.prefix = ()
    installation.start()  # with room again, what was acknowledged is there
    assert installation.stop() == 0
    installation.command("journal", "verify")


def _incompressible(number: int) -> str:
    return random.Random(number).randbytes(6000).hex()  # noqa: S311 - filling, no secret
