"""`gatekeeper run` and `gatekeeper status`."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.env import shell_lines
from gatekeeper.cli.environment import proxy_url
from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json, print_pairs
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.relay import reachable
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.config import Config


@click.command()
@click.option(
    "--socket",
    metavar="PATH",
    envvar="GATEKEEPER_SOCKET",
    type=click.Path(path_type=Path),
    help="The gateway's admin socket.  [default: admin.listen of the configuration]",
)
@json_option
@settings_option
def status(socket: Path | None, *, as_json: bool) -> None:
    """Ask a running gateway how it is. Exit 1 where it is not well, or not running."""
    from gatekeeper.cli.admin_client import AdminClient, SaidNo

    try:
        with AdminClient(load_settings().admin_socket if socket is None else socket) as client:
            well, health = client.health()
    except Problem as error:
        if isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError):
            raise SaidNo(error.message) from error
        raise
    if as_json:
        print_json(health)
    else:
        anchors = health.pop("anchors", {})
        print_pairs({name: visible(_text(value)) for name, value in health.items()})
        if isinstance(anchors, dict):
            print_pairs({f"anchor {name}": visible(value) for name, value in anchors.items()})
    sys.exit(0 if well else 1)


@click.command()
@settings_option
def run() -> None:
    """Serve until Ctrl-C. The first run makes certs/, data/ and a first token; no run overwrites them."""
    config = load_settings()
    from gatekeeper.exchange import now
    from gatekeeper.gateway.first_run import prepare
    from gatekeeper.gateway.log import install_log
    from gatekeeper.gateway.loop import PinnedLoop
    from gatekeeper.gateway.server import CannotServe

    install_log()
    for line in prepare(config, now()):
        click.echo(line)
    try:
        with asyncio.Runner(loop_factory=PinnedLoop) as runner:
            runner.run(_serve(config))
    except CannotServe as error:
        raise Problem(str(error)) from error


def _text(value: "str | int | bool | dict[str, str]") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


async def _serve(config: "Config") -> None:
    from addons.parts import in_process, open_parts
    from gatekeeper.gateway.server import Gateway

    parts = await open_parts(config, open_journal=in_process)
    try:
        gateway = Gateway(parts, load_settings)
    except BaseException:
        await parts.desk.close()
        await parts.close()
        raise
    await gateway.run(lambda host, port: _announce(config, host, port))


def _announce(config: "Config", host: str, port: int) -> None:
    """Say that the gateway is ready, and what to paste."""
    proxy = proxy_url(reachable(host), port)
    token = config.data / "first-token.jwt"
    click.echo(f"ready: {proxy}, decisions at {config.admin_socket}; for a client's shell:")
    click.echo(shell_lines(proxy, config.proxy.certs, token if token.exists() else None), nl=False)
    sys.stdout.flush()
