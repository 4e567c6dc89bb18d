"""The configuration: one TOML file, read once into frozen, typed structs."""

from gatekeeper.config.load import ConfigError, hide_secrets, load_config, parse_config
from gatekeeper.config.model import (
    Action,
    AdminConfig,
    ApprovalsConfig,
    Config,
    CredentialConfig,
    EgressConfig,
    Foreign,
    IdentityConfig,
    IssuerConfig,
    JournalConfig,
    MaskingConfig,
    OperatorConfig,
    OperatorName,
    ProxyConfig,
    RequestMasking,
    RuleConfig,
)
from gatekeeper.config.values import ByteSize, Seconds, SecretTemplate

__all__ = [
    "Action",
    "AdminConfig",
    "ApprovalsConfig",
    "ByteSize",
    "Config",
    "ConfigError",
    "CredentialConfig",
    "EgressConfig",
    "Foreign",
    "IdentityConfig",
    "IssuerConfig",
    "JournalConfig",
    "MaskingConfig",
    "OperatorConfig",
    "OperatorName",
    "ProxyConfig",
    "RequestMasking",
    "RuleConfig",
    "Seconds",
    "SecretTemplate",
    "hide_secrets",
    "load_config",
    "parse_config",
]
