"""`gatekeeper grants`: see which decisions cover later calls, and end them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.approvals import admin_client, key_options, socket_option
from gatekeeper.cli.options import config_option, json_option
from gatekeeper.cli.output import print_json, print_table
from gatekeeper.cli.times import show_instant
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.approvals.views import GrantView


@click.group()
@config_option
@socket_option
def grants() -> None:
    """See and end decisions that cover later calls."""


@grants.command("list")
@config_option
@json_option
def list_grants(as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """List the grants in force."""
    with admin_client() as client:
        found = client.grants()
    if as_json:
        print_json(found)
    elif not found:
        click.echo("No grant is in force.")
    else:
        columns = ("GRANT", "STATE", "SUBJECT", "RULE", "TOOL", "USED", "UNTIL", "BY", "REASON")
        print_table(columns, [_row(one) for one in found])


@grants.command()
@config_option
@click.argument("grant", type=int)
@key_options
def revoke(grant: int, key: Path | None, reviewer: str | None, reason: str) -> None:
    """End a grant, by a statement signed with your SSH key."""
    from gatekeeper.cli.admin_client import SaidNo
    from gatekeeper.cli.deciding import refuse_sensitive
    from gatekeeper.cli.problem import Problem
    from gatekeeper.cli.signing import from_agent, from_file
    from gatekeeper.exchange import Digest, now
    from gatekeeper.journal.statement import Answer, Scope, Statement, statement_bytes

    refuse_sensitive(reason)
    with admin_client() as client:
        view = next((one for one in client.grants() if one.grant == grant), None)
        if view is None:
            msg = f"there is no grant {grant} in force: `gatekeeper grants list` shows them"
            raise SaidNo(msg)
        signer = from_file(key) if key else from_agent([reviewer] if reviewer else [view.reviewer])
        name = reviewer or signer.comment
        if not name:
            msg = "the key has no comment that says who you are; give your name in allowed_signers with --as NAME"
            raise Problem(msg)
        click.echo(f"You sign: grant {grant} ends (rule {visible(view.rule)!r}, {visible(view.subject)}).")
        data = statement_bytes(
            Statement(
                approval=view.approval,
                digest=Digest(view.digest),
                origin=view.origin,
                reason=reason,
                request=view.leaf,
                reviewer=name,
                scope=Scope.GRANT,
                time=now(),
                v=1,
                verdict=Answer.DENY,
            )
        )
        ended = client.revoke(grant, data, signer.sign(data))
    click.echo(f"grant {grant}: {ended.state}, after {ended.used} use{'' if ended.used == 1 else 's'}.")


def _row(view: "GrantView") -> tuple[str, ...]:
    return (
        str(view.grant),
        visible(view.state),
        visible(view.subject),
        visible(view.rule),
        visible(view.tool or "any"),
        f"{view.used}" if view.uses is None else f"{view.used} of {view.uses}",
        show_instant(view.until),
        visible(view.reviewer),
        visible(view.reason),
    )
