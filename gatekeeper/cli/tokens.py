"""Where a program's tokens come from, as its options say: a file, a command, or the embedded issuer."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from gatekeeper.cli.issuer import life, load_issuer
from gatekeeper.cli.problem import Problem

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.relay import TokenSource


class TokenOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options as given; exactly one of the first three counts."""

    subject: str | None
    token_file: Path | None
    token_command: str | None
    groups: tuple[str, ...]
    workflow: str | None


def token_options[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add the options that say where tokens come from."""
    for option in (
        click.option("--token-command", metavar="C", help="A command that prints the current token."),
        click.option(
            "--token-file", metavar="F", type=click.Path(path_type=Path), help="A file with the current token."
        ),
        click.option("--workflow", metavar="W", help="With --subject: its workflow."),
        click.option("--group", "groups", multiple=True, metavar="G", help="With --subject: a group; may be repeated."),
        click.option("--subject", metavar="S", help="Whose tokens the embedded issuer makes."),
    ):
        command = option(command)
    return command


def token_source(options: TokenOptions, load: Callable[[], "Config"]) -> "TokenSource":
    """Open the source; the configuration is loaded only where the embedded issuer is asked. Raises Problem."""
    given = [one for one in (options.subject, options.token_file, options.token_command) if one is not None]
    if len(given) != 1:
        msg = "say where tokens come from, by one of --subject, --token-file and --token-command"
        raise click.UsageError(msg)
    if options.subject is None and (options.groups or options.workflow is not None):
        msg = "--group and --workflow go with --subject; another's tokens carry their own"
        raise click.UsageError(msg)
    from gatekeeper.exchange import now
    from gatekeeper.relay import FileToken, command_token, issued_token

    if options.token_file is not None:
        return FileToken(options.token_file)
    if options.token_command is not None:
        return command_token(_words(options.token_command), now)
    issuer, terms = load_issuer(load())
    try:
        return issued_token(issuer, options.subject or "", options.groups, options.workflow, life(terms), now)
    except ValueError as error:
        raise Problem(str(error)) from error


async def check_source(source: "TokenSource") -> None:
    """Get one token, so that what is wrong shows now and not at the first call; raises Problem."""
    from gatekeeper.relay import TokenUnavailable

    try:
        await source.current()
    except TokenUnavailable as error:
        raise Problem(str(error)) from error


def read_token(path: Path) -> str:
    """Give the token that stands in a file; raises Problem."""
    import asyncio

    from gatekeeper.relay import FileToken, TokenUnavailable

    try:
        return asyncio.run(FileToken(path).current()).token
    except TokenUnavailable as error:
        raise Problem(str(error)) from error


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        msg = f"--token-command: {str(error).lower()}"
        raise click.UsageError(msg) from error
    if not words:
        msg = "--token-command: is empty"
        raise click.UsageError(msg)
    return words
