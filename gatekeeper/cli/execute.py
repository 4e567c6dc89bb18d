"""`gatekeeper exec`: a program behind a running gateway, with a relay of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from gatekeeper.cli.environment import client_environment, handed_on, proxy_url, secret_variables
from gatekeeper.cli.options import load_settings, settings_option
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.relay import gateway_address, start_relay
from gatekeeper.cli.tokens import TokenOptions, check_source, token_options, token_source

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.relay import TokenSource

PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
KEYBOARD: Final = (signal.SIGINT, signal.SIGQUIT)
"""A terminal sends these to its whole foreground group, so to the program already."""

BY_SIGNAL: Final = 128
NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
"""Exit codes as POSIX shells give them."""

LOOPBACK: Final = "127.0.0.1"
CONNECT_LIMIT: Final = 5.0
"""Seconds in which the gateway must take a connection."""


class Call(msgspec.Struct, frozen=True):
    """A program and what it runs with."""

    command: tuple[str, ...]
    source: "TokenSource"
    gateway: tuple[str, int]
    environment: dict[str, str]
    certs: Path


@click.command(name="exec", context_settings={"allow_interspersed_args": False})
@token_options
@settings_option
@click.argument("command", nargs=-1, required=True, metavar="-- CMD…", type=click.UNPROCESSED)
def execute(
    command: tuple[str, ...],
    subject: str | None,
    groups: tuple[str, ...],
    workflow: str | None,
    token_file: Path | None,
    token_command: str | None,
) -> None:
    """Run CMD behind a running gateway, and end with its exit code (128 + n where signal n ended it).

    It gets your environment without your credentials. To give one back: `-- env NAME=value CMD`.
    """
    options = TokenOptions(
        subject=subject, token_file=token_file, token_command=token_command, groups=groups, workflow=workflow
    )
    config = load_settings()
    call = _prepare(command, options, config)
    sys.exit(asyncio.run(_run(call)))


def _prepare(command: tuple[str, ...], options: TokenOptions, config: "Config") -> Call:
    source = token_source(options, lambda: config)
    if not (config.proxy.certs / "bundle.pem").exists():
        msg = f"{config.proxy.certs / 'bundle.pem'}: is missing; `gatekeeper run` makes it on its first run"
        raise Problem(msg)
    return Call(
        command=command,
        source=source,
        gateway=gateway_address(config),
        environment=handed_on(os.environ, secret_variables(config)),
        certs=config.proxy.certs,
    )


async def _run(call: Call) -> int:
    from gatekeeper.relay import Relay

    await check_source(call.source)
    await _check_gateway(*call.gateway)
    relay = Relay(call.source, call.gateway)
    port = await start_relay(relay, (LOOPBACK, 0))
    environment = call.environment | client_environment(proxy_url(LOOPBACK, port), call.certs)
    try:
        return await run_program(call.command, environment)
    finally:
        await relay.stop()


async def _check_gateway(host: str, port: int) -> None:
    """Raise Problem where no gateway takes connections."""
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        msg = f"{host}:{port}: no gateway answers there; start one with `gatekeeper run`"
        raise Problem(msg) from error
    writer.close()


async def run_program(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run a program with signals passed on; gives its exit code as a shell would."""
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in PASSED_ON + KEYBOARD:
        loop.add_signal_handler(number, signals.put_nowait, number)
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        click.echo(f"gatekeeper: {command[0]}: {error.strerror}", err=True)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    passing = loop.create_task(_pass_on(signals, process))
    code = await process.wait()
    passing.cancel()
    return BY_SIGNAL - code if code < 0 else code


async def _pass_on(signals: "asyncio.Queue[signal.Signals]", process: asyncio.subprocess.Process) -> None:
    while True:
        number = await signals.get()
        if process.returncode is None and not (number in KEYBOARD and _in_foreground()):
            process.send_signal(number)


def _in_foreground() -> bool:
    """Whether a terminal's keys signal this process group."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
