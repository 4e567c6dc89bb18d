"""`gatekeeper identity`: tokens of the embedded issuer, and who a token is from."""

import sys
from typing import Final

import click

from gatekeeper.cli.exchange import exchange
from gatekeeper.cli.issuer import life, load_issuer, load_verifier
from gatekeeper.cli.options import Duration, json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_pairs
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.visible import visible

STANDARD_INPUT: Final = "-"


@click.group()
def identity() -> None:
    """Issue and check tokens."""


@identity.command()
@click.option("--subject", required=True, metavar="S", help="Whose token: the workload's name.")
@click.option("--group", "groups", multiple=True, metavar="G", help="A group of the subject; may be repeated.")
@click.option("--workflow", metavar="W", help="The workflow that the token is scoped to.")
@click.option("--ttl", type=Duration(), metavar="1h", help="How long it lives.  [default: 1h, or the issuer's most]")
@settings_option
def issue(subject: str, groups: tuple[str, ...], workflow: str | None, ttl: float | None) -> None:
    """Print a token of the embedded issuer, and nothing else."""
    from gatekeeper.exchange import now

    issuer, terms = load_issuer(load_settings())
    try:
        token = issuer.issue(subject, groups, workflow, life(terms) if ttl is None else ttl, now())
    except ValueError as error:
        raise Problem(str(error)) from error
    click.echo(token)


@identity.command()
@click.argument("token")
@json_option
@settings_option
def check(token: str, *, as_json: bool) -> None:
    """Say who TOKEN is from, or why it is refused (exit 1). `-` reads it from standard input."""
    import asyncio

    from gatekeeper.exchange import now
    from gatekeeper.identity import IdentityError

    verifier = load_verifier(load_settings())
    text = sys.stdin.buffer.read().decode("ascii", "replace").strip() if token == STANDARD_INPUT else token
    try:
        subject = asyncio.run(verifier.identify(text, now()))
    except IdentityError as error:
        for problem in verifier.problems:
            click.echo(visible(problem), err=True)
        if as_json:
            print_json({"ok": False, "reason": error.reason.value, "message": str(error)})
        else:
            click.echo(f"refused ({error.reason.value}): {error}")
        sys.exit(1)
    if as_json:
        print_json({"ok": True, "subject": subject})
        return
    from gatekeeper.cli.times import show_instant

    print_pairs(
        {
            "subject": visible(subject.sub),
            "issuer": visible(subject.iss),
            "groups": visible(", ".join(subject.groups)) or "none",
            "workflow": visible(subject.workflow or "none"),
            "expires": show_instant(subject.expires),
            **{f"actor {at}": visible(f"{one.sub} of {one.iss}") for at, one in enumerate(subject.actors, 1)},
            **{name: visible(value) for name, value in subject.facts},
        }
    )


identity.add_command(exchange)
