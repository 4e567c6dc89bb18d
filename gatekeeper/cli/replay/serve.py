"""`gatekeeper replay serve`: an offline stand-in that answers a re-run of the application from the recording."""

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.env import shell_lines
from gatekeeper.cli.environment import client_environment, handed_on, proxy_url, secret_variables
from gatekeeper.cli.execute import run_program
from gatekeeper.cli.options import load_settings, settings_option
from gatekeeper.cli.replay.chosen import WHAT, chosen

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.replay.serve import StandIn

DEPARTED: Final = 1
LOOPBACK: Final = "127.0.0.1"


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="On loopback.  [default: a free one]"
)
@click.option("--timed", is_flag=True, help="Answer as late as it was, streams piece by piece.")
@settings_option
@click.argument("what", metavar=WHAT)
@click.argument("command", nargs=-1, metavar="[-- CMD…]", type=click.UNPROCESSED)
def serve(what: str, command: tuple[str, ...], port: int, *, timed: bool) -> None:
    """Answer a re-run of the application from the recording: CMD, or whatever uses the proxy that is printed.

    It never connects to anything. Requests are masked as the gateway masks them before they are matched; dates, ids
    and header fields don't matter. What the recording does not have is answered 403, and named with the recorded call
    that is nearest to it. Exit 1: the run departed from the recording; else CMD's own exit code.
    """
    from gatekeeper.masking import Masker
    from gatekeeper.replay.serve import Cassette, StandIn

    config = load_settings()
    program = command[1:] if command[:1] == ("--",) else command
    with chosen(what, "replay serve") as found:
        cassette = Cassette.of(found.calls())
        masker = Masker(config.masking, found.reader.digest_key or os.urandom(32))
    stand_in = StandIn(cassette, masker, config.proxy.body_limit, timed=timed)
    code = asyncio.run(_serve(stand_in, config, program, port))
    sys.exit(DEPARTED if _report(stand_in) else code)


async def _serve(stand_in: "StandIn", config: "Config", command: tuple[str, ...], port: int) -> int:
    with tempfile.TemporaryDirectory(prefix="gatekeeper-replay-") as folder:
        certs = Path(folder)
        for name in ("ca.pem", "bundle.pem"):
            stand_in.write_authority(certs / name)
        bound = await stand_in.start(port)
        proxy = proxy_url(LOOPBACK, bound)
        try:
            if command:
                environment = handed_on(os.environ, secret_variables(config)) | client_environment(proxy, certs)
                return await run_program(command, environment)
            await _until_interrupted(shell_lines(proxy, certs, None))
            return 0
        finally:
            await stand_in.stop()


async def _until_interrupted(lines: str) -> None:
    click.echo(lines, nl=False)
    click.echo("# ready: paste these where the application runs; Ctrl-C ends and reports", err=True)
    sys.stdout.flush()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


def _report(stand_in: "StandIn") -> bool:
    """Say how the run went; gives whether it departed from the recording."""
    from gatekeeper.cli.visible import visible

    cassette = stand_in.cassette
    left = cassette.left
    click.echo(f"replay: {cassette.served} of {cassette.served + len(left)} recorded calls were repeated", err=True)
    for departure in cassette.departures:
        click.echo(click.style("departs: ", fg="red") + visible(departure.sentence), err=True)
    if left:
        first = left[0]
        text = f"call {first.number} (entry {first.entry.seq}: {first.request.method} {first.request.url}) was not made"
        more = f", nor {len(left) - 1} more" if len(left) > 1 else ""
        click.echo(click.style("departs: ", fg="red") + visible(text + more), err=True)
    return bool(left or cassette.departures)
