"""Whether the client libraries that are installed here go through the gateway, and trust its CA.

Each is told to call a host that does not exist. The gateway answers such a call itself, inside TLS under its own
CA, before it would look the name up: an answer of the gateway's shows proxy and trust at once, and nothing leaves.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from gatekeeper.cli.doctor.outcome import Outcome, note, ok, skipped, wrong

URL: Final = "https://gatekeeper-doctor.invalid/"  # RFC 6761 §6.4
MARK: Final = "gatekeeper: "
"""What a refusal of the gateway's begins with; the host's own name stands in other errors too."""
PATIENCE: Final = 30

_URLLIB: Final = """
import sys, urllib.request, urllib.error
try:
    urllib.request.urlopen(sys.argv[1], timeout=20)
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""
_REQUESTS: Final = "import sys, requests; print(requests.get(sys.argv[1], timeout=20).text)"
_HTTPX: Final = "import sys, httpx; print(httpx.get(sys.argv[1], timeout=20).text)"
_AIOHTTP: Final = """
import asyncio, sys, aiohttp
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session, session.get(sys.argv[1]) as answer:
        print(await answer.text())
asyncio.run(main())
"""
_NODE: Final = (
    "fetch(process.argv[1]).then(a => a.text()).then(console.log, e => { console.error(e); process.exit(1) })"
)


class Client(msgspec.Struct, frozen=True):
    """A client: the command that calls, what tells that it is there, and the variable that names a CA to it."""

    name: str
    program: str
    command: tuple[str, ...]
    variable: str
    probe: tuple[str, ...] = ()


def _python(name: str, code: str, variable: str, module: str = "") -> Client:
    probe = (sys.executable, "-c", f"import {module}") if module else ()
    return Client(name, sys.executable, (sys.executable, "-c", code, URL), variable, probe)


CLIENTS: Final = (
    _python("python ssl", _URLLIB, "SSL_CERT_FILE"),
    _python("python requests", _REQUESTS, "REQUESTS_CA_BUNDLE", "requests"),
    _python("python httpx", _HTTPX, "SSL_CERT_FILE", "httpx"),
    _python("python aiohttp", _AIOHTTP, "SSL_CERT_FILE", "aiohttp"),
    Client("curl", "curl", ("curl", "-sS", "--max-time", "20", URL), "CURL_CA_BUNDLE"),
    Client("git", "git", ("git", "ls-remote", URL), "GIT_SSL_CAINFO"),
    Client("node", "node", ("node", "--use-env-proxy", "-e", _NODE, URL), "NODE_EXTRA_CA_CERTS"),
)


def clients(environment: Mapping[str, str]) -> Iterator[Outcome]:
    """Call with each client that is found, with the environment that programs here have."""
    for client in CLIENTS:
        if shutil.which(client.program) is None or not _there(client):
            yield skipped(client.name, "is not installed here")
        else:
            yield judge(client, *_call(client, environment))
    yield _java(environment)


def judge(client: Client, code: int, output: str) -> Outcome:
    """Read what a client said: the gateway's refusal, in whatever form the client shows it, is what is wanted."""
    text = output.lower()
    if any(word in text for word in ("certificate", "self-signed", "self signed", "ssl", "unable_to_get_issuer")):
        return wrong(
            client.name, "does not trust the gateway's CA", f"set {client.variable} to the gateway's bundle.pem"
        )
    if "407" in text or "proxy authentication" in text:
        return wrong(
            client.name,
            "the gateway takes no token from it",
            "put a fresh token into HTTPS_PROXY (gatekeeper identity issue), or run gatekeeper relay",
        )
    if MARK in text or (client.name == "git" and "403" in text):
        return ok(client.name, "goes through the gateway, and trusts its CA")
    if "bad option" in text:
        return skipped(client.name, "is older than 22.21, and can't be told to use a proxy by its environment")
    return wrong(
        client.name,
        f"does not reach the gateway (it ended with {code})",
        'set its proxy variables: eval "$(gatekeeper env)"',
    )


def _there(client: Client) -> bool:
    if not client.probe:
        return True
    return subprocess.run(client.probe, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own words


def _call(client: Client, environment: Mapping[str, str]) -> tuple[int, str]:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            client.command,
            env={**environment, "GIT_TERMINAL_PROMPT": "0"},
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, type(error).__name__
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def _java(environment: Mapping[str, str]) -> Outcome:
    """Look for the trust that Java is told; compiling a program to call with would take a whole JDK."""
    if shutil.which("java") is None:
        return skipped("java", "is not installed here")
    options = environment.get("JAVA_TOOL_OPTIONS", "")
    missing = [name for name in ("javax.net.ssl.trustStore", "https.proxyHost") if name not in options]
    if missing:
        mend = "keytool -importcert -file ca.pem -keystore gk.p12 …; then set it, and the proxy, in JAVA_TOOL_OPTIONS"
        return note("java", f"JAVA_TOOL_OPTIONS lacks -D{', -D'.join(missing)}", mend)
    return ok("java", "JAVA_TOOL_OPTIONS names a trust store and the proxy")


def here() -> dict[str, str]:
    """Give the environment of this process, as programs here get it."""
    return dict(os.environ)
