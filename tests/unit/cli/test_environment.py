"""What a program behind the gateway is told, and what of the operator's it must not be told."""

from pathlib import Path, PurePosixPath

import pytest

from gatekeeper.cli.environment import (
    BUNDLE_VARIABLES,
    INSISTENT,
    PLACEHOLDER,
    client_environment,
    handed_on,
    proxy_url,
    secret_variables,
)
from gatekeeper.config import CredentialConfig, Foreign, SecretTemplate, parse_config
from gatekeeper.credentials import Outgoing, Vault
from gatekeeper.exchange import Scheme, Target


def test_all_that_clients_look_at_is_there() -> None:
    variables = client_environment("http://127.0.0.1:8081", PurePosixPath("/certs"))
    proxies = dict.fromkeys(["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"], "http://127.0.0.1:8081")
    bundles = dict.fromkeys(
        [
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "AWS_CA_BUNDLE",
            "PIP_CERT",
            "GIT_SSL_CAINFO",
            "DENO_CERT",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        ],
        "/certs/bundle.pem",
    )
    rest = {
        "NO_PROXY": "127.0.0.1,localhost,::1",
        "no_proxy": "127.0.0.1,localhost,::1",
        "NODE_EXTRA_CA_CERTS": "/certs/ca.pem",
        "NODE_USE_ENV_PROXY": "1",
    }
    assert variables == proxies | bundles | rest


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_ORG_TOKEN",
        "GITHUB_TOKEN",
        "STRIPE_SECRET_KEY",
        "stripe_secret",
        "DB_PASSWORD",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AZURE_CLIENT_SECRET",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GATEKEEPER_PROXY__LISTEN",
        "SSH_AUTH_SOCK",
        "HTTPS_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "MY_OWN",
    ],
)
def test_the_operators_own_is_not_handed_on(name: str) -> None:
    assert name not in handed_on({name: "x", "PATH": "/bin"}, {"MY_OWN"})


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "PYTHONPATH", "TOKENIZERS_PARALLELISM", "VIRTUAL_ENV"])
def test_the_rest_is_handed_on(name: str) -> None:
    assert handed_on({name: "x"}, ())[name] == "x"


def test_a_key_that_libraries_look_for_becomes_a_placeholder() -> None:
    handed = handed_on({"MISTRAL_API_KEY": "real", "API_KEY": "real", "SECRET_API_KEY": "real"}, {"SECRET_API_KEY"})
    assert "real" not in handed.values()
    assert set(handed) == {"MISTRAL_API_KEY", "API_KEY", "SECRET_API_KEY", *INSISTENT}


def test_the_gateway_knows_the_placeholder_to_be_none() -> None:
    config = CredentialConfig(value=SecretTemplate("Bearer real"), foreign=Foreign.DENY)
    vault = Vault.load({"api.openai.com": config}, {}, b"k" * 32)
    target = Target(Scheme.HTTPS, "api.openai.com", 443)
    applied = vault.apply(target, Outgoing("GET", "/", (("Authorization", f"Bearer {PLACEHOLDER}"),)))
    assert applied.headers == (("Authorization", "Bearer real"),)


def test_variables_of_upstream_credentials_are_named() -> None:
    text = """
    [credentials."a.example"]
    value = "Bearer ${env:ONE}-literal-${env:TWO}"
    [credentials."b.example"]
    value = "${file:/run/secret}"
    """
    assert secret_variables(parse_config(text, Path("config.toml"))) == {"ONE", "TWO"}


@pytest.mark.parametrize(
    ("host", "token", "url"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:80"),
        ("127.0.0.1", "a.b.c", "http://workload:a.b.c@127.0.0.1:80"),
        ("::1", "a.b.c", "http://workload:a.b.c@[::1]:80"),
    ],
)
def test_a_proxys_address(host: str, token: str, url: str) -> None:
    assert proxy_url(host, 80, token) == url


def test_no_variable_is_both_a_bundle_and_a_proxy() -> None:
    assert len(client_environment("p", PurePosixPath("/c"))) == 4 + 2 + len(BUNDLE_VARIABLES) + 2
