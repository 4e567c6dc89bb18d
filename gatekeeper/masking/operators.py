"""What is done with a finding (DESIGN §5): replace, redact, mask, hash, keep."""

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from typing import Final, Self, assert_never

from gatekeeper.config import ConfigError, OperatorConfig, OperatorName

HASH_DIGITS: Final = 12
"""Hex digits of a keyed hash: 48 bits tell the values of one journal apart."""

DEFAULT: Final = "default"

type Table = Mapping[str, str | OperatorConfig]
type Operator = Callable[[str, str], str | None]


class Operators:
    """A table of operators by entity; `default` covers the rest, and is `replace` where it is absent."""

    __slots__ = ("_by_entity", "_default", "keeps")

    def __init__(self, table: Table, key: bytes) -> None:
        configs = {entity: _config(operator) for entity, operator in table.items()}
        default = configs.pop(DEFAULT, OperatorConfig(operator=OperatorName.REPLACE))
        self._by_entity = {entity: _operator(config, key) for entity, config in configs.items()}
        self._default = _operator(default, key)
        self.keeps = any(config.operator is OperatorName.KEEP for config in (default, *configs.values()))

    def apply(self, entity: str, value: str) -> str | None:
        """Give what stands instead of a value; None where it is kept."""
        return self._by_entity.get(entity, self._default)(entity, value)

    @classmethod
    def recorded(cls, table: Table, key: bytes) -> Self:
        """Give the same table for what is recorded: nothing is kept there."""
        never_clear = {
            entity: OperatorName.REPLACE.value if _config(operator).operator is OperatorName.KEEP else operator
            for entity, operator in table.items()
        }
        return cls(never_clear, key)


def check_names(table: Table, place: str, known: Collection[str]) -> None:
    """Raise ConfigError for the first entity that no detector has."""
    for entity in table:
        if entity != DEFAULT and entity not in known:
            msg = f"{place}.{entity}: no detector has this name"
            raise ConfigError(msg)


def _config(operator: str | OperatorConfig) -> OperatorConfig:
    return operator if isinstance(operator, OperatorConfig) else OperatorConfig(operator=OperatorName(operator))


def _operator(config: OperatorConfig, key: bytes) -> Operator:
    match config.operator:
        case OperatorName.REPLACE:
            return lambda entity, _: f"<{entity}>"
        case OperatorName.REDACT:
            return lambda _, __: ""
        case OperatorName.MASK:
            return lambda _, value: _masked(value, config)
        case OperatorName.HASH:
            return lambda entity, value: f"<{entity}:{_hashed(key, entity, value)}>"
        case OperatorName.KEEP:
            return lambda _, __: None
        case _:
            assert_never(config.operator)


def _masked(value: str, config: OperatorConfig) -> str:
    """Cover all but the characters to keep; where that would cover none, cover all."""
    hidden = len(value) - config.keep_first - config.keep_last
    if hidden <= 0:
        return config.character * len(value)
    return value[: config.keep_first] + config.character * hidden + value[len(value) - config.keep_last :]


def _hashed(key: bytes, entity: str, value: str) -> str:
    message = f"{entity}\0{value}".encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:HASH_DIGITS]
