"""Patterns for who somebody is: `sub`, or `ISSUER|SUB` with the issuer exactly. Pure."""

from typing import Self

import msgspec

from gatekeeper.config.issuers import BETWEEN, is_qualified
from gatekeeper.exchange.globs import Glob


class PartyPattern(msgspec.Struct, frozen=True):
    """A pattern, compiled. `issuer` None: of any. A star in the issuer's name would trust strangers."""

    issuer: str | None
    sub: Glob

    @classmethod
    def of(cls, pattern: str) -> Self:
        """Compile a pattern."""
        if not is_qualified(pattern):
            return cls(None, Glob.of(pattern))
        issuer, _, sub = pattern.partition(BETWEEN)
        return cls(issuer, Glob.of(sub))

    def matches(self, iss: str, sub: str) -> bool:
        """Tell whether the pattern describes who is `sub` at the issuer `iss`."""
        return self.issuer in {None, iss} and self.sub.matches(sub)
