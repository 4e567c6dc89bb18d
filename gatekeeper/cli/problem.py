"""Errors that people see: one line that says what, where, and what to do."""

import os
from typing import Final

import click

WRONG_USE: Final = 2


class Problem(click.ClickException):
    """Wrong use or configuration, in one line; the program ends with 2."""

    exit_code = WRONG_USE


def one_line(error: click.ClickException) -> str:
    """Give click's own errors as one line, with where to read on."""
    text = " ".join(error.format_message().split("\n"))
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{text.rstrip('.')}; see `{error.ctx.command_path} --help`"
    return text


def describe(error: Exception) -> str | None:
    """Say in one line what a foreseen error is; None for one that is a defect of the program."""
    # Imported here, since most commands never come this far.
    from gatekeeper.config import ConfigError
    from gatekeeper.journal import JournalDown

    match error:
        case ConfigError() | JournalDown():
            return str(error)
        case OSError(filename=None):
            return error.strerror or str(error)
        case OSError(filename=name):
            return f"{os.fsdecode(name) if isinstance(name, bytes) else name}: {error.strerror}"
        case _:
            return None
