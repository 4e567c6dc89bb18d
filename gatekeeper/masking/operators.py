"""What is done with a finding (DESIGN §5): replace, redact, mask, hash, pseudonymize, keep."""

import copy
import enum
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping
from typing import Final, Self, assert_never

from gatekeeper.config import ConfigError, OperatorConfig, OperatorName
from gatekeeper.masking.pseudonyms import Book
from gatekeeper.masking.tokens import PSEUDONYM

HASH_DIGITS: Final = 12
"""Hex digits of a keyed hash: 48 bits tell the values of one journal apart."""

DEFAULT: Final = "default"

type Table = Mapping[str, str | OperatorConfig]
type Operator = Callable[[str, str, Book | None], str | None]


class Restoring(enum.Enum):
    """What becomes of a stand-in that the exchange's book knows."""

    NOT = "not"  # it is a finding like any other
    VALUE = "value"  # its value is put back
    TOKEN = "token"  # noqa: S105 - it stays


class Operators:
    """A table of operators by entity; `default` covers the rest, and is `replace` where it is absent.

    Without a book of pseudonyms, `pseudonymize` replaces.
    """

    __slots__ = ("_by_entity", "_default", "book", "keeps", "pseudonymizes", "records", "restoring")

    def __init__(self, table: Table, key: bytes) -> None:
        configs = {entity: _config(operator) for entity, operator in table.items()}
        default = configs.pop(DEFAULT, OperatorConfig(operator=OperatorName.REPLACE))
        self._by_entity = {entity: _operator(config, key) for entity, config in configs.items()}
        self._default = _operator(default, key)
        self.book: Book | None = None
        self.restoring = Restoring.NOT
        self.records = False
        names = {config.operator for config in (default, *configs.values())}
        self.keeps = OperatorName.KEEP in names
        self.pseudonymizes = OperatorName.PSEUDONYMIZE in names

    def bound(self, book: Book | None, restoring: Restoring = Restoring.NOT) -> Self:
        """Give the same table with the book of an exchange."""
        if book is None:
            return self
        operators = copy.copy(self)
        operators.book, operators.restoring = book, restoring
        return operators

    def apply(self, entity: str, value: str) -> str | None:
        """Give what stands instead of a value; None where it is kept."""
        if self.restoring is not Restoring.NOT and self.book and (known := self.book.value(value)) is not None:
            return known if self.restoring is Restoring.VALUE else None
        if entity == PSEUDONYM:  # of another exchange, or the model's own invention: it stands for nothing here
            return None
        return self._by_entity.get(entity, self._default)(entity, value, self.book)

    @classmethod
    def recorded(cls, table: Table, key: bytes) -> Self:
        """Give the same table for what is recorded: nothing is kept there."""
        never_clear = {
            entity: OperatorName.REPLACE.value if _config(operator).operator is OperatorName.KEEP else operator
            for entity, operator in table.items()
        }
        operators = cls(never_clear, key)
        operators.records = True
        return operators


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
            return lambda entity, _, __: f"<{entity}>"
        case OperatorName.REDACT:
            return lambda _, __, ___: ""
        case OperatorName.MASK:
            return lambda _, value, __: _masked(value, config)
        case OperatorName.HASH:
            return lambda entity, value, _: f"<{entity}:{_hashed(key, entity, value)}>"
        case OperatorName.PSEUDONYMIZE:
            return lambda entity, value, book: book.token(entity, value) if book else f"<{entity}>"
        case OperatorName.KEEP:
            return lambda _, __, ___: None
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
