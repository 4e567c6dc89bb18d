"""What a reviewer is shown of an approval: facts, the call as a person reads it, what was decided before."""

from typing import TYPE_CHECKING, Final

from gatekeeper.cli.times import MICROSECONDS, show_instant
from gatekeeper.cli.visible import visible, visible_body, visible_lines

if TYPE_CHECKING:
    from gatekeeper.approvals import ApprovalDetail, ApprovalView

TURNS: Final = 6
"""Last messages that are shown."""

LONGEST: Final = 40
"""Lines of one message that are shown."""

NOTHING: Final = "-"
LOUD: Final = "BREAK GLASS "


def call_of(view: "ApprovalView") -> str:
    """Name the call in a line: what is held of it first, where that is an answer or a tool."""
    called = f"{visible(view.method)} {visible(view.url)}"
    if view.of == "response":
        return f"answer that calls {visible(view.tool or 'several tools')}: {called}"
    return f"calls {visible(view.tool)}: {called}" if view.tool else called


def facts(view: "ApprovalView") -> dict[str, str]:
    """Give an approval's facts, name by name."""
    reviewers = [f"{need.quorum} of {', '.join(map(visible, need.reviewers))}" for need in view.require]
    owners = "not known" if view.excluded is None else ", ".join(map(visible, view.excluded)) or "none"
    decisions = [
        f"{LOUD if one.scope == 'break-glass' else ''}{one.verdict} by {visible(one.reviewer)} "
        f"at {show_instant(one.time)} {visible(one.reason)}".rstrip()
        for one in view.decisions
    ]
    return {
        "approval": f"{visible(view.id)}  {visible(view.state)}",
        "call": call_of(view),
        "subject": f"{visible(view.subject)} of {visible(view.issuer)}",
        "workflow": visible(view.workflow or "-"),
        "groups": ", ".join(map(visible, view.groups)) or "-",
        "model": visible(" ".join(filter(None, (view.dialect, view.model)))),
        "rule": visible(view.rule),
        "because": "; ".join(map(visible, view.reasons)) or "-",
        "found": found(view),
        "reviewers": "; and ".join(reviewers),
        "owners": owners,
        "decisions": "; ".join(decisions) or "none",
        "waiting": f"{view.waiting} {'call' if view.waiting == 1 else 'calls'}"
        if view.used_by is None
        else f"used by exchange {visible(view.used_by)}",
        "created": show_instant(view.created),
        "expires": _expiry(view),
        "digest": visible(view.digest),
        "recorded": visible(view.request),
    }


def history(detail: "ApprovalDetail") -> list[str]:
    """Say how earlier calls of this subject under this rule were decided."""
    if not detail.before:
        return ["nothing was decided on this workload under this rule before"]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(detail.before.items()))
    lines = [f"before, on this workload under this rule: {counts}"]
    for one in detail.latest:
        loud = LOUD if one.scope == "break-glass" else ""
        said = f"{loud}{one.verdict} by {visible(one.reviewer)} at {show_instant(one.decided)}"
        lines.append(f"  {visible(one.approval)}  {said}  {visible(one.reason)}".rstrip())
    return lines


def call_lines(detail: "ApprovalDetail", *, raw: bool = False) -> list[str]:
    """Show the call: the tools that it calls, the last messages to a model, or else its body."""
    lines: list[str] = []
    for call in detail.tool_calls:
        lines += [f"calls {visible(call.name)}", *(f"  {line}" for line in visible_body(call.arguments))]
    if detail.encoding != "utf-8":
        return [*lines, f"(no text, base64) {detail.body}"]
    turns = [] if raw else _turns(detail)
    if turns:
        return lines + turns
    if detail.tool_calls and not raw:
        return lines
    return lines + (visible_body(detail.body) if detail.body else ["(no body)"])


def found(view: "ApprovalView") -> str:
    """Say what detectors found."""
    return ", ".join(f"{visible(name)} {count}" for name, count in sorted(view.findings.items())) or "-"


def _expiry(view: "ApprovalView") -> str:
    left = remaining(view)
    return show_instant(view.expires) + ("" if left == NOTHING else f" ({left})")


def remaining(view: "ApprovalView") -> str:
    """Say how long it stays open; nothing for what is over."""
    if view.state not in {"pending", "approved"}:
        return NOTHING
    from gatekeeper.exchange import now

    minutes, seconds = divmod(max(0, view.expires - now()) // MICROSECONDS, 60)
    return f"in {minutes} min {seconds} s" if minutes or seconds else "over"


def _turns(detail: "ApprovalDetail") -> list[str]:
    from gatekeeper.dialects.transcript import read_transcript

    if detail.approval.dialect in {"http", "mcp"}:
        return []
    turns = read_transcript(detail.body.encode())
    lines = [f"… {len(turns) - TURNS} earlier messages (--raw shows all)"] if len(turns) > TURNS else []
    for turn in turns[-TURNS:]:
        said = [line for part in turn.parts for line in visible_lines(part)]
        cut = [f"… {len(said) - LONGEST} more lines (--raw shows all)"] if len(said) > LONGEST else []
        lines += [f"{visible(turn.role)}:", *(f"  {line}" for line in (*said[:LONGEST], *cut))]
    return lines
