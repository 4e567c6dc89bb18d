"""The environment of a client: what it must be told, and what of the operator's own it must not be told."""

import fnmatch
import re
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Final

from gatekeeper.config import Config, CredentialConfig

USER: Final = "workload"
"""The user name before the token in a proxy's address; the gateway doesn't read it."""

PLACEHOLDER: Final = "placeholder"
"""Where a library insists on some key: a word that the gateway knows to be none (`gatekeeper.credentials`)."""

# Providers' libraries that refuse to start without a key, before any call could have it put in by the gateway.
INSISTENT: Final = ("ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY")

LOOPBACK: Final = "127.0.0.1,localhost,::1"

# Each names a file that replaces the client's whole store, so it holds the public roots too.
BUNDLE_VARIABLES: Final = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "DENO_CERT",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)

# The operator's: keys, and ways to them. Compared without case.
_OWN: Final = (
    "*API_KEY",
    "*ACCESS_KEY*",
    "*_KEY_ID",
    "*TOKEN",
    "*SECRET*",
    "*PASSWORD*",
    "*CREDENTIALS*",
    "AWS_*",
    "GATEKEEPER_*",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "*_PROXY",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "SSL_CERT_DIR",
)
_REFERENCE: Final = re.compile(r"\$\{env:([^}]+)\}")


def client_environment(proxy: str, certs: PurePath) -> dict[str, str]:
    """Give the variables of a client behind `proxy`, with the gateway's certificates in the folder `certs`."""
    bundle = str(certs / "bundle.pem")
    return {
        "HTTPS_PROXY": proxy,
        "HTTP_PROXY": proxy,
        "https_proxy": proxy,
        "http_proxy": proxy,
        "NO_PROXY": LOOPBACK,
        "no_proxy": LOOPBACK,
        **dict.fromkeys(BUNDLE_VARIABLES, bundle),
        "NODE_EXTRA_CA_CERTS": str(certs / "ca.pem"),
        "NODE_USE_ENV_PROXY": "1",
    }


def handed_on(environment: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """Give the operator's environment without credentials, proxies and the variables named by `secrets`.

    What ends in API_KEY is replaced by a placeholder, since programs look whether it is there.
    """
    kept: dict[str, str] = {}
    for name, value in environment.items():
        if name not in secrets and not _is_own(name):
            kept[name] = value
        elif name.upper().endswith("API_KEY"):
            kept[name] = PLACEHOLDER
    return kept | dict.fromkeys(INSISTENT, PLACEHOLDER)


def secret_variables(config: Config) -> frozenset[str]:
    """Name the variables from which the gateway takes its upstream credentials."""
    return frozenset(
        name for credential in config.credentials.values() for name in _REFERENCE.findall(_shown(credential))
    )


def proxy_url(host: str, port: int, token: str = "") -> str:
    """Write a proxy's address, with the token as the password where there is one."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"http://{USER}:{token}@{place}" if token else f"http://{place}"


def _is_own(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name.upper(), pattern) for pattern in _OWN)


def _shown(credential: CredentialConfig) -> str:
    aws = credential.aws
    templates = (credential.value, *((aws.access_key, aws.secret_key, aws.session_token) if aws else ()))
    return " ".join(template.shown() for template in templates if template is not None)
