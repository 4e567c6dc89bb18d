"""What a token must have beside a signature, and what its claims are worth here: groups and a workflow. Pure."""

from collections.abc import Mapping as Claims
from typing import Self

import msgspec

from gatekeeper.config.model import ClaimMapping
from gatekeeper.exchange import Reason
from gatekeeper.exchange.globs import Glob
from gatekeeper.identity.pointer import Pointer, read_pointer
from gatekeeper.identity.refused import IdentityError


class Requirement(msgspec.Struct, frozen=True):
    """A claim that must be there, and the patterns of which one must describe all of it."""

    pointer: Pointer
    wanted: tuple[Glob, ...]


class Mapping(msgspec.Struct, frozen=True):
    """What a token is given whose claim is exactly `value`, or as `glob` describes."""

    pointer: Pointer
    value: str | None
    glob: Glob | None
    groups: tuple[str, ...]
    workflow: str | None

    @classmethod
    def of(cls, config: ClaimMapping) -> Self:
        """Compile one table of the configuration."""
        return cls(
            pointer=read_pointer(config.claim),
            value=config.value or None,
            glob=Glob.of(config.glob) if config.glob else None,
            groups=config.groups,
            workflow=config.workflow or None,
        )

    def fits(self, claims: Claims[str, object]) -> bool:
        """Whether the claim, or one text of its list, is what was asked for."""
        return any(
            text == self.value if self.glob is None else self.glob.matches(text)
            for text in _texts(self.pointer.find(claims))
        )


class Mapped(msgspec.Struct, frozen=True):
    """What all mappings together give."""

    groups: tuple[str, ...] = ()
    workflow: str | None = None


def read_requirements(require: Claims[str, tuple[str, ...]]) -> tuple[Requirement, ...]:
    """Compile the `require` of an issuer."""
    return tuple(
        Requirement(read_pointer(claim), tuple(Glob.of(pattern) for pattern in patterns))
        for claim, patterns in require.items()
    )


def check_requirements(claims: Claims[str, object], require: tuple[Requirement, ...]) -> None:
    """Refuse a token that is from the right issuer and not one of ours; raises IdentityError."""
    for one in require:
        texts = _texts(one.pointer.find(claims))
        if not any(glob.matches(text) for text in texts for glob in one.wanted):
            raise IdentityError(
                Reason.BAD_TOKEN, f"the token's {one.pointer} is not among those that this issuer's `require` names"
            )


def apply_mappings(claims: Claims[str, object], rules: tuple[Mapping, ...]) -> Mapped:
    """Give the groups of all mappings that fit, and the workflow of the first that has one."""
    fitting = [rule for rule in rules if rule.fits(claims)]
    groups = tuple(dict.fromkeys(group for rule in fitting for group in rule.groups))
    return Mapped(groups, next((rule.workflow for rule in fitting if rule.workflow), None))


def _texts(value: object) -> tuple[str, ...]:
    """Give the texts of a claim. Numbers and booleans count as JSON writes them: some issuers' ids are numbers."""
    match value:
        case str():
            return (value,)
        case bool():
            return (str(value).lower(),)
        case int():
            return (str(value),)
        case list():
            return tuple(one for one in value if isinstance(one, str))
        case _:
            return ()
