"""`gatekeeper lock` and `gatekeeper unlock`: the kill switch, and revocation."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.cli.admin_client import AdminClient
    from gatekeeper.gateway.lock_views import LockView

KINDS: Final = ("all", "workflow", "subject", "token", "key")


def lock_options[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add what both commands take."""
    for option in (
        click.option(
            "--socket",
            metavar="PATH",
            envvar="GATEKEEPER_SOCKET",
            type=click.Path(path_type=Path),
            help="The gateway's admin socket.  [default: admin.listen of the configuration]",
        ),
        click.option("--reason", default="", metavar="TEXT", help="Why; it is recorded."),
        click.option("--issuer", default="", metavar="URL", help="Of this issuer only.  [default: of any]"),
        click.argument("value", required=False, default=""),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("kind", required=False, type=click.Choice(KINDS))
@lock_options
@json_option
@settings_option
def lock(kind: str | None, value: str, issuer: str, reason: str, socket: Path | None, *, as_json: bool) -> None:
    """Lock out at once, open connections too; without arguments: list who is locked out.

    \b
    gatekeeper lock all
    gatekeeper lock workflow monthly-close
    gatekeeper lock subject billing-bot --issuer https://idp.example
    gatekeeper lock token JTI        (or the token's SHA-256, as the journal has it)
    gatekeeper lock key KID
    """  # noqa: D301 - click's mark for lines that it leaves as they are
    if kind is None:
        with _client(socket) as client:
            _show(client.locks(), as_json=as_json)
        return
    with _client(socket) as client:
        done = client.lock(kind, value, issuer, reason)
    if as_json:
        print_json(done)
    else:
        click.echo(f"locked {visible(done.lock)}: {done.cut} open connection{'' if done.cut == 1 else 's'} cut")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@lock_options
@json_option
@settings_option
def unlock(kind: str, value: str, issuer: str, reason: str, socket: Path | None, *, as_json: bool) -> None:
    """Take a lock off, as it was set; only the gateway's own user may. Exit 1: there is none."""
    with _client(socket) as client:
        done = client.unlock(kind, value, issuer, reason)
    if as_json:
        print_json(done)
    else:
        click.echo(f"unlocked {visible(done.lock)}")


def _client(socket: Path | None) -> "AdminClient":
    from gatekeeper.cli.admin_client import AdminClient

    return AdminClient(load_settings().admin_socket if socket is None else socket)


def _show(locks: "tuple[LockView, ...]", *, as_json: bool) -> None:
    if as_json:
        print_json(locks)
        return
    if not locks:
        click.echo("nobody is locked out")
    from gatekeeper.cli.times import show_instant

    for one in locks:
        of = f" of {one.issuer}" if one.issuer else ""
        why = f": {one.reason}" if one.reason else ""
        click.echo(
            visible(f"{one.kind} {one.value}{of}".rstrip() + f", since {show_instant(one.since)} by {one.by}{why}")
        )
