"""`POST /token` over TLS and over the admin socket: what is given works, for one workflow, and is on record."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from harness import RunningGateway, Upstream

from gatekeeper.cli.admin_client import AdminClient
from gatekeeper.exchange import Instant, Party
from gatekeeper.identity import IdentityError
from gatekeeper.identity.trade import GRANT, JWT
from gatekeeper.journal import AdminData, Reader, RefusedData, RequestData

RULES = """
[admin]
token_listen = "127.0.0.1:0"
token_names = ["gatekeeper.test"]
[[identity.exchange]]
workflows = ["monthly-*"]
subjects = ["billing-*", "alice"]
[[rules]]
name = "closing"
hosts = ["localhost"]
workflows = ["monthly-close"]
paths = ["/v1/ledger"]
action = "allow"
"""


@pytest.fixture
def gateway(start_gateway: Callable[..., RunningGateway], monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    from gatekeeper.gateway import server

    listeners, gateway_patience = [], 10  # seconds: proxy.header_timeout
    start = server.TokenListener.start

    async def remembered(*arguments: object) -> object:
        *others, patience = arguments
        assert patience == gateway_patience
        listeners.append(await start(*others, 0.5))  # type: ignore[arg-type]
        return listeners[0]

    monkeypatch.setattr(server.TokenListener, "start", remembered)
    running = start_gateway(RULES)
    running.token_port = listeners[0].port  # type: ignore[attr-defined]
    return running


def post(gateway: RunningGateway, host: str = "localhost", **form: str) -> httpx.Response:
    context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.post(f"https://{host}:{gateway.token_port}/token", data=form)  # type: ignore[attr-defined]


def form(subject_token: str, **more: str) -> dict[str, str]:
    return {"grant_type": GRANT, "subject_token": subject_token, "subject_token_type": JWT, **more}


def recorded[T](gateway: RunningGateway, kind: type[T]) -> list[T]:
    with Reader(gateway.config.journal.folder, None) as reader:
        return [entry.data for entry in reader.entries(0, reader.size) if isinstance(entry.data, kind)]


def test_a_person_behind_an_agent_gets_a_short_token_for_one_workflow(gateway: RunningGateway) -> None:
    person, agent = gateway.token("alice", ("finance",)), gateway.token("billing-bot")
    answer = post(gateway, **form(person, actor_token=agent, actor_token_type=JWT, scope="workflow:monthly-close"))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["token_type"], said["expires_in"], said["scope"]) == ("Bearer", 600, "workflow:monthly-close")
    assert said["issued_token_type"] == JWT
    assert answer.headers["cache-control"] == "no-store"
    subject = gateway.parts.verifier.verify(said["access_token"], gateway.parts.clock())
    assert (subject.sub, subject.workflow, subject.groups) == ("alice", "monthly-close", ("finance",))
    assert subject.actors == (Party("https://gatekeeper.local", "billing-bot"),)
    (entry,) = recorded(gateway, AdminData)
    assert entry.event.value == "token"
    assert entry.detail["act"] == ["https://gatekeeper.local|billing-bot"]
    assert entry.detail["jti"] == subject.jti
    text = repr(recorded(gateway, AdminData))
    assert person not in text
    assert said["access_token"] not in text


def test_the_new_token_does_what_its_workflow_may_and_the_chain_is_recorded(
    gateway: RunningGateway, upstream: Upstream
) -> None:
    person, agent = gateway.token("alice"), gateway.token("billing-bot")
    offer = form(person, actor_token=agent, actor_token_type=JWT, scope="workflow:monthly-close")
    token = post(gateway, **offer).json()["access_token"]
    proxy = f"http://workload:{token}@127.0.0.1:{gateway.port}"
    context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
    with httpx.Client(proxy=proxy, verify=context, trust_env=False) as client:
        assert client.get(f"https://localhost:{upstream.port}/v1/ledger").status_code == 200
        assert client.get(f"https://localhost:{upstream.port}/v1/refunds").status_code == 403
    request = recorded(gateway, RequestData)[0]
    assert request.subject.act == (Party("https://gatekeeper.local", "billing-bot"),)
    assert (request.subject.sub, request.subject.workflow) == ("alice", "monthly-close")


REFUSED = {
    "no form": ({}, 400, "unsupported_grant_type"),
    "another workflow": ({"scope": "workflow:payroll"}, 403, "unauthorized_client"),
    "no workflow": ({}, 400, "invalid_scope"),
    "another audience": ({"scope": "workflow:monthly-close", "audience": "api"}, 400, "invalid_target"),
    "a token of nobody": ({"scope": "workflow:monthly-close", "subject_token": "a.b.c"}, 400, "invalid_request"),
    "SAML": ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml1"}, 400, "invalid_request"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_no_is_said_in_the_standards_words_and_recorded(gateway: RunningGateway, name: str) -> None:
    changes, status, error = REFUSED[name]
    offer = {} if name == "no form" else form(gateway.token("billing-bot")) | changes
    answer = post(gateway, **(offer or {"x": "y"}))
    assert (answer.status_code, answer.json()["error"]) in {(status, error), (400, "invalid_request")}
    assert recorded(gateway, RefusedData)[0].target == "/token"
    assert recorded(gateway, AdminData) == []


def test_nobody_else_is_given_a_token(gateway: RunningGateway) -> None:
    answer = post(gateway, **form(gateway.token("intruder"), scope="workflow:monthly-close"))
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")


def test_a_token_that_is_revoked_takes_what_it_was_traded_for_with_it(gateway: RunningGateway) -> None:
    original = gateway.token("billing-bot")
    jti = str(gateway.parts.verifier.verify(original, gateway.parts.clock()).jti)
    token = post(gateway, **form(original, scope="workflow:monthly-close")).json()["access_token"]
    with AdminClient(gateway.config.admin_socket) as client:
        client.lock("token", jti, "", "")
    traded = gateway.parts.verifier.verify(token, gateway.parts.clock())
    with pytest.raises(IdentityError, match="revoked"):
        gateway.parts.locks.check(traded)
    assert post(gateway, **form(original, scope="workflow:monthly-close")).status_code == 400


def test_a_traded_token_can_not_be_traded_for_another_workflow_nor_a_longer_life(gateway: RunningGateway) -> None:
    token = post(gateway, **form(gateway.token("billing-bot"), scope="workflow:monthly-close")).json()["access_token"]
    assert post(gateway, **form(token, scope="workflow:monthly-open")).status_code == 400
    again = post(gateway, **form(token)).json()
    one, two = (gateway.parts.verifier.verify(each, gateway.parts.clock()) for each in (token, again["access_token"]))
    assert two.expires <= one.expires + Instant(1_000_000)


def test_the_listener_for_containers_offers_nothing_else(gateway: RunningGateway) -> None:
    context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
    base = f"https://localhost:{gateway.token_port}"  # type: ignore[attr-defined]
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.get(f"{base}/healthz").json() == {"status": "ok"}
        for path in ("/v1/approvals", "/v1/locks", "/v1/approvals/x", "/", "/token/", "/docs"):
            assert client.get(f"{base}{path}").status_code == 404
        assert client.post(f"{base}/v1/locks", json={"kind": "all"}).status_code == 404
        assert client.get(f"{base}/token").status_code == 405
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as client:
        client.get(f"{base}/healthz")


HALVES = {
    "says nothing": b"",
    "half a line": b"POST /to",
    "half a head": b"POST /token HTTP/1.1\r\nHost: a\r\n",
    "half a body": b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 9\r\n\r\na=",
    "half a second request": b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /hea",
}


@pytest.mark.parametrize("said", HALVES.values(), ids=HALVES)
def test_who_does_not_say_a_whole_request_in_time_is_cut_off(gateway: RunningGateway, said: bytes) -> None:
    context = ssl.create_default_context(cafile=str(gateway.config.proxy.certs / "ca.pem"))
    port: int = gateway.token_port  # type: ignore[attr-defined]
    with (
        socket.create_connection(("localhost", port), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        connection.sendall(said)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.rpartition(b"HTTP/1.1 ")[2].startswith(b"408 ")


def test_the_admin_socket_gives_tokens_too(gateway: RunningGateway) -> None:
    transport = httpx.HTTPTransport(uds=str(gateway.config.admin_socket))
    with httpx.Client(transport=transport) as client:
        offer = form(gateway.token("billing-bot"), scope="workflow:monthly-close")
        assert client.post("http://gatekeeper/token", data=offer).status_code == 200
        long = client.post("http://gatekeeper/token", data=offer | {"subject_token": "x" * 70_000})
        assert long.status_code == 400


def test_without_a_table_nobodys_token_is_traded(start_gateway: Callable[..., RunningGateway]) -> None:
    gateway = start_gateway()
    transport = httpx.HTTPTransport(uds=str(gateway.config.admin_socket))
    with httpx.Client(transport=transport) as client:
        answer = client.post("http://gatekeeper/token", data=form(gateway.token("bot"), scope="workflow:w"))
    assert (answer.status_code, answer.json()["error"]) == (403, "unauthorized_client")


def test_a_saml_assertion_is_traded(start_gateway: Callable[..., RunningGateway], tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from unit.identity.test_saml import CERTIFICATE, ISSUER, RECIPIENT, assertion, encoded, signed

    (tmp_path / "idp.pem").write_bytes(CERTIFICATE.public_bytes(serialization.Encoding.PEM))
    gateway = start_gateway(
        f'[[identity.saml]]\nissuer = "{ISSUER}"\ncertificates = "idp.pem"\n'
        f'recipient = "{RECIPIENT}"\ngroups = "memberOf"\n'
        f'[[identity.exchange]]\nworkflows = ["close"]\nissuers = ["{ISSUER}"]\n'
    )
    transport = httpx.HTTPTransport(uds=str(gateway.config.admin_socket))
    with httpx.Client(transport=transport) as client:
        offer = form(encoded(signed(assertion())), scope="workflow:close")
        offer["subject_token_type"] = "urn:ietf:params:oauth:token-type:saml2"
        answer = client.post("http://gatekeeper/token", data=offer)
        refused = client.post("http://gatekeeper/token", data=offer | {"subject_token": encoded(b"<a/>")})
    assert answer.status_code == 200, answer.text
    subject = gateway.parts.verifier.verify(answer.json()["access_token"], gateway.parts.clock())
    assert (subject.iss, subject.sub, subject.groups, subject.workflow) == (ISSUER, "alice", ("finance",), "close")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
