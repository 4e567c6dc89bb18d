"""The issuers as commands open them: the embedded one, to make tokens; all of them, to say who a token is from."""

from typing import TYPE_CHECKING, Final

from gatekeeper.cli.problem import Problem

if TYPE_CHECKING:
    from gatekeeper.config import Config, IssuerConfig
    from gatekeeper.identity import EmbeddedIssuer, Verifier

LIFE: Final = 3600.0
"""Seconds that a token lives where nobody says otherwise and the issuer allows as much."""


def load_verifier(config: "Config") -> "Verifier":
    """Open a verifier as the gateway has it; raises ConfigError."""
    from gatekeeper.identity import Verifier

    embedded = config.embedded_issuer
    return Verifier.load(
        config.identity,
        upstream_ca=config.proxy.upstream_ca,
        embedded=embedded.issuer if embedded is not None else None,
    )


def load_issuer(config: "Config") -> tuple["EmbeddedIssuer", "IssuerConfig"]:
    """Open the embedded issuer; raises Problem."""
    from gatekeeper.identity import EmbeddedIssuer

    terms = config.embedded_issuer
    if terms is None:
        msg = f"identity.issuers: none is the embedded one, whose jwks is {config.data / 'issuer.jwks.json'}"
        raise Problem(msg)
    path = config.keys / "issuer.key"
    try:
        return EmbeddedIssuer.load(path, terms, config.identity.claims), terms
    except FileNotFoundError as error:
        msg = f"{path}: there is no issuer's key yet; `gatekeeper run` makes it on its first run"
        raise Problem(msg) from error
    except PermissionError as error:
        msg = f"{path}: may not be read by you; use a token that you were given (--token-file)"
        raise Problem(msg) from error
    except ValueError as error:
        raise Problem(str(error)) from error


def life(terms: "IssuerConfig") -> float:
    """Give how long a token lives by default, in seconds."""
    return min(LIFE, terms.max_life)
