"""`gatekeeper relay`: the loopback proxy that adds the current token."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.options import Address, load_settings, settings_option
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.tokens import TokenOptions, check_source, token_options, token_source

if TYPE_CHECKING:
    import ssl

    from gatekeeper.config import Config
    from gatekeeper.relay import Relay


@click.command()
@click.option(
    "--listen",
    type=Address(),
    default="127.0.0.1:8081",
    show_default=True,
    metavar="HOST:PORT",
    help="Where clients reach the relay: loopback only.",
)
@click.option("--gateway", type=Address(), metavar="HOST:PORT", help="Where the gateway is.  [default: proxy.listen]")
@click.option(
    "--gateway-ca",
    type=click.Path(path_type=Path),
    metavar="F",
    help="Speak TLS to the gateway, and trust this CA, its certs/ca.pem, for it.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    metavar="F",
    help="With --gateway-ca: the client certificate to show, with its key, PEM.",
)
@token_options
@settings_option
def relay(  # noqa: PLR0913, PLR0917 - one for each option
    listen: tuple[str, int],
    gateway: tuple[str, int] | None,
    gateway_ca: Path | None,
    certificate: Path | None,
    subject: str | None,
    groups: tuple[str, ...],
    workflow: str | None,
    token_file: Path | None,
    token_command: str | None,
) -> None:
    """Pass calls from loopback to the gateway, each with the current token, until Ctrl-C.

    Where tokens come from is said by one of --subject, --token-file and --token-command.
    """
    from gatekeeper.relay import Relay

    options = TokenOptions(
        subject=subject, token_file=token_file, token_command=token_command, groups=groups, workflow=workflow
    )
    source = token_source(options, load_settings)
    place = gateway or gateway_address(load_settings())
    tls = _tls(gateway_ca, certificate)

    async def serve() -> None:
        await check_source(source)
        await _serve(Relay(source, place, tls=tls), listen, place)

    asyncio.run(serve())


def _tls(ca: Path | None, certificate: Path | None) -> "ssl.SSLContext | None":
    """Make the context for the gateway; raises UsageError or Problem."""
    import ssl

    if ca is None:
        if certificate is not None:
            msg = "--certificate goes with --gateway-ca"
            raise click.UsageError(msg)
        return None
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            context.load_cert_chain(certificate)
    except OSError as error:
        msg = f"{ca if certificate is None else certificate}: can't be used for TLS: {error.strerror or error}"
        raise Problem(msg) from error
    return context


def gateway_address(config: "Config") -> tuple[str, int]:
    """Say where a gateway that listens as configured is reached from this machine."""
    from gatekeeper.config.check import listen_address

    host, port = listen_address(config.proxy.listen)
    return reachable(host), port


def reachable(host: str) -> str:
    """Give the address by which this machine reaches who listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on


async def start_relay(relay: "Relay", listen: tuple[str, int]) -> int:
    """Start to listen, and give the port; raises Problem."""
    host, port = listen
    try:
        return await relay.start(host, port)
    except ValueError as error:
        msg = f"--listen: {error}"
        raise Problem(msg) from error
    except OSError as error:
        msg = f"--listen: {host}:{port}: {error.strerror}; choose another port"
        raise Problem(msg) from error


async def _serve(relay: "Relay", listen: tuple[str, int], gateway: tuple[str, int]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    port = await start_relay(relay, listen)
    click.echo(f"ready: http://{_place(listen[0], port)} passes calls to the gateway at {_place(*gateway)}")
    await stop.wait()
    await relay.stop()


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
