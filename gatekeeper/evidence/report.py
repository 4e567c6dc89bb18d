"""The report: every figure of a bundle, made again from the same inputs byte for byte."""

import math
from collections.abc import Mapping
from importlib import resources
from typing import Final

import msgspec

from gatekeeper.evidence.controls import Assessed, Coverage
from gatekeeper.evidence.samples import Stratum, upper_bound
from gatekeeper.evidence.survey import Surveyed
from gatekeeper.exchange import canonical_json

LIMITS: Final = (
    (
        "Calls that took another way out than the gateway are not here; an egress counter or the provider's own "
        "export, given with --reconcile, is what shows them."
    ),
    (
        "Patterns find what has a form: cards, e-mail addresses, numbers of state and bank, keys. Names, postal "
        "addresses and diagnoses in free text, and text in images, are not found."
    ),
    "That nothing left before its release is what the gateway says of itself, unless an egress counter is given.",
    (
        "Who holds the signing key and every copy of the checkpoints can write another past, up to the last checkpoint "
        "that somebody else keeps."
    ),
    (
        "The clear text of the samples was decrypted by who built this bundle: the script checks its size against the "
        "signed entry, and no more."
    ),
    "Two keys are taken for two people; that they are is for the owner of the list of reviewers to show.",
)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What the bundle is about: `start` and `end` in ISO 8601 UTC, and in µs; `first` and `last` are seqs.

    `rule_set` is the digest of the detectors that looked at the stored copies again.
    """

    organisation: str
    origin: str
    start: str
    end: str
    start_us: int
    end_us: int
    first: int
    last: int
    start_size: int
    start_root: str
    end_size: int
    end_root: str
    key_from_outside: bool
    nonce: str
    seed: str
    rule_set: str


class SampleFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One stratum. `bound`: exceptions per thousand that a sample without any still allows, at 95 %."""

    stratum: str
    population: int
    sampled: int
    bound: int
    seqs: tuple[int, ...]


class Reconciled(msgspec.Struct, frozen=True):
    """A count from outside beside the recorded one."""

    source: str
    what: str
    outside: int
    recorded: int


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How well detectors find, per ten thousand characters of a test set; `rule_set` is the digest of the measured."""

    rule_set: str
    test_set: str
    recall: int
    precision: int
    false_alarms: int
    clean_texts: int


class ControlFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One control, as the page shows it. `says` is never "compliant"."""

    id: str
    title: str
    iso_2013: tuple[str, ...]
    says: str
    coverage: str
    exported: str
    not_proved: str
    files: tuple[str, ...]
    references: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `format` counts changes of this struct."""

    format: int = 1
    scope: Scope
    surveyed: Surveyed
    samples: tuple[SampleFigures, ...]
    reconciliation: tuple[Reconciled, ...]
    measured: Measured
    controls: tuple[ControlFigures, ...]
    exceptions: dict[str, int]
    limits: tuple[str, ...] = LIMITS


def report_bytes(report: Report) -> bytes:
    """Write it as JSON, laid out; the same report gives the same bytes."""
    return msgspec.json.format(canonical_json(report), indent=2) + b"\n"


def read_measured() -> Measured:
    """Read the figures that ship."""
    text = resources.files("gatekeeper.evidence").joinpath("measured.toml").read_text(encoding="utf-8")
    return msgspec.toml.decode(text, type=Measured)


def sample_figures(
    counts: Mapping[Stratum, int], chosen: Mapping[Stratum, tuple[int, ...]]
) -> tuple[SampleFigures, ...]:
    """Sum up the draw."""
    return tuple(
        SampleFigures(
            stratum=stratum.value,
            population=counts[stratum],
            sampled=len(chosen[stratum]),
            bound=math.ceil(upper_bound(len(chosen[stratum]), counts[stratum]) * 1000),
            seqs=chosen[stratum],
        )
        for stratum in Stratum
    )


def control_figures(assessed: tuple[Assessed, ...]) -> tuple[ControlFigures, ...]:
    """Put the assessed controls into words."""
    return tuple(
        ControlFigures(
            id=one.control.id,
            title=one.control.title,
            iso_2013=one.control.iso_2013,
            says=one.words,
            coverage=Coverage(one.coverage).name.lower().replace("_", "-"),
            exported=one.control.exported,
            not_proved=one.control.not_proved,
            files=one.control.files if one.coverage is not Coverage.NOT_COVERED else (),
            references=one.control.references,
        )
        for one in assessed
    )
