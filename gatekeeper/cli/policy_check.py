"""`gatekeeper policy check`: a policy against recorded traffic, before it is put in force."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.options import Moment, json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json
from gatekeeper.cli.read_entry import record_read
from gatekeeper.cli.reading import reading
from gatekeeper.cli.replay.check import judge

if TYPE_CHECKING:
    from gatekeeper.replay import Call
    from gatekeeper.replay.recheck import Decided, Result

CHANGED: Final = 1
SHOWN: Final = 20
"""Calls that are named; all of them with --json."""


@click.command("check")
@click.option("--from", "start", type=Moment(), metavar="TIME", help="Calls from TIME on.")
@click.option("--to", "stop", type=Moment(), metavar="TIME", help="Calls before TIME.")
@json_option
@settings_option
def check(start: int | None, stop: int | None, *, as_json: bool) -> None:
    """Let the rules of the configuration decide on recorded calls, and say which would change. Exit 1: some would.

    Try rules before they are in force: gatekeeper policy check --config next.toml
    """
    from gatekeeper.exchange import Instant
    from gatekeeper.replay import calls, in_order
    from gatekeeper.replay.recheck import Result, decide_again

    config = load_settings()
    policy, matched, by_text = judge(config)
    counts: Counter[Result] = Counter()
    told: list[tuple[Call, Decided]] = []
    with reading(config) as reader:
        first = reader.seq_at(Instant(start)) if start is not None else reader.start
        last = reader.seq_at(Instant(stop)) if stop is not None else reader.size
        record_read(config, "policy check", f"{first}..{last - 1}")
        for call in in_order(calls(reader, reader.entries(first, last))):
            decided = decide_again(call, policy, matched, by_text)
            counts[decided.result] += 1
            if decided.result is not Result.SAME and (as_json or len(told) < SHOWN):
                told.append((call, decided))
    if as_json:
        print_json({"calls": counts.total(), "counts": counts, "calls_not_same": [_plain(*one) for one in told]})
    else:
        for one in told:
            _print(*one)
        _print_sums(counts, len(told))
    sys.exit(CHANGED if counts[Result.DIFFERENT] else 0)


def _print(call: "Call", decided: "Decided") -> None:
    from gatekeeper.cli.visible import visible

    request = call.request
    click.echo(f"entry {call.entry.seq}: {visible(f'{request.subject.sub}: {request.method} {request.url}')}")
    for reason in decided.why:
        click.echo(f"    {visible(reason)}")


def _print_sums(counts: "Counter[Result]", shown: int) -> None:
    from gatekeeper.replay.recheck import Result

    different, undecidable = counts[Result.DIFFERENT], counts[Result.UNDECIDABLE]
    if different + undecidable > shown:
        click.echo(f"… and {different + undecidable - shown} more; --json has them all")
    verb = "would change" if different else "would change: the rules decide as they did"
    click.echo(f"{different:,} of {counts.total():,} recorded calls {verb}")
    if undecidable:
        click.echo(f"{undecidable:,} can't be decided from the record: a rule looks at text that is masked by now")


def _plain(call: "Call", decided: "Decided") -> dict[str, object]:
    return {
        "seq": call.entry.seq,
        "exchange": call.exchange,
        "result": decided.result,
        "recorded": call.request.verdict,
        "verdict": decided.verdict,
        "why": decided.why,
    }
