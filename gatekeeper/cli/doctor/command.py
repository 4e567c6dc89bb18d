"""`gatekeeper doctor`: the checks, each with its mend."""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.doctor.outcome import Outcome, State
from gatekeeper.cli.options import Address, json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json

if TYPE_CHECKING:
    from gatekeeper.cli.doctor.wayout import Targets

_COLOURS = {State.OK: "green", State.NOTE: "yellow", State.WRONG: "red", State.SKIPPED: None}


@click.command()
@click.option("--inside", is_flag=True, help="Try the ways out from here, where a workload runs, and its clients.")
@click.option("--tcp", type=Address(), multiple=True, help="Instead of addresses on the internet; also --udp, --dns.")
@click.option("--udp", type=Address(), multiple=True, hidden=True)
@click.option("--dns", type=Address(), multiple=True, hidden=True)
@click.option("--name", "names", multiple=True, help="A name that must not be resolved here.")
@click.option("--metadata", type=Address(), multiple=True, help="Instead of the clouds' metadata services.")
@click.option("--no-clients", is_flag=True, help="Leave the client libraries alone.")
@json_option
@settings_option
@click.pass_context
def doctor(  # noqa: PLR0913 - an argument for each option
    ctx: click.Context,
    *,
    inside: bool,
    tcp: tuple[tuple[str, int], ...],
    udp: tuple[tuple[str, int], ...],
    dns: tuple[tuple[str, int], ...],
    names: tuple[str, ...],
    metadata: tuple[tuple[str, int], ...],
    no_clients: bool,
    as_json: bool,
) -> None:
    """Check this installation; with --inside, whether a workload here could get past the gateway (exit 1)."""
    from gatekeeper.cli.doctor.wayout import Targets

    given = {"tcp": tcp, "udp": udp, "dns": dns, "names": names, "metadata": metadata}
    targets = Targets(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
    outcomes = _inside(targets, with_clients=not no_clients) if inside else _installation()
    looked: list[Outcome] = []
    for outcome in outcomes:
        looked.append(outcome)
        if not as_json:
            _show(outcome)
    bad = [outcome for outcome in looked if outcome.state is State.WRONG]
    if as_json:
        print_json({"ok": not bad, "checks": looked})
    else:
        click.echo(f"{len(bad)} of {len(looked)} need a mend" if bad else f"{len(looked)} checks, nothing to mend")
    ctx.exit(1 if bad else 0)


def _inside(targets: "Targets", *, with_clients: bool) -> Iterator[Outcome]:
    from gatekeeper.cli.doctor.clients import clients, here
    from gatekeeper.cli.doctor.wayout import ways_out

    yield from ways_out(targets, here())
    if with_clients:
        yield from clients(here())


def _installation() -> Iterator[Outcome]:
    import os

    from gatekeeper.cli.doctor.installation import installation

    yield from installation(load_settings(), os.environ, dt.datetime.now(dt.UTC))


def _show(outcome: Outcome) -> None:
    click.echo(
        f"{click.style(outcome.state.value.ljust(8), fg=_COLOURS[outcome.state])}{outcome.check}: {outcome.found}"
    )
    if outcome.mend:
        click.echo(f"        → {outcome.mend}")
