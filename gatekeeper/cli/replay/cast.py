"""A replay as an asciicast, version 2 (docs.asciinema.org/manual/asciicast/v2): a terminal that plays it."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from gatekeeper.cli.replay.timeline import step_lines
from gatekeeper.replay.export.values import MICROSECONDS

if TYPE_CHECKING:
    from gatekeeper.replay import Step

WIDTH: Final = 120
HEIGHT: Final = 36


def cast_lines(steps: "Iterable[Step]", title: str) -> Iterator[str]:
    """Give the header, and an event for each step at its time."""
    start: int | None = None
    for step in steps:
        if start is None:
            start = step.at
            stamp = step.entry.time // MICROSECONDS
            yield (
                json.dumps({"version": 2, "width": WIDTH, "height": HEIGHT, "timestamp": stamp, "title": title}) + "\n"
            )
        text = "".join(f"{line}\r\n" for line in step_lines(step, "head"))
        yield json.dumps([(step.at - start) / MICROSECONDS, "o", text], ensure_ascii=False) + "\n"
