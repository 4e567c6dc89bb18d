"""Makes a reviewer's decision: what is stated, by whom, said before it is signed, signed, and sent."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.admin_client import AdminClient, SaidNo
from gatekeeper.cli.output import print_pairs
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.reviewing import call_of, found
from gatekeeper.cli.signing import Signer, from_agent, from_file
from gatekeeper.cli.times import MICROSECONDS, show_instant
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.approvals import ApprovalView, DecisionOutcome
    from gatekeeper.journal.statement import Statement

_RESULTS: Final = {
    "pending": "{id}: recorded; {approved} of {quorum} reviewers have approved.",
    "approved": "{id}: approved; nobody waits now, and the same call will be released when it is repeated.",
    "used": "{id}: approved; the call that waited is released.",
    "granted": "{id}: granted (grant {grant}); what waited and is covered is released.",
    "denied": "{id}: denied.",
    "expired": "{id}: too late, it has run out.",
    "lapsed": "{id}: too late, it has run out.",
}


@dataclass(frozen=True)
class Choice:
    """What a reviewer wants to say, as it was given on the command line."""

    verdict: str
    reason: str = ""
    seconds: float | None = None
    uses: int | None = None
    same_tool: bool = False
    break_glass: bool = False

    @property
    def scope(self) -> str:
        """How far it reaches; raises Problem for what does not go together."""
        if self.seconds is None and (self.uses is not None or self.same_tool):
            msg = "--uses and --same-tool limit a grant: say with --for how long it lasts"
            raise Problem(msg)
        if self.break_glass and self.seconds is not None:
            msg = "--break-glass releases one call and grants nothing: leave --for out"
            raise Problem(msg)
        if self.break_glass and not self.reason:
            msg = "--break-glass releases alone, and says why: give --reason TEXT"
            raise Problem(msg)
        return "break-glass" if self.break_glass else "once" if self.seconds is None else "grant"


def to_decide(client: AdminClient, names: Sequence[str], *, alike: bool) -> "list[ApprovalView]":
    """Look the approvals up that are to be decided on; with `alike`, also those whose calls look the same."""
    views = [client.approval(name).approval for name in names]
    for view in views:
        if view.state != "pending":
            msg = f"{view.id} is {view.state}: there is nothing left to decide"
            raise SaidNo(msg)
    if alike:
        groups = {view.group for view in views}
        views += [view for view in client.approvals() if view.state == "pending" and view.group in groups]
    return list({view.id: view for view in views}.values())


def signer_for(key: Path | None, reviewer: str | None, view: "ApprovalView", choice: Choice) -> tuple[Signer, str]:
    """Find the key, and whose it is: one who may decide so; SaidNo for anybody else, before anything is signed."""
    people = people_of(view, choice)
    signer = from_file(key) if key else from_agent([reviewer] if reviewer else people)
    return signer, _principal(signer, reviewer, view, people)


def people_of(view: "ApprovalView", choice: Choice) -> list[str]:
    """Say who may decide so: a workload's owners may not."""
    asked = view.break_glass if choice.break_glass else (one for need in view.require for one in need.reviewers)
    return sorted({*asked} - {*(view.excluded or ())})


def statement_for(view: "ApprovalView", reviewer: str, choice: Choice) -> "Statement":
    """State a choice on an approval."""
    from msgspec import UNSET

    from gatekeeper.exchange import Digest, Instant, now
    from gatekeeper.journal.statement import Answer, Scope, Statement

    if choice.same_tool and view.tool is None:
        msg = f"{view.id} is not the call of one tool: leave --same-tool out"
        raise Problem(msg)
    time = now()
    return Statement(
        approval=view.id,
        digest=Digest(view.digest),
        origin=view.origin,
        reason=choice.reason,
        request=view.request,
        reviewer=reviewer,
        scope=Scope(choice.scope),
        time=time,
        tool=view.tool if choice.same_tool and view.tool is not None else UNSET,
        until=UNSET if choice.seconds is None else Instant(time + round(choice.seconds * MICROSECONDS)),
        uses=UNSET if choice.uses is None else choice.uses,
        v=1,
        verdict=Answer(choice.verdict),
    )


def announce(view: "ApprovalView", statement: "Statement") -> None:
    """Say what is about to be signed."""
    click.echo(f"You sign: {_meaning(statement)}")
    print_pairs(
        {
            "approval": visible(view.id),
            "call": call_of(view),
            "subject": visible(view.subject),
            "rule": visible(view.rule),
            "found": found(view),
            "reviewer": visible(statement.reviewer),
            "reason": visible(statement.reason) or "none given",
            "digest": visible(view.digest),
            "recorded": visible(view.request),
        }
    )


def confirm(count: int, *, yes: bool) -> None:
    """Ask once on a terminal; where nobody can be asked, what was typed is the answer."""
    if yes or not sys.stdin.isatty():
        return
    what = "Sign this?" if count == 1 else f"Sign these {count} statements?"
    if not click.confirm(what):
        msg = "nothing was signed"
        raise SaidNo(msg)


def told(outcome: "DecisionOutcome") -> str:
    """Say what became of it."""
    text = _RESULTS.get(outcome.state, "{id}: recorded.")
    id_ = visible(outcome.approval)
    return text.format(id=id_, approved=outcome.approved, quorum=outcome.quorum, grant=outcome.grant)


def refuse_sensitive(reason: str) -> None:
    """Refuse what would stand in the journal for ever, before it is signed; the gateway looks again."""
    if not reason:
        return
    from gatekeeper.config import MaskingConfig
    from gatekeeper.masking import Masker, mask_text

    if mask_text(Masker(MaskingConfig(), bytes(32)), reason) != reason:
        msg = "the reason holds personal data or a secret, and would be recorded for good: say it without"
        raise Problem(msg)


def _meaning(statement: "Statement") -> str:
    verdict = statement.verdict.value
    match statement.scope.value:
        case "grant":
            limits = [f"until {show_instant(statement.until)}"] if isinstance(statement.until, int) else []
            limits += [f"{statement.uses} times"] if isinstance(statement.uses, int) else []
            limits += [f"calls of {visible(statement.tool)} only"] if isinstance(statement.tool, str) else []
            return f"{verdict} this call and later ones of this workload under this rule: {', '.join(limits)}."
        case "break-glass":
            return f"BREAK GLASS: {verdict} this call, once, alone and without the others."
        case _:
            return f"{verdict} this call, once."


def _principal(signer: Signer, named: str | None, view: "ApprovalView", people: Sequence[str]) -> str:
    principal = named or signer.comment
    if not principal:
        msg = "the key has no comment that says who you are; give your name in allowed_signers with --as NAME"
        raise Problem(msg)
    if principal in (view.excluded or ()):
        msg = f"{visible(principal)} owns the workload {visible(view.subject)} and can't decide on its calls"
        raise SaidNo(msg)
    if principal not in people:
        who = ", ".join(map(visible, people)) or "nobody"
        msg = f"{visible(principal)} is no reviewer of this approval; one of {who} is"
        raise SaidNo(msg if named else f"{msg} (--as NAME says which you are)")
    return principal
