"""The command line. Each command imports what it needs, so that each starts fast."""

from gatekeeper.cli.program import main

__all__ = ["main"]
