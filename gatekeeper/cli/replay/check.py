"""`gatekeeper replay check`: the recorded calls, decided and masked again."""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json
from gatekeeper.cli.replay.chosen import WHAT, chosen

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.exchange import RuleName
    from gatekeeper.policy import Policy
    from gatekeeper.replay import Call
    from gatekeeper.replay.recheck import Matched, Rechecked, Result

DIFFERENT: Final = 1
COLOURS: Final = {"same": "green", "different": "red", "undecidable": "yellow"}


@click.command()
@click.argument("what", metavar=WHAT)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A configuration; else the one in force.",
)
@json_option
@settings_option
def check(what: str, policy_file: Path | None, *, as_json: bool) -> None:
    """Decide and mask the calls of a session, or of the entries from A to B, again. Exit 1: something differs.

    Each is the same, different, or undecidable from the record: what was masked can't be found again.
    """
    from gatekeeper.config import load_config

    config = load_settings()
    other = config if policy_file is None else load_config(policy_file, (), {})
    with chosen(what, "replay check") as found:
        checked = list(recheck_all(found.calls(), other))
    if as_json:
        print_json([plain_check(one) for one in checked])
    else:
        for one in checked:
            print_check(one)
        _print_sums(checked)
    sys.exit(DIFFERENT if any(one.result.value == "different" for one in checked) else 0)


def recheck_all(calls: "Iterable[Call]", config: "Config") -> "Iterable[Rechecked]":
    """Look at calls again under a configuration's rules and masking; raises ConfigError."""
    from gatekeeper.masking import Masker
    from gatekeeper.replay.recheck import recheck

    policy, matched, by_text = judge(config)
    masker = Masker(config.masking, b"\0" * 32)  # its operators' key plays no part in finding
    return recheck(calls, policy, masker, matched, text_rules=by_text)


def judge(config: "Config") -> "tuple[Policy, Matched, frozenset[RuleName]]":
    """Compile a configuration's rules for recorded calls: the policy, its filters, and the rules that look at text."""
    from addons.policy import compile_filter
    from gatekeeper.exchange import RuleName
    from gatekeeper.policy import Policy
    from gatekeeper.replay.flows import flow_of
    from gatekeeper.replay.recheck import BY_TEXT

    policy = Policy(config.rules, config.egress.ports)
    filters = tuple((rule, compile_filter(rule, expression)) for rule, expression in policy.filters)

    def matched(call: "Call") -> "frozenset[RuleName]":
        if not filters:
            return frozenset()
        flow = flow_of(call)
        return frozenset(rule for rule, matches in filters if matches(flow))

    by_text = frozenset(RuleName(rule.name) for rule in config.rules if any(getattr(rule, key) for key in BY_TEXT))
    return policy, matched, by_text


def print_check(one: "Rechecked") -> None:
    """Print a line for a call, and one for each thing that is not the same."""
    from gatekeeper.cli.visible import visible

    result = one.result.value
    head = click.style(f"{result:<11}", fg=COLOURS[result])
    request = one.call.request
    click.echo(f"{head} #{one.call.number} entry {one.call.entry.seq}: {visible(f'{request.method} {request.url}')}")
    for reason in one.why:
        click.echo(f"{'':<11}   {visible(reason)}")


def plain_check(one: "Rechecked") -> dict[str, object]:
    """Give a checked call for JSON."""
    return {
        "call": one.call.number,
        "seq": one.call.entry.seq,
        "exchange": one.call.exchange,
        "result": one.result,
        "decision": one.decision,
        "masking": one.masking,
        "recorded": one.call.request.verdict,
        "verdict": one.verdict,
        "why": one.why,
    }


def _print_sums(checked: "list[Rechecked]") -> None:
    click.echo(f"{len(checked)} calls; decisions: {_sums(one.decision for one in checked)}; ", nl=False)
    click.echo(f"masking: {_sums(one.masking for one in checked)}")


def _sums(results: "Iterable[Result]") -> str:
    counts = Counter(result.value for result in results)
    return ", ".join(f"{counts[name]} {name}" for name in COLOURS)
