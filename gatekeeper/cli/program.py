"""The program `gatekeeper`: its commands, loaded when they are used, and the one place where errors become a line."""

import sys
from collections.abc import Sequence
from typing import Any, Final, override

import click

from gatekeeper import VERSION
from gatekeeper.cli.lazy import LazyGroup, Places
from gatekeeper.cli.options import config_option
from gatekeeper.cli.problem import WRONG_USE, describe, one_line

INTERRUPTED: Final = 130
"""What shells give for a program that Ctrl-C ended: 128 + SIGINT."""

COMMANDS: Final[Places] = {
    "demo": ("demo.command", "demo", "The whole story in a minute."),
    "run": ("run", "run", "Serve: the proxy, until Ctrl-C."),
    "status": ("run", "status", "Ask a running gateway how it is."),
    "exec": ("execute", "execute", "Run a program behind a running gateway."),
    "relay": ("relay", "relay", "The loopback proxy that adds the current token."),
    "env": ("env", "env", "Print the variables that a client needs."),
    "doctor": ("doctor.command", "doctor", "Check this installation, or the ways out of a container."),
    "config": ("config", "config", "Look at the configuration."),
    "identity": ("identity", "identity", "Issue and check tokens."),
    "policy": ("policy", "policy", "Ask which rule decides."),
    "lock": ("lock", "lock", "Lock out, at once: a subject, a workflow, a token, a key, or all."),
    "unlock": ("lock", "unlock", "Take a lock off."),
    "approvals": ("approvals", "approvals", "Decide on held calls."),
    "grants": ("grants", "grants", "See and end decisions that cover later calls."),
    "mask": ("mask", "mask", "Mask text from standard input."),
    "journal": ("journal", "journal", "List, show and verify the journal."),
    "replay": ("replay", "replay", "See what a session did, and check it again."),
    "evidence": ("evidence", "evidence", "Build and verify an auditor's bundle."),
}


class Program(LazyGroup):
    """The group of all commands."""

    @override
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and exit: 0 done, 1 the answer is no, 2 wrong use or configuration. Errors are one line."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _complain(one_line(error))
            sys.exit(error.exit_code)
        except click.Abort:
            sys.exit(INTERRUPTED)
        except (ValueError, RuntimeError, OSError) as error:
            text = describe(error)
            if text is None:
                raise
            _complain(text)
            sys.exit(WRONG_USE)
        sys.exit(code if isinstance(code, int) else 0)


def _complain(text: str) -> None:
    click.echo(f"{click.style('gatekeeper:', fg='red')} {text}", err=True)


@click.group(
    "gatekeeper",
    cls=Program,
    places=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
@click.version_option(VERSION, prog_name="gatekeeper", message="%(prog)s %(version)s")
@config_option
def main() -> None:
    """Run and ask a proxy for AI agents: who called, whether it might, what was masked, all of it on record."""
