"""`gatekeeper identity exchange`: trades a token for a short one that is scoped to one workflow."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.options import load_settings, settings_option
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.tokens import read_token
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    import httpx

PATIENCE = 15.0
"""Seconds."""


@click.command()
@click.option("--token-file", required=True, type=click.Path(path_type=Path), metavar="F", help="The token to trade.")
@click.option("--actor-token-file", type=click.Path(path_type=Path), metavar="F", help="Of who acts for its subject.")
@click.option("--workflow", metavar="W", help="The workflow.  [default: the one that the token names]")
@click.option("--url", metavar="URL", help="Such as https://gateway:8443/token.  [default: the admin socket]")
@click.option(
    "--ca", type=click.Path(path_type=Path), metavar="F", help="The gateway's ca.pem.  [default: proxy.certs]"
)
@settings_option
def exchange(
    token_file: Path, actor_token_file: Path | None, workflow: str | None, url: str | None, ca: Path | None
) -> None:
    """Trade a token (RFC 8693) and print the new one, and nothing else. Exit 1: refused.

    `gatekeeper relay --token-command "gatekeeper identity exchange …"` keeps a program supplied.
    """
    from gatekeeper.cli.admin_client import SaidNo
    from gatekeeper.identity.trade import GRANT, JWT, WORKFLOW

    form = {"grant_type": GRANT, "subject_token": read_token(token_file), "subject_token_type": JWT}
    if actor_token_file is not None:
        form |= {"actor_token": read_token(actor_token_file), "actor_token_type": JWT}
    if workflow is not None:
        form["scope"] = f"{WORKFLOW}{workflow}"
    answer = _post(url, ca, form)
    try:
        said: dict[str, object] = answer.json()
    except ValueError as error:
        msg = f"{url or 'the admin socket'}: the answer (status {answer.status_code}) is none of a gateway's"
        raise Problem(msg) from error
    if not answer.is_success:
        raise SaidNo(visible(f"refused ({said.get('error')}): {said.get('error_description')}"))
    click.echo(said["access_token"])


def _post(url: str | None, ca: Path | None, form: dict[str, str]) -> "httpx.Response":
    import httpx

    if url is None:
        transport = httpx.HTTPTransport(uds=str(load_settings().admin_socket))
        place = "http://gatekeeper/token"
    else:
        transport, place = httpx.HTTPTransport(verify=_trust(ca or load_settings().proxy.certs / "ca.pem")), url
    try:
        with httpx.Client(transport=transport, timeout=PATIENCE, trust_env=False) as client:
            return client.post(place, data=form)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        msg = f"{url or 'the admin socket'}: no answer ({type(error).__name__}); is the gateway running there?"
        raise Problem(msg) from error


def _trust(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        msg = f"{ca}: can't be read as the gateway's CA: {error.strerror or error}"
        raise Problem(msg) from error
