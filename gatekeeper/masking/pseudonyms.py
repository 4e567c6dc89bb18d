"""Pseudonyms: keyed stand-ins for values, which the book of an exchange puts back.

The same value has the same stand-in within a session, or within a tenant. What stands for whom is kept in memory only,
within limits, and is looked up for the subject that sent the value, for nobody else.
"""

import hashlib
import hmac
from collections import OrderedDict
from typing import Final, override

from gatekeeper.config import PseudonymConfig, PseudonymScope
from gatekeeper.masking.tokens import Digits, generic_token, token_key, token_like

_TRIES: Final = 32
"""A range that is reserved may be small: as many stand-ins are tried before one without a form is taken."""

_BYTES: Final = 64 << 20
"""Of values that the gateway remembers for later exchanges; the oldest go first."""

_DERIVED: Final = b"gatekeeper pseudonyms v1"

type Owner = tuple[str, str]
"""`iss` and `sub` of a subject."""


class _Memory:
    """Values by subject and stand-in: at most `limit`, and `_BYTES` of them; the oldest go first."""

    __slots__ = ("_bytes", "_values", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._values: OrderedDict[tuple[Owner, str], str] = OrderedDict()
        self._bytes = 0

    def keep(self, owner: Owner, key: str, value: str) -> None:
        """Keep a value for later exchanges of its subject."""
        place = owner, key
        self._bytes += len(value) - len(self._values.pop(place, ""))
        self._values[place] = value
        while len(self._values) > self.limit or self._bytes > _BYTES:
            _, gone = self._values.popitem(last=False)
            self._bytes -= len(gone)

    def recall(self, owner: Owner, key: str) -> str | None:
        """Give the value that a stand-in stands for; None where none is known."""
        return self._values.get((owner, key))


class Pseudonyms:
    """What all exchanges share: the key, and the values that were given stand-ins. `earlier`: whose memory goes on."""

    __slots__ = ("_key", "_scope", "memory")

    def __init__(self, config: PseudonymConfig, key: bytes, earlier: "Pseudonyms | None" = None) -> None:
        self._key = hmac.digest(key, _DERIVED, hashlib.sha256)
        self._scope = config.scope
        self.memory: _Memory = earlier.memory if earlier else _Memory(config.limit)
        self.memory.limit = config.limit

    def book(self, owner: Owner, session: str) -> "Book":
        """Open the book of one exchange."""
        scope = owner[0] if self._scope is PseudonymScope.TENANT else "\0".join((*owner, session))
        return Book(self.memory, owner, hmac.digest(self._key, scope.encode("utf-8", "replace"), hashlib.sha256))

    @override
    def __repr__(self) -> str:
        return "Pseudonyms(‹secret›)"


class Book:
    """What stands for what in one exchange; its own stand-ins stay known to it as long as it runs."""

    __slots__ = ("_exact", "_key", "_memory", "_owner", "_values")

    def __init__(self, memory: _Memory, owner: Owner, key: bytes) -> None:
        self._memory, self._owner, self._key = memory, owner, key
        self._values: dict[str, str] = {}
        self._exact: dict[str, str] = {}

    def token(self, entity: str, value: str) -> str:
        """Give the stand-in for a value; a stand-in that is known stands for itself."""
        if self.value(value) is not None:
            return value
        for number in range(_TRIES):
            token = token_like(entity, value, self._digits(entity, value, number))
            if token is not None and self._holds(token, value):
                return token
        token = generic_token(entity, self._digits(entity, value, 0))
        self._keep(token, value)
        return token

    def value(self, token: str) -> str | None:
        """Give what a stand-in stands for, however it is spaced and in whatever case; None where it is none."""
        if (exact := self._exact.get(token)) is not None:
            return exact
        key = token_key(token)
        own = self._values.get(key)
        return own if own is not None else self._memory.recall(self._owner, key)

    def _digits(self, entity: str, value: str, number: int) -> Digits:
        named = f"{entity}\0{token_key(value)}\0{number}".encode("utf-8", "surrogatepass")
        return Digits(hmac.digest(self._key, named, hashlib.sha512))

    def _holds(self, token: str, value: str) -> bool:
        """Take a stand-in for a value, unless it stands for another one already."""
        taken = self.value(token)
        if taken is not None and token_key(taken) != token_key(value):
            return False
        self._keep(token, value)
        return True

    def _keep(self, token: str, value: str) -> None:
        key = token_key(token)
        self._values[key] = self._exact[token] = value
        self._memory.keep(self._owner, key, value)

    @override
    def __repr__(self) -> str:
        return "Book(‹secret›)"
