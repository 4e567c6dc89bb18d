"""A replay's steps as lines: when, which call, what, and below it the body."""

from collections.abc import Iterator
from typing import Final

import click

from gatekeeper.cli.describe import found_sentence, sentence, verdict_sentence
from gatekeeper.cli.shown import Extent, body_lines, body_of, missing_line
from gatekeeper.cli.times import show_offset
from gatekeeper.cli.visible import visible
from gatekeeper.journal.entries import RequestData
from gatekeeper.replay import Step, StepKind

TIME_WIDTH: Final = 9
CALL_WIDTH: Final = 4
INDENT: Final = " " * 17

# What goes up to the upstream, what comes down, and what the gateway decides in between.
MARKS: Final = {
    StepKind.REQUEST: "→",
    StepKind.CHUNK: "←",
    StepKind.RESPONSE: "←",
    StepKind.ERROR: "✗",
    StepKind.TRUNCATED: "✗",
    StepKind.REFUSED: "✗",
}
COLOURS: Final = {
    StepKind.HOLD: "yellow",
    StepKind.DECISION: "cyan",
    StepKind.RELEASE: "green",
    StepKind.DENY: "red",
    StepKind.EXPIRE: "red",
    StepKind.ABANDON: "red",
    StepKind.ERROR: "red",
    StepKind.TRUNCATED: "red",
    StepKind.REFUSED: "red",
}


def step_lines(step: Step, extent: Extent) -> Iterator[str]:
    """Give the lines of one step. `‖` marks one that other calls ran beside; a request names them."""
    head, text = step_head(step), step_text(step)
    colour = COLOURS.get(step.kind)
    yield f"{click.style(head, dim=True)} {click.style(text, fg=colour) if colour else text}"
    if step.kind is StepKind.REQUEST and isinstance(step.entry.data, RequestData):
        yield from (INDENT + line for line in _about(step, step.entry.data))
    if extent != "none" and step.kind is not StepKind.VERDICT:
        yield from _body(step, extent)


def step_head(step: Step) -> str:
    """Say when it was, and of which call."""
    call = f"#{step.call}{'‖' if step.beside else ''}" if step.call else ""
    return f"{show_offset(step.at):>{TIME_WIDTH}} {call:<{CALL_WIDTH}}"


def step_text(step: Step) -> str:
    """Say in a line what happened."""
    data = step.entry.data
    if step.kind is StepKind.VERDICT and isinstance(data, RequestData):
        return f"  {verdict_sentence(data.verdict)}"
    mark = MARKS.get(step.kind)
    return f"{mark} {sentence(data)}" if mark is not None else f"  {step.kind.value} {sentence(data)}"


def _about(step: Step, data: RequestData) -> Iterator[str]:
    if step.beside:
        yield f"beside {', '.join(f'#{number}' for number in step.beside)}"
    model = data.gen_ai.get("gen_ai.request.model")
    if isinstance(model, str):
        yield visible(f"model {model}")
    if data.findings:
        yield f"found {found_sentence(data.findings)}"


def _body(step: Step, extent: Extent) -> Iterator[str]:
    if step.content is not None:
        yield from body_lines(step.content, extent, INDENT)
    elif (body := body_of(step.entry)) is not None:
        yield INDENT + missing_line(body, damaged=step.damaged)
