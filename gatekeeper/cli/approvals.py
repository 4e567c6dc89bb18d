"""`gatekeeper approvals`: see what waits for reviewers, and decide on it with a signature of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from gatekeeper.cli.options import config_option, json_option, load_settings
from gatekeeper.cli.output import print_json, print_pairs, print_table
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.approvals import ApprovalView
    from gatekeeper.cli.admin_client import AdminClient
    from gatekeeper.cli.deciding import Choice

OPEN: Final = frozenset({"pending", "approved"})
_SOCKET: Final = "gatekeeper.socket"


def _remember_socket(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[_SOCKET] = value


def socket_option[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add `--socket`."""
    option = click.option(
        "--socket",
        metavar="PATH",
        envvar="GATEKEEPER_SOCKET",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember_socket,
        help="The gateway's admin socket.  [default: admin.listen of the configuration]",
    )
    return option(command)


def key_options[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add what says who signs, and why."""
    for option in (
        click.option("--reason", default="", metavar="TEXT", help="Why; signed and recorded, so no personal data."),
        click.option("--as", "reviewer", metavar="NAME", help="Your name in allowed_signers.  [default: comment]"),
        click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Your SSH key.  [default: agent]"),
    ):
        command = option(command)
    return command


def grant_options[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add what makes more, or less, of an approval."""
    for option in (
        click.option("--break-glass", is_flag=True, help="Release it alone, where you may; needs --reason."),
        click.option("--same-tool", is_flag=True, help="With --for: only calls of the same tool."),
        click.option("--uses", type=click.IntRange(1), metavar="N", help="With --for: so many calls, this one too."),
        click.option("--for", "lasting", metavar="1h", help="Grant: later calls of this workload under this rule too."),
    ):
        command = option(command)
    return command


@click.group()
@config_option
@socket_option
def approvals() -> None:
    """Decide on held calls."""


@approvals.command("list")
@config_option
@click.option("--all", "every", is_flag=True, help="Also what is over, for a day.")
@json_option
def list_approvals(every: bool, as_json: bool) -> None:  # noqa: FBT001 - flags of the command line
    """List the approvals that are pending, or approved and not used yet."""
    with admin_client() as client:
        found = [view for view in client.approvals() if every or view.state in OPEN]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("Nothing waits for a decision.")
    else:
        columns = ("ID", "STATE", "SUBJECT", "CALL", "RULE", "FOUND", "EXPIRES")
        print_table(columns, [_row(view, found) for view in found])


@approvals.command()
@config_option
@click.argument("id_", metavar="ID")
@click.option("--raw", is_flag=True, help="The whole body, laid out, instead of the last messages.")
@json_option
def show(id_: str, raw: bool, as_json: bool) -> None:  # noqa: FBT001 - flags of the command line
    """Show one approval and its request, masked. ID may be cut where it is unique."""
    from gatekeeper.cli.reviewing import call_lines, facts, history

    with admin_client() as client:
        detail = client.approval(id_)
    if as_json:
        print_json(detail)
        return
    headers = "; ".join(f"{visible(name)}: {visible(value)}" for name, value in detail.headers) or "-"
    print_pairs(facts(detail.approval) | {"headers": headers})
    click.echo("\n".join(["", *history(detail), "", *call_lines(detail, raw=raw)]))


@approvals.command()
@config_option
@click.argument("ids", metavar="ID…", nargs=-1, required=True)
@key_options
@grant_options
@click.option("--alike", is_flag=True, help="Also all that wait and look the same: one question, a signature for each.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--statement", type=click.Path(path_type=Path), metavar="FILE", help="A statement signed elsewhere, and")
@click.option("--signature", type=click.Path(path_type=Path), metavar="FILE", help="its signature (SSHSIG, armored).")
def approve(**options: Any) -> None:
    """Release one call, or several, by a statement signed with your SSH key."""
    _decide("approve", options)


@approvals.command()
@config_option
@click.argument("ids", metavar="ID…", nargs=-1, required=True)
@key_options
@click.option("--alike", is_flag=True, help="Also all that wait and look the same: one question, a signature for each.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--statement", type=click.Path(path_type=Path), metavar="FILE", help="A statement signed elsewhere, and")
@click.option("--signature", type=click.Path(path_type=Path), metavar="FILE", help="its signature (SSHSIG, armored).")
def deny(**options: Any) -> None:
    """Refuse one call, or several, by a statement signed with your SSH key."""
    _decide("deny", options)


@approvals.command()
@config_option
@click.argument("id_", metavar="ID")
@click.option("--as", "reviewer", metavar="NAME", required=True, help="Your name in allowed_signers.")
@click.option("--reason", default="", metavar="TEXT", help="Why; signed and recorded, so no personal data.")
@click.option("--deny", "denied", is_flag=True, help="State a denial.")
@grant_options
def statement(id_: str, reviewer: str, reason: str, denied: bool, **more: Any) -> None:  # noqa: FBT001 - a flag
    """Print the statement to sign elsewhere, without a line end: ssh-keygen -Y sign -n gatekeeper-approval."""
    from gatekeeper.cli.deciding import refuse_sensitive, statement_for, to_decide
    from gatekeeper.journal.statement import statement_bytes

    refuse_sensitive(reason)
    with admin_client() as client:
        (view,) = to_decide(client, [id_], alike=False)
    choice = _choice("deny" if denied else "approve", reason, **more)
    click.echo(statement_bytes(statement_for(view, reviewer, choice)), nl=False)


@approvals.command()
@config_option
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is recorded, so without personal data.")
def withdraw(id_: str, reason: str) -> None:
    """Take back what nobody is to decide on any more; the same call, repeated, asks anew."""
    with admin_client() as client:
        view = client.withdraw(id_, reason)
    click.echo(f"{visible(view.id)}: withdrawn.")


@approvals.command()
@config_option
@json_option
def figures(as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Show how fast and how uniformly each reviewer has decided, in the last 90 days."""
    with admin_client() as client:
        counted = client.figures()
    if as_json:
        print_json(counted)
        return
    columns = ("REVIEWER", "DECISIONS", "APPROVED", "DENIED", "MEDIAN", "UNDER 5 S", "LONGEST ROW", "NO REASON")
    print_table(
        columns,
        [
            (
                visible(it.reviewer), str(it.decisions), str(it.approved), str(it.denied),
                f"{it.median / 1_000_000:.0f} s", str(it.hasty), str(it.streak), str(it.silent),
            )
            for it in counted
        ],
    )  # fmt: skip


@approvals.command()
@config_option
@key_options
@click.option("--rule", default="", metavar="NAME", help="Only what this rule holds.")
@click.option("--group", "person", default="", metavar="NAME", help="Only what this reviewer may decide on.")
def watch(key: Path | None, reviewer: str | None, reason: str, rule: str, person: str) -> None:
    """Decide on what waits as it comes, on the whole screen."""
    from gatekeeper.cli.watch import Watch

    with admin_client() as client:
        Watch(client, key, reviewer, reason, rule, person).run()


def admin_client() -> "AdminClient":
    """Give the client of the gateway that options, variables or the configuration name."""
    from gatekeeper.cli.admin_client import AdminClient

    socket: Path | None = click.get_current_context().meta.get(_SOCKET)
    return AdminClient(load_settings().admin_socket if socket is None else socket)


def _choice(
    verdict: str,
    reason: str,
    lasting: str | None = None,
    uses: int | None = None,
    same_tool: bool = False,  # noqa: FBT001, FBT002 - flags of the command line
    break_glass: bool = False,  # noqa: FBT001, FBT002
) -> "Choice":
    from gatekeeper.cli.deciding import Choice
    from gatekeeper.cli.problem import Problem
    from gatekeeper.config import Seconds

    try:
        seconds = None if lasting is None else Seconds.parse(lasting)
    except ValueError as error:
        msg = f"--for: {error}"
        raise Problem(msg) from error
    return Choice(verdict, reason, seconds, uses, same_tool, break_glass)


def _decide(verdict: str, options: dict[str, Any]) -> None:
    """Decide as `approve` and `deny` were told to."""
    ids, statement, signature = (options.pop(name) for name in ("ids", "statement", "signature"))
    key, reviewer, reason, alike, yes = (options.pop(name) for name in ("key", "reviewer", "reason", "alike", "yes"))
    from gatekeeper.cli import deciding
    from gatekeeper.journal.statement import statement_bytes

    if statement is not None or signature is not None:
        _send_signed(verdict, ids, statement, signature)
        return
    deciding.refuse_sensitive(reason)
    choice = _choice(verdict, reason, **options)
    _ = choice.scope
    with admin_client() as client:
        views = deciding.to_decide(client, ids, alike=alike)
        signer, principal = deciding.signer_for(key, reviewer, views[0], choice)
        stated = [deciding.statement_for(view, principal, choice) for view in views]
        for view, one in zip(views, stated, strict=True):
            deciding.announce(view, one)
        deciding.confirm(len(stated), yes=yes)
        for one in stated:
            data = statement_bytes(one)
            click.echo(deciding.told(client.decide(one.approval, data, signer.sign(data))))


def _send_signed(verdict: str, ids: tuple[str, ...], statement: Path | None, signature: Path | None) -> None:
    """Send what was signed elsewhere; the gateway checks it as any other."""
    from gatekeeper.cli.admin_client import SaidNo
    from gatekeeper.cli.deciding import told
    from gatekeeper.cli.problem import Problem
    from gatekeeper.journal.statement import DecisionRefused, parse_statement

    if statement is None or signature is None:
        msg = "--statement and --signature go together"
        raise Problem(msg)
    data = statement.read_bytes()
    try:
        stated = parse_statement(data)
    except DecisionRefused as error:
        raise SaidNo(str(error)) from error
    if stated.verdict.value != verdict or ids != (stated.approval,):
        msg = f"{statement}: says {stated.verdict.value} {visible(stated.approval)}, not {verdict} {' '.join(ids)}"
        raise SaidNo(msg)
    with admin_client() as client:
        armored = signature.read_text(encoding="ascii", errors="replace")
        click.echo(told(client.decide(stated.approval, data, armored)))


def _row(view: "ApprovalView", among: "list[ApprovalView]") -> tuple[str, ...]:
    from gatekeeper.cli.reviewing import LOUD, call_of, found, remaining

    alike = sum(other.group == view.group and other.state == view.state for other in among)
    loud = LOUD if any(one.scope == "break-glass" for one in view.decisions) else ""
    return (
        visible(view.id),
        f"{loud}{visible(view.state)}",
        visible(view.subject),
        f"{call_of(view)}{f' ({alike} alike)' if alike > 1 else ''}",
        visible(view.rule),
        found(view),
        remaining(view),
    )
