"""`gatekeeper config`: is the configuration good, and what is in force."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json

if TYPE_CHECKING:
    from gatekeeper.config import Config


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@json_option
@settings_option
def check(*, as_json: bool) -> None:
    """Print what is in force, secrets hidden; or the first error (exit 2)."""
    from gatekeeper.config import hide_secrets

    loaded = load_settings()
    check_parts(loaded)
    if as_json:
        print_json(hide_secrets(loaded))
        return
    import tomli_w

    click.echo(tomli_w.dumps(hide_secrets(loaded)), nl=False)


def check_parts(loaded: "Config") -> None:
    """Compile all that `run` would compile of a configuration; raises ConfigError. Nothing is made or opened."""
    from addons.parts import check_detectors, open_vault
    from addons.policy import compile_filter
    from gatekeeper.identity import Verifier
    from gatekeeper.policy import Policy

    for name, expression in Policy(loaded.rules, loaded.egress.ports).filters:
        compile_filter(name, expression)
    check_detectors(loaded)
    open_vault(loaded, b"")
    _check_signers(loaded.approvals.reviewers)
    # The embedded issuer's key set is made by the first run; another's has to be there.
    embedded = loaded.embedded_issuer
    if embedded is None or Path(embedded.jwks).exists():
        Verifier.load(loaded.identity)


def _check_signers(path: Path) -> None:
    from gatekeeper.approvals import read_signers
    from gatekeeper.config import ConfigError

    try:
        read_signers(path)
    except (OSError, ValueError) as error:
        msg = f"approvals.reviewers: {error}"
        raise ConfigError(msg) from error
