"""`gatekeeper approvals`: see what waits for reviewers, and decide on it with a signature of one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.options import config_option, json_option, load_settings
from gatekeeper.cli.output import print_json, print_pairs, print_table
from gatekeeper.cli.times import MICROSECONDS, show_instant
from gatekeeper.cli.visible import visible, visible_body

if TYPE_CHECKING:
    from gatekeeper.approvals import ApprovalDetail, ApprovalView
    from gatekeeper.cli.admin_client import AdminClient
    from gatekeeper.cli.signing import Signer
    from gatekeeper.journal.statement import Answer, Statement

OPEN: Final = frozenset({"pending", "approved"})
_SOCKET: Final = "gatekeeper.socket"
_RESULTS: Final = {
    "pending": "{id}: recorded; {approved} of {quorum} reviewers have approved.",
    "approved": "{id}: approved; nobody waits now, and the same call will be released when it is repeated.",
    "used": "{id}: approved; the call that waited is released.",
    "denied": "{id}: denied.",
    "expired": "{id}: too late, it has run out.",
    "lapsed": "{id}: too late, it has run out.",
}


@click.group()
@config_option
@click.option(
    "--socket",
    metavar="PATH",
    envvar="GATEKEEPER_SOCKET",
    type=click.Path(path_type=Path),
    help="The gateway's admin socket.  [default: admin.listen of the configuration]",
)
@click.pass_context
def approvals(ctx: click.Context, socket: Path | None) -> None:
    """Decide on held calls."""
    ctx.meta[_SOCKET] = socket


@approvals.command("list")
@config_option
@click.option("--all", "every", is_flag=True, help="Also what is over, for a day.")
@json_option
def list_approvals(every: bool, as_json: bool) -> None:  # noqa: FBT001 - flags of the command line
    """List the approvals that are pending, or approved and not used yet."""
    with _client() as client:
        found = [view for view in client.approvals() if every or view.state in OPEN]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("Nothing waits for a decision.")
    else:
        columns = ("ID", "STATE", "SUBJECT", "CALL", "RULE", "FOUND", "EXPIRES")
        print_table(columns, [_row(view) for view in found])


@approvals.command()
@config_option
@click.argument("id_", metavar="ID")
@json_option
def show(id_: str, as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Show one approval and its request, masked. ID may be cut where it is unique."""
    with _client() as client:
        detail = client.approval(id_)
    if as_json:
        print_json(detail)
        return
    print_pairs(_facts(detail.approval) | {"headers": _headers(detail)})
    click.echo()
    text = visible_body(detail.body) if detail.encoding == "utf-8" else [f"(no text, base64) {detail.body}"]
    click.echo("\n".join(text) if detail.body else "(no body)")


@approvals.command()
@config_option
@click.argument("id_", metavar="ID")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Your SSH key.  [default: ssh-agent's]")
@click.option("--as", "reviewer", metavar="NAME", help="Your name in allowed_signers.  [default: the key's comment]")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is signed and recorded, so without personal data.")
def approve(id_: str, key: Path | None, reviewer: str | None, reason: str) -> None:
    """Release one call, by a statement signed with your SSH key."""
    _decide(id_, key, reviewer, reason, "approve")


@approvals.command()
@config_option
@click.argument("id_", metavar="ID")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="Your SSH key.  [default: ssh-agent's]")
@click.option("--as", "reviewer", metavar="NAME", help="Your name in allowed_signers.  [default: the key's comment]")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is signed and recorded, so without personal data.")
def deny(id_: str, key: Path | None, reviewer: str | None, reason: str) -> None:
    """Refuse one call, by a statement signed with your SSH key."""
    _decide(id_, key, reviewer, reason, "deny")


def _client() -> "AdminClient":
    from gatekeeper.cli.admin_client import AdminClient

    socket: Path | None = click.get_current_context().meta[_SOCKET]
    return AdminClient(load_settings().admin_socket if socket is None else socket)


def _decide(name: str, key: Path | None, reviewer: str | None, reason: str, verdict: str) -> None:
    from gatekeeper.cli.admin_client import SaidNo
    from gatekeeper.cli.signing import from_agent, from_file
    from gatekeeper.journal.statement import Answer, statement_bytes

    _refuse_sensitive(reason)
    with _client() as client:
        view = client.approval(name).approval
        if view.state != "pending":
            msg = f"{view.id} is {view.state}: there is nothing left to decide"
            raise SaidNo(msg)
        reviewers = sorted({person for need in view.require for person in need.reviewers})
        signer = from_file(key) if key else from_agent([reviewer] if reviewer else reviewers)
        statement = _statement(view, _principal(signer, reviewer, reviewers), reason, Answer(verdict))
        _announce(view, statement)
        data = statement_bytes(statement)
        outcome = client.decide(view.id, data, signer.sign(data))
    click.echo(_RESULTS[outcome.state].format(id=outcome.approval, approved=outcome.approved, quorum=outcome.quorum))


def _refuse_sensitive(reason: str) -> None:
    """Refuse what would stand in the journal for ever, before it is signed; the gateway looks again."""
    if not reason:
        return
    from gatekeeper.cli.problem import Problem
    from gatekeeper.config import MaskingConfig
    from gatekeeper.masking import Masker, mask_text

    if mask_text(Masker(MaskingConfig(), bytes(32)), reason) != reason:
        msg = "--reason holds personal data or a secret, and it would be recorded for good; say it without"
        raise Problem(msg)


def _principal(signer: "Signer", named: str | None, reviewers: list[str]) -> str:
    from gatekeeper.cli.admin_client import SaidNo
    from gatekeeper.cli.problem import Problem

    principal = named or signer.comment
    if not principal:
        msg = "the key has no comment that says who you are; give your name in allowed_signers with --as NAME"
        raise Problem(msg)
    if principal not in reviewers:
        msg = f"{visible(principal)} is no reviewer of this approval; one of {', '.join(map(visible, reviewers))} is"
        raise SaidNo(msg if named else f"{msg} (--as NAME says which you are)")
    return principal


def _statement(view: "ApprovalView", reviewer: str, reason: str, answer: "Answer") -> "Statement":
    from gatekeeper.exchange import Digest, now
    from gatekeeper.journal.statement import Scope, Statement

    return Statement(
        approval=view.id,
        digest=Digest(view.digest),
        origin=view.origin,
        reason=reason,
        request=view.request,
        reviewer=reviewer,
        scope=Scope.ONCE,
        time=now(),
        v=1,
        verdict=answer,
    )


def _announce(view: "ApprovalView", statement: "Statement") -> None:
    """Say what is about to be signed."""
    click.echo(f"You sign: {statement.verdict.value} this call, once.")
    call = f"{visible(view.method)} {visible(view.url)}"
    print_pairs(
        {
            "approval": visible(view.id),
            "call": call,
            "subject": visible(view.subject),
            "rule": visible(view.rule),
            "found": _found(view),
            "reviewer": visible(statement.reviewer),
            "reason": visible(statement.reason) or "none given",
            "digest": visible(view.digest),
            "recorded": visible(view.request),
        }
    )


def _row(view: "ApprovalView") -> tuple[str, ...]:
    call = f"{visible(view.method)} {visible(view.url)}"
    return (
        visible(view.id),
        visible(view.state),
        visible(view.subject),
        call,
        visible(view.rule),
        _found(view),
        _remaining(view),
    )


def _facts(view: "ApprovalView") -> dict[str, str]:
    reviewers = [f"{need.quorum} of {', '.join(map(visible, need.reviewers))}" for need in view.require]
    owners = "not known" if view.excluded is None else ", ".join(map(visible, view.excluded)) or "none"
    decisions = [
        f"{one.verdict} by {visible(one.reviewer)} at {show_instant(one.time)} {visible(one.reason)}".rstrip()
        for one in view.decisions
    ]
    return {
        "approval": f"{visible(view.id)}  {visible(view.state)}",
        "call": f"{visible(view.method)} {visible(view.url)}",
        "subject": f"{visible(view.subject)} of {visible(view.issuer)}",
        "workflow": visible(view.workflow or "-"),
        "groups": ", ".join(map(visible, view.groups)) or "-",
        "model": visible(" ".join(filter(None, (view.dialect, view.model)))),
        "rule": visible(view.rule),
        "because": "; ".join(map(visible, view.reasons)) or "-",
        "found": _found(view),
        "reviewers": "; ".join(reviewers),
        "owners": owners,
        "decisions": "; ".join(decisions) or "none",
        "waiting": f"{view.waiting} calls" if view.used_by is None else f"used by exchange {visible(view.used_by)}",
        "created": show_instant(view.created),
        "expires": f"{show_instant(view.expires)} ({_remaining(view)})",
        "digest": visible(view.digest),
        "recorded": visible(view.request),
    }


def _headers(detail: "ApprovalDetail") -> str:
    return "; ".join(f"{visible(name)}: {visible(value)}" for name, value in detail.headers) or "-"


def _found(view: "ApprovalView") -> str:
    return ", ".join(f"{visible(name)} {count}" for name, count in sorted(view.findings.items())) or "-"


def _remaining(view: "ApprovalView") -> str:
    from gatekeeper.exchange import now

    minutes, seconds = divmod(max(0, view.expires - now()) // MICROSECONDS, 60)
    return f"in {minutes} min {seconds} s" if minutes or seconds else "over"
