"""The report as one page: no script, nothing loaded from outside, the same bytes for the same report."""

from collections.abc import Mapping
from typing import Final

import jinja2
import msgspec

from gatekeeper.evidence.exceptions import Kind
from gatekeeper.evidence.report import Report
from gatekeeper.replay.export.values import MICROSECONDS

SHOWN: Final = 30
"""Rows of a table that may be long; the sheets have all."""

MEANINGS: Final = {
    Kind.CRASH: "a run of the gateway did not end in order",
    Kind.TRUNCATED: "the gateway stopped in the middle of a call",
    Kind.UNINSPECTED: "a body passed that could not be inspected",
    Kind.OWNER_UNKNOWN: "a call was held for a workload whose owner is not named",
    Kind.OWNER_DECIDED: "an owner of the workload took part in the decision",
    Kind.BREAK_GLASS: "a call was released without its quorum",
    Kind.RESCAN: "today's detectors find something in a stored copy",
    Kind.RECONCILIATION: "a count from outside differs from the recorded one",
    Kind.CLOCK: "the clock was set back",
}


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A headed table. Without `columns` each row is a name and a value; `numbers` aligns all but the first."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    text: str = ""
    columns: tuple[str, ...] = ()
    numbers: bool = False


def page_bytes(report: Report) -> bytes:
    """Draw the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gatekeeper.evidence", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("page.html.j2").render(
        r=report,
        period=f"{_short(report.scope.start)} to {_short(report.scope.end)}",
        headline=_headline(report),
        scope_rows=_scope(report),
        meanings={kind.value: meaning for kind, meaning in MEANINGS.items()},
        sections=_sections(report),
        number=number,
    )
    return page.encode() + b"\n"


def number(value: int) -> str:
    """Write a number with thin spaces between its thousands."""
    return f"{value:,}".replace(",", "\u202f")


def duration(micros: int | None) -> str:
    """Write µs as people say it."""
    if micros is None:
        return "–"
    seconds = micros / MICROSECONDS
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _headline(report: Report) -> tuple[tuple[str, str], ...]:
    traffic, holds = report.surveyed.traffic, report.surveyed.holds
    return (
        (number(traffic.calls), "calls recorded"),
        (number(report.surveyed.workloads), "identified workloads"),
        (number(traffic.outcomes.get("denied", 0)), "denied by policy"),
        (number(report.surveyed.refusals.total), "refused before a call"),
        (number(holds.holds), "held for reviewers"),
        (number(traffic.calls_with_findings), "with personal data found"),
        (number(sum(report.exceptions.values())), "exceptions"),
    )


def _scope(report: Report) -> tuple[tuple[str, str], ...]:
    scope, changes = report.scope, report.surveyed.changes
    return (
        ("Period", f"{_short(scope.start)} to {_short(scope.end)}, the end not included"),
        ("Entries of the log", f"{number(scope.first)} to {number(scope.last)}"),
        (
            "Start checkpoint",
            f"size {number(scope.start_size)}, root {scope.start_root}" if scope.start_size else "the log's beginning",
        ),
        ("End checkpoint", _head(scope.end_size, scope.end_root)),
        (
            "Key of the log",
            "given from outside"
            if scope.key_from_outside
            else "the log's own folder had it; compare keys/journal.vkey with one you trust",
        ),
        ("Versions", ", ".join(report.surveyed.runs.versions) or "none began in the period"),
        ("Configurations", ", ".join(changes.configs) or "none came into force in the period"),
        ("Detectors", f"rule set {scope.rule_set}"),
        ("Read", f"{number(changes.reads)} times, as csv/access.csv has it"),
        (
            "Sampling",
            f"smallest SHA-256(seed:seq); seed {scope.seed} = SHA-256(nonce ‖ end root), nonce {scope.nonce!r}",
        ),
    )


def _short(time: str) -> str:
    """Leave out a second's parts where there are none."""
    return time.replace(".000000Z", "Z")


def _head(size: int, root: str) -> str:
    return f"size {number(size)}, root {root}" if size else "the log's beginning"


def _sections(report: Report) -> tuple[Section, ...]:
    return (
        _completeness(report),
        _reconciliation(report),
        Section(
            title="Outcomes of calls",
            columns=("Outcome", "Calls"),
            numbers=True,
            rows=_counted(report.surveyed.traffic.outcomes),
        ),
        Section(
            title="Refused before a call",
            columns=("Reason", "Times"),
            numbers=True,
            rows=_counted(report.surveyed.refusals.by_reason),
        ),
        _holds(report),
        _masking(report),
        _suppliers(report),
        _samples(report),
    )


def _completeness(report: Report) -> Section:
    runs, traffic, rescan = report.surveyed.runs, report.surveyed.traffic, report.surveyed.rescan
    rows = (
        ("Sequence", f"{number(report.surveyed.entries)} entries, none missing"),
        ("Runs that began", f"{number(runs.runs)}, of them {number(runs.crashes)} after a crash"),
        ("Down time between runs", duration(runs.down)),
        ("Calls cut off by a stop", number(traffic.outcomes.get("truncated", 0))),
        ("Calls still open at the end", number(traffic.open_at_end)),
        ("Bodies that could not be inspected", number(traffic.uninspected)),
        ("Bodies whose keys were destroyed", number(rescan.erased)),
        ("Bodies that are damaged", number(rescan.damaged)),
    )
    return Section(title="Completeness", rows=rows)


def _reconciliation(report: Report) -> Section:
    rows = tuple(
        (f"{one.source}: {one.what}", number(one.outside), number(one.recorded), number(one.recorded - one.outside))
        for one in report.reconciliation
    )
    text = "" if rows else "No count from outside was given. What took another way out would show only there."
    columns = ("Count", "Outside", "Recorded", "Difference")
    return Section(title="Reconciliation", text=text, columns=columns, numbers=True, rows=rows)


def _holds(report: Report) -> Section:
    holds = report.surveyed.holds
    counts = (
        ("Held", holds.holds), ("Approved", holds.approved), ("Released by a grant", holds.by_grant),
        ("Denied", holds.denied), ("Expired", holds.expired),
        ("Given up by the caller, or told to come back", holds.abandoned),
        ("Withdrawn", holds.withdrawn), ("Still waiting", holds.pending), ("Grants given", holds.grants),
        ("Decided by an owner", holds.owner_decided), ("Owner unknown", holds.owner_unknown),
        ("Break-glass", holds.break_glass),
        ("Released before a decision (self-reported)", holds.released_before_decision),
    )  # fmt: skip
    rows = [
        *((name, number(count)) for name, count in counts),
        ("Median wait for a decision", duration(holds.median_wait)),
    ]
    rows += [(f"Decisions by {reviewer}", number(count)) for reviewer, count in holds.reviewers.items()]
    return Section(title="Holds and decisions", rows=tuple(rows))


def _masking(report: Report) -> Section:
    traffic, rescan = report.surveyed.traffic, report.surveyed.rescan
    entities = sorted({*traffic.findings_requests, *traffic.findings_answers})
    rows = tuple(
        (
            entity,
            number(traffic.findings_requests.get(entity, 0)),
            number(traffic.findings_answers.get(entity, 0)),
            number(rescan.found.get(entity, 0)),
        )
        for entity in sorted({*entities, *rescan.found})
    )
    text = (
        f"What was found is masked in the stored copy. {number(rescan.bodies)} stored bodies were looked at again with "
        f"today's detectors; the last column is what they found. {_measured(report)}"
    )
    columns = ("Kind", "In requests", "In answers", "Stored in clear")
    return Section(title="Masking", text=text, columns=columns, numbers=True, rows=rows)


def _measured(report: Report) -> str:
    measured = report.measured
    told = (
        f"Measured on {measured.test_set}: of the characters to be found {measured.recall / 100:.2f} % were, of those "
        f"found {measured.precision / 100:.2f} % were rightly; {measured.false_alarms} of {measured.clean_texts} clean "
        "texts had a false alarm."
    )
    same = measured.rule_set == report.scope.rule_set
    return told if same else f"{told} These figures are of another rule set ({measured.rule_set})."


def _suppliers(report: Report) -> Section:
    traffic = report.surveyed.traffic
    rows = [(host, number(count)) for host, count in list(traffic.by_host.items())[:SHOWN]]
    rows += [(f"model {model}", number(count)) for model, count in list(traffic.by_model.items())[:SHOWN]]
    used = ", ".join(f"{number(count)} {name.split('.')[-1]}" for name, count in traffic.tokens.items())
    return Section(
        title="Where calls went",
        text=f"Tokens that answers reported: {used}.",
        columns=("Host or model", "Calls"),
        numbers=True,
        rows=tuple(rows),
    )


def _samples(report: Report) -> Section:
    rows = tuple(
        (one.stratum, number(one.population), number(one.sampled), f"{one.bound / 10:.1f} %") for one in report.samples
    )
    text = (
        "Where a whole sample shows no exception, the last column is the share of exceptions that the stratum may "
        "still have, at 95 %."
    )
    columns = ("Stratum", "Population", "Sampled", "Bound")
    return Section(title="Samples", text=text, columns=columns, numbers=True, rows=rows)


def _counted(counts: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    return tuple((name, number(count)) for name, count in counts.items())
