"""`gatekeeper replay show`: what happened, in the recorded order and with its timing."""

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, override

import click
import msgspec

from gatekeeper.cli.options import Duration, json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_pairs
from gatekeeper.cli.proved import proof_line, prove
from gatekeeper.cli.reading import plain, plain_content, reservations, verdict
from gatekeeper.cli.replay.chosen import WHAT, Chosen, chosen, is_small
from gatekeeper.cli.times import show_instant, show_offset

if TYPE_CHECKING:
    from gatekeeper.cli.proved import Proof
    from gatekeeper.cli.shown import Extent
    from gatekeeper.journal import Report
    from gatekeeper.replay import SessionSummary, Step

NOT_VERIFIED: Final = 1


class PauseOn(click.ParamType[frozenset[str]]):
    """A list such as `hold,deny`."""

    name = "list"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        from gatekeeper.cli.replay.pace import PAUSES

        wanted = frozenset(part.strip() for part in str(value).split(","))
        if not wanted <= set(PAUSES):
            self.fail(f"expected some of {', '.join(PAUSES)}", param, ctx)
        return wanted


@click.command()
@click.argument("what", metavar=WHAT)
@click.option("--body", "extent", type=click.Choice(["none", "head", "full"]), default="head", show_default=True)
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), metavar="X", help="In its own time, X times as fast."
)
@click.option("--idle-max", type=Duration(), metavar="D", help="Wait at most so long between two steps, such as 2s.")
@click.option("--step", is_flag=True, help="Wait for a key after each step.")
@click.option("--pause-on", type=PauseOn(), default=None, metavar="LIST", help="Wait for a key after: hold,deny,mask.")
@click.option("--goto", type=click.IntRange(min=0), metavar="SEQ", help="Begin at this entry.")
@click.option(
    "--filter",
    "words",
    multiple=True,
    metavar="TEXT",
    help="Only steps whose line has TEXT; all of them, where repeated.",
)
@click.option("--verify", is_flag=True, help="Verify all of the journal first, also a large one.")
@click.option("--plain", "as_text", is_flag=True, help="Lines, also on a terminal.")
@json_option
@settings_option
def show(  # noqa: PLR0913 - an option each
    what: str, extent: "Extent", speed: float | None, idle_max: float | None, pause_on: frozenset[str] | None,
    goto: int | None, words: tuple[str, ...], *, step: bool, verify: bool, as_text: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show a session, named by the beginning of its id, or the entries from A to B.

    On a terminal it opens a timeline to walk in; with an option that says how to go by, or piped, it prints lines.
    First it says whether the journal verifies; where not, the exit code is 1. Of a large journal it proves just the
    entries that it shows, and finds them by an index that is no evidence; --verify reads all of it.
    """
    from gatekeeper.cli.replay.pace import Pace, paced

    pace = Pace(
        speed=1.0 if speed is None and idle_max is not None else speed,
        idle_max=idle_max,
        step=step,
        pause_on=pause_on or frozenset(),
    )
    with chosen(what, "replay show", whole=verify) as found:
        trust = _trust(found, verify=verify)
        steps = _wanted(found.steps(), goto, words)
        if as_json:
            told = [_plain(step, extent) for step in steps]
            print_json({"verified": trust.report, "proof": trust.proof, "session": found.summary, "steps": told})
        elif as_text or pace != Pace() or extent != "head" or not (sys.stdout.isatty() and sys.stdin.isatty()):
            print_pairs(heading(trust, found.summary))
            click.echo()
            _print_steps(paced(steps, pace), extent)
        else:
            from gatekeeper.cli.replay.walk import walk

            walk(heading(trust, found.summary), list(steps), verified=trust.ok)
    sys.exit(0 if trust.ok else NOT_VERIFIED)


class Trust(msgspec.Struct, frozen=True):
    """What is known of what is shown: a report on all of the journal, or a proof for each entry that is shown."""

    report: "Report | None"
    proof: "Proof | None"

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it."""
        return self.report.ok if self.report is not None else self.proof is not None and self.proof.proved

    def pairs(self) -> dict[str, str]:
        """Say it."""
        if self.report is None:
            return {"journal": proof_line(self.proof) if self.proof is not None else ""}
        counted = f": {self.report.entries} entries" if self.report.ok else ""
        return {"journal": verdict(self.report) + counted} | reservations(self.report)


def _trust(found: Chosen, *, verify: bool) -> Trust:
    """Verify all of a small journal; of a large one, prove what is shown."""
    from gatekeeper.journal import verify_journal

    if verify or is_small(found.reader):
        return Trust(verify_journal(load_settings().journal.folder), None)
    return Trust(None, prove(found.reader, load_settings().journal.folder, found.entries()))


def heading(trust: Trust, summary: "SessionSummary | None") -> dict[str, str]:
    """Say whether the journal verifies, and what is shown, before anything of it is."""
    from gatekeeper.cli.visible import visible

    pairs = trust.pairs()
    if summary is not None:
        workflow = f", workflow {summary.workflow}" if summary.workflow is not None else ""
        took = show_offset(summary.end - summary.start).removeprefix("+")
        pairs |= {
            "session": summary.session,
            "subject": visible(f"{summary.subject} of {summary.issuer}{workflow}"),
            "began": f"{show_instant(summary.start)}, took {took}, {_calls(summary)}",
        }
    return pairs


def _wanted(steps: "Iterable[Step]", goto: int | None, words: tuple[str, ...]) -> "Iterator[Step]":
    from gatekeeper.cli.replay.timeline import step_text

    for step in steps:
        if goto is not None and step.entry.seq < goto:
            continue
        text = step_text(step).lower()
        if all(word.lower() in text for word in words):
            yield step


def _calls(summary: "SessionSummary") -> str:
    parts = [f"{summary.calls} call{'s' if summary.calls != 1 else ''}"]
    parts += [
        f"{number} {name}"
        for name, number in (("held", summary.held), ("denied", summary.denied), ("masked", summary.masked))
        if number
    ]
    return ", ".join(parts)


def _print_steps(steps: "Iterable[Step]", extent: "Extent") -> None:
    from gatekeeper.cli.replay.timeline import step_lines

    for step in steps:
        for line in step_lines(step, extent):
            click.echo(line)


def _plain(step: "Step", extent: "Extent") -> dict[str, Any]:
    return plain(step.entry) | {
        "step": step.kind.value,
        "at": step.at,
        "call": step.call,
        "beside": step.beside,
        "content": plain_content(step.content) if extent != "none" else None,
        "damaged": step.damaged,
    }
