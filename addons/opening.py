"""What a run of the gateway states of itself, in `open` and `config` entries: light, for who writes a single entry."""

import tomli_w

from gatekeeper import VERSION
from gatekeeper.approvals.keygen import read_signers
from gatekeeper.config import Config, ConfigError, hide_secrets
from gatekeeper.journal.opening import Opening
from gatekeeper.journal.writer import Limits


def opening_of(config: Config) -> Opening:
    """Give what `open` states of a run with this configuration; raises ConfigError."""
    return Opening(version=VERSION, config_text=config_text(config), signers=signers_of(config))


def limits_of(config: Config) -> Limits:
    """Give when a segment of the journal ends."""
    return Limits(bytes=int(config.journal.segment_size), monthly=config.journal.segment_monthly)


def config_text(config: Config) -> str:
    """Give the configuration in force as the journal keeps it: complete, secrets hidden."""
    return tomli_w.dumps(hide_secrets(config))


def signers_of(config: Config) -> str:
    """Read the reviewers' keys that are in force; raises ConfigError."""
    try:
        return read_signers(config.approvals.reviewers)
    except (OSError, ValueError) as error:
        msg = f"approvals.reviewers: {error}"
        raise ConfigError(msg) from error
