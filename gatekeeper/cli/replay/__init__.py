"""`gatekeeper replay`: what a session did. Nothing is ever sent anywhere."""

from typing import Final

import click

from gatekeeper.cli.lazy import LazyGroup, Places

COMMANDS: Final[Places] = {
    "list": ("replay.listing", "list_sessions", "List the sessions that were recorded."),
    "show": ("replay.show", "show", "Show what happened, in its order and time."),
    "serve": ("replay.serve", "serve", "Answer a re-run of the application from the recording, offline."),
    "check": ("replay.check", "check", "Decide and mask the recorded calls again, and show differences."),
    "diff": ("replay.diff", "diff", "Lay two sessions side by side."),
    "export": (
        "replay.export",
        "export",
        "Write calls for other tools: HAR, flows, JSON lines, CSV, curl, cast, OTLP.",
    ),
}


@click.group(cls=LazyGroup, places=COMMANDS)
def replay() -> None:
    """See what a session did, and check it again. Nothing is sent anywhere."""
