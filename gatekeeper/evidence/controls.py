"""The control mapping: data in `controls.toml`, and what a report makes of it. Never "compliant"."""

import enum
from collections.abc import Collection, Mapping
from importlib import resources

import msgspec


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One control: see the head of `controls.toml`."""

    id: str
    title: str
    iso_2013: tuple[str, ...]
    shows: tuple[str, ...]
    exceptions: tuple[str, ...]
    files: tuple[str, ...]
    exported: str
    not_proved: str
    references: tuple[str, ...]


class Coverage(enum.Enum):
    """What can be said of a control."""

    PROVIDED = "evidence provided"
    EXCEPTIONS = "exceptions"
    NOT_COVERED = "not covered"


class Assessed(msgspec.Struct, frozen=True):
    """A control with what the period's record has for it; `exceptions` counts those that bear on it."""

    control: Control
    coverage: Coverage
    exceptions: int

    @property
    def words(self) -> str:
        """Say it as the report does."""
        if self.coverage is Coverage.EXCEPTIONS:
            return f"{self.exceptions} exception{'s' if self.exceptions != 1 else ''}"
        return str(self.coverage.value)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    control: tuple[Control, ...]


def load_controls() -> tuple[Control, ...]:
    """Read the mapping that ships."""
    text = resources.files("gatekeeper.evidence").joinpath("controls.toml").read_text(encoding="utf-8")
    return msgspec.toml.decode(text, type=_File).control


def assess(
    controls: Collection[Control], present: Collection[str], exceptions: Mapping[str, int]
) -> tuple[Assessed, ...]:
    """Say of each control what there is. `present` are the sections that hold something, `exceptions` count by kind."""
    return tuple(_assess(control, present, exceptions) for control in controls)


def _assess(control: Control, present: Collection[str], exceptions: Mapping[str, int]) -> Assessed:
    if not control.shows or not all(section in present for section in control.shows):
        return Assessed(control, Coverage.NOT_COVERED, 0)
    count = sum(exceptions.get(kind, 0) for kind in control.exceptions)
    return Assessed(control, Coverage.EXCEPTIONS if count else Coverage.PROVIDED, count)
