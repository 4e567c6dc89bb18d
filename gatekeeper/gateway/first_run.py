"""What the first run makes, and no run overwrites: the CA, the embedded issuer, a first token."""

import os
from pathlib import Path
from typing import Final

from gatekeeper.config import Config, ConfigError
from gatekeeper.exchange import Instant
from gatekeeper.gateway.authority import ensure_authority
from gatekeeper.identity import EmbeddedIssuer

FIRST_SUBJECT: Final = "first-workload"
FIRST_TOKEN_LIFE: Final = 3600
"""Seconds; the issuer's `max_life` may shorten it."""


def prepare(config: Config, now: Instant) -> list[str]:
    """Make what is missing; gives a line for each thing made. Raises ConfigError where half of a pair is there."""
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: list[str] = []
    fresh = not (config.proxy.certs / "ca.pem").exists()
    ensure_authority(config)
    if fresh:
        made.append(f"made the CA: {config.proxy.certs / 'ca.pem'}, and bundle.pem beside it for clients")
    embedded = config.embedded_issuer
    if embedded is None:
        return made
    key, token_path = config.keys / "issuer.key", config.data / "first-token.jwt"
    if not key.exists():
        try:
            issuer = EmbeddedIssuer.create(key, Path(embedded.jwks), embedded, config.identity.claims)
        except (FileExistsError, ValueError) as error:
            raise ConfigError(str(error)) from error
        life = min(FIRST_TOKEN_LIFE, int(embedded.max_life))
        token = issuer.issue(FIRST_SUBJECT, (), None, life, now)
        descriptor = os.open(token_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
        made.append(f"made the issuer and a first token, good for an hour: {token_path}")
    return made
