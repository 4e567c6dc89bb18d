import pytest

from gatekeeper.cli.doctor.clients import CLIENTS, judge
from gatekeeper.cli.doctor.outcome import State

BY_NAME = {client.name: client for client in CLIENTS}


@pytest.mark.parametrize(
    ("name", "code", "output", "state", "mend"),
    [
        ("curl", 0, '{"error":{"message":"Gatekeeper: no rule allows GET"}}', State.OK, ""),
        ("git", 128, "fatal: unable to access 'https://x/': The requested URL returned error: 403", State.OK, ""),
        ("curl", 60, "curl: (60) SSL certificate problem: unable to get local issuer", State.WRONG, "CURL_CA_BUNDLE"),
        ("python requests", 1, "SSLCertVerificationError: self-signed", State.WRONG, "REQUESTS_CA_BUNDLE"),
        ("node", 1, "cause: UNABLE_TO_GET_ISSUER_CERT_LOCALLY", State.WRONG, "NODE_EXTRA_CA_CERTS"),
        ("node", 9, "node: bad option: --use-env-proxy", State.SKIPPED, ""),
        ("curl", 56, "curl: (56) CONNECT tunnel failed, response 407", State.WRONG, "HTTPS_PROXY"),
        ("curl", 6, "curl: (6) Could not resolve host: gatekeeper-doctor.invalid", State.WRONG, "gatekeeper env"),
        ("python httpx", 1, "ConnectError: Name or service not known", State.WRONG, "gatekeeper env"),
    ],
)
def test_what_a_client_says_is_read(name: str, code: int, output: str, state: State, mend: str) -> None:
    outcome = judge(BY_NAME[name], code, output)
    assert outcome.state is state
    assert mend in outcome.mend
